package worlds

import (
	"time"

	"lightcone/memo"
	"lightcone/p2p/gossip"
	"lightcone/simulations/engine"
)

// This file is the live path of p2p/gossip for worlds in which nobody is short of
// anything: what the mesh, a model, brings first to a peer is offered to its Ear, the
// product's own, which hears it all and keeps its rates.

// ears are those of the peers of a shard.
type ears struct {
	of    []gossip.Ear
	free  gossip.Budget // of each peer: it has no bound
	terms gossip.Terms
}

// newEars returns the Ears of a shard's peers.
func newEars(sh *engine.Shard) ears { return ears{of: make([]gossip.Ear, sh.Last-sh.First)} }

// hear offers a peer one memo at a time by its clock, and reports whether it is heard.
// Seconds that are over pass before.
func (e *ears) hear(i int, now time.Time, a memo.Author, seq uint64) bool {
	e.tick(i, now)
	return e.of[i].Hear(now, &e.free, &e.terms, gossip.Offer{Author: a, First: seq, Last: seq}) == gossip.Hears
}

// tick lets time pass.
func (e *ears) tick(i int, now time.Time) { e.of[i].Tick(now, &e.free, &e.terms) }

// silent reports whether a peer has been offered nothing.
func (e *ears) silent(i int) bool { return e.of[i].Offered() == 0 }

// forget has a peer begin anew, as a process does that is started.
func (e *ears) forget(i int) { e.of[i] = gossip.Ear{} }

// touch reads of an Ear what hearing needs of it; see engine.Toucher.
func (e *ears) touch(i int) uint64 { return uint64(e.of[i].Offered()) }

// digest folds what a peer's Ear decides by.
func (e *ears) digest(i int) uint64 { return e.of[i].Digest() }
