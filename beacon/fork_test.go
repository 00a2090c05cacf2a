package beacon_test

import (
	"testing"

	"lightcone/beacon"
	"lightcone/memo"
)

// memos is a beacon.DAG of what is held.
type memos map[memo.ID]*memo.Memo

func (d memos) Links(h memo.Head) ([]memo.Head, memo.Time, bool) {
	m := d[h.ID]
	if m == nil {
		return nil, 0, false
	}
	return links(m), m.Time, true
}

func held(ms ...*memo.Memo) memos {
	d := memos{genesis.ID(): genesis}
	for _, m := range ms {
		d[m.ID()] = m
	}
	return d
}

// A memo depends on a branch of a forked chain that is not held here. The branch that
// is held says more about the past of that memo than is true, until the fork is known.
func TestForkedBranchIsNoShortcut(t *testing.T) {
	a, f, b := &chain{by: author(1)}, &chain{by: author(2)}, &chain{by: author(3)}
	first := a.next(10, &memo.Ping{})
	start := f.next(11, memo.Join{})
	twin := *f
	here := f.next(12, &memo.Ping{Refs: []memo.Head{first.Head()}})
	elsewhere := twin.next(12, memo.Join{})
	victim := b.next(20, memo.Join{}, elsewhere.Head()) // covered by its place
	p, d := newPings(), held(first, start, here, victim)
	for _, m := range []*memo.Memo{first, start, here, victim} {
		p.Add(m)
	}
	p.Fork(f.by)
	if got := beacon.HappensBefore(p, d, first.Head(), victim.Head(), 100); got.Verdict != beacon.Unknown {
		t.Errorf("answered %d by rule %d; the links behind %v are not held", got.Verdict, got.Rule, elsewhere.Head())
	}
	// On the branch that is held the links are followed.
	if got := beacon.HappensBefore(p, d, first.Head(), here.Head(), 100); got.Verdict != beacon.Yes || got.Rule != beacon.ByWalk {
		t.Errorf("answered %d by rule %d, want a yes by a walk", got.Verdict, got.Rule)
	}
	if p.Reading(p.ClockOf(cutOf(0, 1, 2, 1))) != nil {
		t.Error("what was learned by the chain is still believed")
	}
}

// What was dropped when a fork became known is not taken for nothing: here a ref to a
// ping that comes later.
func TestForkDropsWhatWasKnown(t *testing.T) {
	x, y, f := &chain{by: author(1)}, &chain{by: author(2)}, &chain{by: author(3)}
	late := x.next(10, &memo.Ping{})
	refers := y.next(11, &memo.Ping{Refs: []memo.Head{late.Head()}})
	after := y.next(12, memo.Join{})
	p := newPings()
	p.Add(refers)
	p.Fork(f.by)
	p.Add(late)
	p.Add(after)
	got := beacon.HappensBefore(p, held(late, refers, after), late.Head(), after.Head(), 100)
	if got.Verdict != beacon.Yes {
		t.Errorf("answered %d by rule %d, want yes", got.Verdict, got.Rule)
	}
}
