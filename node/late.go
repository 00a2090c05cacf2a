package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"lightcone/beacon"
	"lightcone/memo"
	"lightcone/store"
)

// This file is what becomes of late memos: those that come although they are older than
// what all of the roster claimed to have (DESIGN.md §6, "late from Alpha Centauri").
// They are joined as any other and reported; or they are held back, where that is the
// policy, until somebody here releases them or a memo that is not late depends on them.
// Peers see no difference: what is held need not be sent here, and is served.

// LatePolicy says what a node does with late memos. It is its own affair: peers need
// not agree, and roots are equal again when all is released.
type LatePolicy string

// The policies. None given is LateAccept.
const (
	LateAccept     LatePolicy = "accept"     // they are joined, and the root moves
	LateQuarantine LatePolicy = "quarantine" // they are held back
)

// Validate reports a policy that does not exist.
func (p LatePolicy) Validate() error {
	if p != "" && p != LateAccept && p != LateQuarantine {
		return fmt.Errorf("%w: late memos cannot be met with %q; say %s or %s", memo.ErrInvalid, string(p), LateAccept, LateQuarantine)
	}
	return nil
}

// maxLate bounds the late memos that are remembered of a space.
const maxLate = 16

// lateness is what is known of late memos that attached.
type lateness struct {
	memos uint64      // since the node started
	last  []memo.Head // the newest of them, at most maxLate, oldest first
}

// isLate reports whether m is late.
func (b *beacons) isLate(m *memo.Memo, self PeerID) bool {
	st := &b.claims.stable
	return m.Author != self && st.cut.Len() > 0 && beacon.Late(m, st.claims, driftBound)
}

// note looks whether a memo that attached is late.
func (l *lateness) note(b *beacons, m *memo.Memo, self PeerID) {
	if !b.isLate(m, self) {
		return
	}
	l.memos++
	if len(l.last) == maxLate {
		l.last = append(l.last[:0], l.last[1:]...)
	}
	l.last = append(l.last, m.Head())
}

// holdsBack is what the store asks about each run that could attach.
func (o *owner) holdsBack(r *memo.Run) bool {
	b := o.beaconsOf(r.Space)
	if b == nil || o.latePolicy(r.Space) != LateQuarantine {
		return false
	}
	return !slices.ContainsFunc(r.Memos, func(m *memo.Memo) bool { return m.Kind() != memo.KindPing && !b.isLate(m, o.n.id) })
}

// rememberLate keeps the node's policy for the next start, which may be a short one that
// is told nothing.
func (o *owner) rememberLate() error {
	if o.n.opts.Late == "" || o.n.opts.Late == o.state.Late {
		return nil
	}
	o.state.Late = o.n.opts.Late
	return o.state.save(o.n.dir)
}

// latePolicy is that of a space, or the node's where the space has none of its own.
func (o *owner) latePolicy(id memo.SpaceID) LatePolicy {
	if s := o.state.find(id.String()); s != nil && s.Late != "" {
		return s.Late
	}
	return cmp.Or(o.state.Late, LateAccept)
}

// SetLate says what becomes of late memos in s from now on, on this node; "" is as
// Options.Late says. To accept them releases what is held.
func (s *Space) SetLate(ctx context.Context, p LatePolicy) error {
	if err := p.Validate(); err != nil {
		return err
	}
	c := &setLate{space: s, policy: p, reply: make(chan error, 1)}
	failed, err := await(ctx, s.node, c, c.reply)
	return errors.Join(err, failed)
}

type setLate struct {
	space  *Space
	policy LatePolicy
	reply  chan error
}

func (c *setLate) do(o *owner) {
	st := o.state.find(c.space.id.String())
	was := st.Late
	st.Late = c.policy
	err := o.state.save(o.n.dir)
	if err != nil {
		st.Late = was
	} else {
		err = o.acceptHeld(c.space)
	}
	c.reply <- err
}

// acceptHeld releases what is held in a space whose policy holds nothing.
func (o *owner) acceptHeld(s *Space) error {
	if o.latePolicy(s.id) == LateQuarantine || len(o.n.view.Load().store.Had(s.id).Held()) == 0 {
		return nil
	}
	_, err := o.releaseHeld(s)
	return err
}

// Release attaches late memos of these authors that are held back, and what they depend
// on; of all authors if none is named. It returns how many attached.
func (s *Space) Release(ctx context.Context, authors ...PeerID) (memos int, err error) {
	c := &release{space: s, authors: authors, reply: make(chan released, 1)}
	r, err := await(ctx, s.node, c, c.reply)
	return r.memos, errors.Join(err, r.err)
}

type release struct {
	space   *Space
	authors []PeerID
	reply   chan released
}

type released struct {
	memos int
	err   error
}

func (c *release) do(o *owner) {
	held := o.n.view.Load().store.Had(c.space.id).Held()
	for _, a := range c.authors {
		if len(held[a]) == 0 {
			c.reply <- released{err: fmt.Errorf("%w: late memos of %s that are held back in space %q; list them with `lightcone beacons --held`", ErrNotFound, a, c.space.name)}
			return
		}
	}
	n, err := o.releaseHeld(c.space, c.authors...)
	c.reply <- released{n, err}
}

func (o *owner) releaseHeld(s *Space, authors ...PeerID) (memos int, err error) {
	res, err := o.n.store.Release(s.id, authors...)
	err = o.took(s.id, res, err)
	o.expelRevised()
	return len(res.Attached), classify(err)
}

// HeldAuthor is what is held back of one author.
type HeldAuthor struct {
	Author PeerID
	First  uint64 // seq of the first memo
	Last   memo.Head
	Memos  uint64
	Bytes  int // of their runs
}

// heldBack lists what is held, ascending by author.
func heldBack(v *store.View, id memo.SpaceID) (out []HeldAuthor) {
	for a, runs := range v.Had(id).Held() {
		h := HeldAuthor{Author: a, First: runs[0].First, Last: runs[len(runs)-1].Head}
		h.Memos = h.Last.Seq - h.First + 1
		for _, r := range runs {
			h.Bytes += r.Bytes
		}
		out = append(out, h)
	}
	slices.SortFunc(out, func(a, b HeldAuthor) int { return a.Author.Compare(b.Author) })
	return out
}
