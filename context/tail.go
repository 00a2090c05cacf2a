package causal

import (
	"errors"
	"fmt"
	"slices"

	"lightcone/memo"
)

// ErrTail reports memos among which a context's tail is not complete.
var ErrTail = errors.New("the tail of the context is not complete; give every memo from its loose heads down to its root")

// Tail is what a context holds above its root, whole memos.
type Tail struct {
	Memos []*memo.Memo // causes first
	Bytes int          // about what they take in a run
}

// Tail finds the tail of the context among memos, which may come in any order and
// hold others too. Its order is a function of the context alone. Error: ErrTail.
func (qc Context) Tail(memos []*memo.Memo) (Tail, error) {
	w := tailWalk{below: qc.Below, given: make(map[memo.ID]*memo.Memo, len(memos)), met: map[memo.ID]bool{}}
	for _, m := range memos {
		w.given[m.ID()] = m
	}
	for _, h := range qc.Loose {
		if err := w.from(h); err != nil {
			return Tail{}, err
		}
	}
	return w.tail, nil
}

// tailWalk visits memos depth first and lists each behind its causes.
type tailWalk struct {
	below memo.Vector
	given map[memo.ID]*memo.Memo
	met   map[memo.ID]bool
	tail  Tail
	path  []step
}

// step is a memo on the path and what is left of its links.
type step struct {
	memo  *memo.Memo
	links []memo.Head
}

func (w *tailWalk) from(h memo.Head) error {
	if err := w.enter(h); err != nil {
		return err
	}
	for len(w.path) > 0 {
		top := &w.path[len(w.path)-1]
		if len(top.links) == 0 {
			w.tail.Memos = append(w.tail.Memos, top.memo)
			w.tail.Bytes += sizeOf(top.memo)
			w.path = w.path[:len(w.path)-1]
			continue
		}
		link := top.links[0]
		top.links = top.links[1:]
		if w.below.Covers(link.Author, link.Seq) {
			continue
		}
		if err := w.enter(link); err != nil {
			return err
		}
	}
	return nil
}

func (w *tailWalk) enter(h memo.Head) error {
	if w.met[h.ID] {
		return nil
	}
	m, ok := w.given[h.ID]
	if !ok || m.Head() != h {
		return fmt.Errorf("%w: memo %s is missing", ErrTail, h)
	}
	w.met[h.ID] = true
	w.path = append(w.path, step{m, links(m)})
	return nil
}

// links returns the direct causes of a memo, the one by its author first.
func links(m *memo.Memo) []memo.Head {
	if m.Seq == 1 {
		return m.Deps
	}
	return slices.Concat([]memo.Head{{Author: m.Author, Seq: m.Seq - 1, ID: m.Prev}}, m.Deps)
}

// sizeOf is about what a memo takes in a run, in bytes.
func sizeOf(m *memo.Memo) int {
	const perMemo, perDep = 24, 96
	return perMemo + perDep*len(m.Deps) + m.BodySize()
}
