package replicas

import (
	"context"
	"maps"
	"math/rand/v2"

	"lightcone/memo"
	"lightcone/node"
)

// What kinds of space a world may have. Members and adopt in one there are none
// (node.CreateSpace refuses that): a state names no grants.
const (
	plainSpace   = "open space"
	membersSpace = "space of members"
	adoptSpace   = "space that adopts"
)

// Out of this many worlds, so many have a space of members and one that adopts.
const kindsOf, membersOf, adoptOf = 10, 3, 3

// In one of so many worlds a disk goes back to an image of before.
const olderOf = 3

// variant draws what space the world of a seed has, whether it has a disk that rots, and
// whether one goes back to what it was, by lots of its own. One in two rots: who refuses
// its log is down for long.
func variant(seed uint64) (kind string, rots, older bool) {
	lots := rand.New(rand.NewPCG(seed, 2))
	n, rots, older := lots.IntN(kindsOf), lots.IntN(2) == 0, lots.IntN(olderOf) == 0
	switch {
	case n < membersOf:
		return membersSpace, rots, older
	case n < membersOf+adoptOf:
		return adoptSpace, rots, older
	}
	return plainSpace, rots, older
}

// policy is what the genesis says.
func (w *World) policy() node.Policy {
	switch w.kind {
	case membersSpace:
		return node.Policy{Rights: memo.Members}
	case adoptSpace:
		return node.Policy{Trust: memo.Adopt}
	}
	return node.Policy{}
}

// scope of tickets: who joins a space of members reads, and is granted more later.
func (w *World) scope() node.Scope {
	if w.kind == membersSpace {
		return node.ScopeRead
	}
	return node.ScopeWrite
}

// errand is what the world asks of a replica beside its clients: one thing at a time.
type errand struct {
	at   *replica
	what string
	done chan error // buffered
	then func(error)
}

// send has a replica do something, unless it is down or busy; then sees how it ended.
func (w *World) errandTo(p *replica, what string, f func(context.Context) error, then func(error)) {
	if p.busy || p.node == nil || p.space == nil {
		return
	}
	w.struck(what)
	p.busy = true
	e := &errand{at: p, what: what, done: make(chan error, 1), then: then}
	w.errands = append(w.errands, e)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		e.done <- f(ctx)
		w.poke()
	}()
}

// finish takes what became of an errand, if it is over.
func (e *errand) finish(w *World) bool {
	select {
	case err := <-e.done:
		e.at.busy = false
		w.note("%s at %d: %v", e.what, e.at.index, err)
		e.then(err)
		return true
	default:
		return false
	}
}

// compact has a replica delete the bodies of its memos: who lacks them has to take its
// state for them.
func (w *World) compact(p *replica) {
	if p.busy || p.node == nil || p.space == nil {
		return
	}
	facts, err := p.facts()
	if err != nil {
		w.note("facts of %d: %v", p.index, err)
		return
	}
	n := p.node
	w.errandTo(p, "compaction", func(ctx context.Context) error {
		_, err := n.Compact(ctx)
		return err
	}, func(err error) {
		if err != nil { // what it told may never have been on its disk, and nobody knows what is left
			w.oracle.vague = true
			return
		}
		w.oracle.keep(facts)
	})
}

// keep remembers what a replica told, which nobody may have later.
func (o *oracle) keep(facts map[string]fact) {
	if o.known == nil {
		o.known = map[string]fact{}
	}
	maps.Copy(o.known, facts)
}
