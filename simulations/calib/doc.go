// Package calib compares the model of gossipsub (simulations/mesh) with gossipsub: the
// same messages from the same number of writers over the same links, once on real
// go-libp2p hosts with go-libp2p-pubsub and the parameters of p2p, and once on the
// engine.
//
// The real hosts run in virtual time (internal/vnet), which needs a test:
//
//	go test ./simulations/calib                       # 24 hosts; fails if the model is off
//	CALIBRATE=DIR go test ./simulations/calib -run Calibration -v -timeout 30m
//
// The second runs 100 and 500 hosts, without and with loss, and writes a report to DIR.
// docs/simulations/calibration.md shows what came out.
//
// With CALIBRATE_CASE=whole it takes the case of 100 whole nodes alone.
//
// # What is real
//
// Hosts, QUIC, its handshakes and retransmissions, gossipsub with its mesh, heartbeats
// and caches. Not there: a node and its store, the validator of announcements, scores of
// peers, and connections to everybody: each host dials Case.Dials others, drawn. One case
// has all of that: whole nodes as production starts them, seen from outside. Time passes
// only while all hosts wait, so computing costs none.
package calib
