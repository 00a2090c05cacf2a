package node

import (
	"fmt"
	"slices"
	"time"

	"lightcone/memo"
	"lightcone/p2p/gossip"
	"lightcone/store"
)

// This file is what a node does about authors who forked their chains. The store
// keeps all branches and the protocol brings them; here a fork is proved, once a
// space and author, and reported. What relies on an author's chain being one is off
// for such an author: see past.go and Space.digests.

const (
	// proofDelay bounds how long, at random, a node waits before it proves a fork that
	// nobody proved yet: all see it at about the same time, and one proof does for all.
	proofDelay = 2 * time.Second
	// proofRetry is when a proof that could not be written is tried again.
	proofRetry = time.Minute
	// doubtFor is how long another state of an equal vector may be explained by a branch
	// that has not come yet: some rounds of recon. maxDoubts bounds those waited for.
	doubtFor  = 30 * time.Second
	maxDoubts = 16
)

// doubt is a root that shows another state of a cut than the own root.
type doubt struct {
	gossip.Announced
	until time.Time
}

// doubt waits for a while before a root is taken for wrong: who holds another branch
// of a forked author has an equal vector and another state, and does not lie.
func (o *owner) doubt(a gossip.Announced) {
	if len(o.doubts) < maxDoubts {
		o.doubts = append(o.doubts, doubt{a, o.n.opts.Now().Add(doubtFor)})
	}
}

// tickDoubts takes for wrong what no fork explains in time.
func (o *owner) tickDoubts(now time.Time) {
	o.doubts = slices.DeleteFunc(o.doubts, func(d doubt) bool {
		switch {
		case len(forkStatus(o.n.view.Load().store, d.Space, o.n.id)) > 0:
			return true
		case now.Before(d.until):
			return false
		}
		o.n.log.Warn("a peer announces another state of a cut that was folded here: it computes wrongly, or this node does",
			"space", d.Space, "peer", d.From, "root", d.ID, "ours", d.Unequal, "memos", d.Memos)
		o.unequal(d.Announced)
		return true
	})
}

// ForkStatus says that an author wrote two memos for one place of its chain in a
// space: its key is used in two places, or it lies. All it wrote is kept and joined.
type ForkStatus struct {
	Author memo.Author
	Own    bool   // this node's own: it writes no more there
	Seq    uint64 // the lowest such place that is known; 0: only a proof is here
	Runs   uint64 // of branches held beside the one with the greatest head
	Full   bool   // no more of them are kept
	// Proof is the earliest memo that proves it, by Prover and its clock; zero: none is
	// here yet.
	Proof  memo.ID
	Prover memo.Author
	Since  time.Time
}

// accused is an author in a space.
type accused struct {
	space  memo.SpaceID
	author memo.Author
}

// tickForks proves forks that it is time to prove, and tells of own ones.
func (o *owner) tickForks(now time.Time) {
	o.tickDoubts(now)
	for _, s := range o.n.allSpaces() {
		v := o.n.view.Load().store
		for _, f := range v.Forks(s.id) {
			o.tickFork(now, s, v, f.Author)
		}
	}
}

func (o *owner) tickFork(now time.Time, s *Space, v *store.View, author memo.Author) {
	who := accused{s.id, author}
	if b := o.beaconsOf(s.id); b != nil {
		b.pings.Fork(author)
	}
	due, waits := o.proving[who]
	_, proved := v.Proof(s.id, author)
	switch {
	case author == o.n.id:
		if !waits {
			o.proving[who] = now
			o.n.log.Error("the own chain was forked", "space", s.id, "err", store.ErrOwnFork)
		}
	case proved:
		delete(o.proving, who)
	case !waits:
		o.proving[who] = now.Add(time.Duration(o.n.chance.Int64N(int64(proofDelay))))
	case !now.Before(due) && s.volunteers():
		o.proving[who] = now.Add(proofRetry)
		if err := o.prove(s, v, author); err != nil {
			o.n.log.Warn("cannot prove a fork now; it is tried again", "space", s.id, "author", author, "err", err)
		}
	}
}

// prove writes a memo that proves a fork. It names a memo of the author as a cause,
// whether that is known already or not.
func (o *owner) prove(s *Space, v *store.View, author memo.Author) error {
	a, b, err := v.Evidence(s.id, author)
	if err != nil {
		return classify(err)
	}
	p, err := memo.ProveFork(a, b)
	if err != nil {
		return fmt.Errorf("evidence of a fork: %w", err)
	}
	mark, _ := v.Vector(s.id).Get(author)
	w := &write{space: s, body: p, first: []memo.Head{mark.Head}, done: make(chan written, 1)}
	o.commit(w)
	return (<-w.done).err
}

// forkStatus describes the forks of a space, ascending by author.
func forkStatus(v *store.View, id memo.SpaceID, self memo.Author) (out []ForkStatus) {
	for m := range v.Vector(id).All() {
		f, held := v.Fork(id, m.Author)
		if !held && !m.Forked {
			continue
		}
		st := ForkStatus{Author: m.Author, Own: m.Author == self, Seq: f.Seq, Runs: f.Runs, Full: f.Full()}
		if p, ok := v.Proof(id, m.Author); ok {
			st.Proof, st.Prover, st.Since = p.ID, p.Author, time.UnixMilli(int64(p.Time.Millis())).UTC()
		}
		out = append(out, st)
	}
	return out
}

// branchID returns the digest of a memo of any branch that begins as a token says.
func (v *view) branchID(space memo.SpaceID, a memo.Author, seq uint64, begins [8]byte) (memo.ID, bool) {
	ids, err := v.store.BranchIDs(space, a, seq)
	i := slices.IndexFunc(ids, func(id memo.ID) bool { return [8]byte(id[:8]) == begins })
	if err != nil || i < 0 {
		return memo.ID{}, false
	}
	return ids[i], true
}
