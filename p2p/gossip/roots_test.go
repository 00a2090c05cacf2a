package gossip

import (
	"crypto/ed25519"
	"fmt"

	"lightcone/memo"
	"lightcone/merge"
)

// This file lets the replicas of a world fold.

func (a *author) sign(msg []byte) memo.Seal { return memo.Seal(ed25519.Sign(a.key, msg)) }

// root is the root of what a shelf holds: a function of the cut, like a real one.
// In a lie the state is another.
func (s *shelf) foldedRoot(lie bool) Folded {
	vec, err := s.VecRoot(s.space)
	if err != nil {
		panic(err)
	}
	state := memo.Sum(vec[:])
	if lie {
		state = memo.Sum(state[:])
	}
	root := merge.Root{Params: merge.DefaultParams(s.space), Vector: vec, State: state}
	data, err := root.Encode()
	if err != nil {
		panic(err)
	}
	return Folded{Space: s.space, ID: memo.Sum(data), Root: root, Vector: s.vec.Clone()}
}

func (r *replica) fold(lie bool) {
	in := r.shelf.foldedRoot(lie)
	r.w.trace("%v folds %d memos to %x", r, count(in.Vector), in.ID[:2])
	r.step(in)
}

// told takes a root that the core reports.
func (r *replica) told(a Announced) {
	r.heard = append(r.heard, a)
	if r.w.log == nil {
		return
	}
	from := r.w.name(a.From)
	if a.Unequal.IsZero() {
		r.w.trace("%v hears of root %x of %d memos, by %s", r, a.ID[:2], a.Memos, from)
	} else {
		r.w.trace("%v hears of root %x by %s, and has %x of the same cut", r, a.ID[:2], from, a.Unequal[:2])
	}
}

func (w *world) traceRoot(r *replica, o Publish) {
	_, a, err := parseAnnouncement(o.Data)
	if err != nil {
		panic(err)
	}
	a.Root.Params = merge.DefaultParams(w.space)
	data, err := a.Root.Encode()
	if err != nil {
		panic(err)
	}
	id := memo.Sum(data)
	text := ""
	for _, h := range a.Heads {
		text += " " + w.name(h.Author) + fmt.Sprintf("#%d", h.Seq)
	}
	w.trace("%v announces root %x of %d memos, beyond it:%s  %d B", r, id[:2], a.Memos, text, len(o.Data))
}

// knows reports whether a replica made a root or heard of it.
func (r *replica) knows(id memo.ID) bool {
	s := r.core.spaces[r.w.space]
	return s.roots.own != nil && s.roots.own.ID == id || s.roots.sighted(id) != nil
}
