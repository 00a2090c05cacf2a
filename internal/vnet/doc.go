// Package vnet runs whole replicas, a *node.Node on a *p2p.Server each, in virtual
// time: on a simulated network that has latency, bandwidth, loss and partitions,
// inside a bubble of testing/synctest. Minutes of the network's time pass as fast as
// the replicas can compute, and nothing of the product is replaced but the sockets
// and the clock: real QUIC, real gossipsub, real logs on disk.
//
//	synctest.Test(t, func(t *testing.T) {
//		net := vnet.New(vnet.Link{Latency: 25 * time.Millisecond, Loss: 0.2}, seed)
//		defer net.Close() // after the replicas
//		a, err := net.Open(0, dir, vnet.Options{})
//		…
//		net.Cut(func(from, to int) bool { return from%2 != to%2 }) // a partition
//		net.Cut(nil)                                               // healed
//	})
//
// Time passes only while every goroutine of the bubble waits for another one or for
// a timer. So computing takes no virtual time, and neither do calls of the system:
// a sync of the disk is free, and what is measured are the waits of the protocol and
// of the network. A run is not deterministic, for goroutines are not; the seed is
// that of loss and jitter alone.
//
// Two rules for what runs in a bubble. Nothing may hold a mutex across a wait: time
// stands still while another goroutine waits for the mutex. And everything started
// must have ended when the bubble does, which is why replicas and network are closed
// in that order. Under the race detector set GOMAXPROCS to 1.
package vnet
