// Command compare runs Lightcone side by side with its nearest peers: the same
// work, on the same machine, over the same loopback, in the same run.
//
//	go run . replication [--peers 3] [--writes 10000] [--cap 60s] [--json FILE]
//	go run . wal [--seconds 0.5] [--rounds 3] [--cases append-synced] [--json FILE]
//	go run . context [--memos 1000000] [--svg FILE] [--json FILE]
//	go run . index [--keys 100000] [--rounds 3] [--cases update] [--json FILE]
//	go run . simulator [--peers 1000,1000000] [--rounds 3] [--json FILE]
//
// replication compares with go-ds-crdt (Merkle-CRDTs over gossipsub and bitswap).
// Both sides are real: libp2p hosts over TCP, files on disk, one replica that
// writes and others that receive. All replicas of a side are in this process and
// the sides take turns, so that what getrusage says belongs to one side.
//
// One file, one idea: work.go, state.go and late.go are what is done to a side, whatever it
// is; lightcone.go and dscrdt.go are the sides; measure.go has the instruments;
// table.go prints.
//
// wal compares walfs with the logs of etcd, raft-wal and pebble, index the search
// tree of merge with the Merkle search trees of indigo, context query contexts that
// are folded with those that are not, simulator the simulator with PeerSim. They are
// programs of their own, in the folders of these names, which this one starts. The
// folder figure is what all share. It is a module of its own, so that what it compares
// with is not a dependency of the database; `go test ./...` in this folder keeps both
// sides working.
package main
