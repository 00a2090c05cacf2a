package node

import (
	"container/heap"
	"errors"

	"lightcone/memo"
	"lightcone/store"
)

// maxWalk bounds the memos read to decide what is in the past of one edit. Where
// it does not reach, the answer is that it is not known.
const maxWalk = 4096

// past is what lies behind a memo: of every author a prefix of its chain, since
// chains are linked, so one seq an author tells it all.
type past struct {
	seen map[memo.Author]uint64
	// whole says that all links were followed far enough: an edit that was asked
	// for and is not in seen is not in the past.
	whole bool
}

func (p *past) has(h memo.Head) bool { return p.seen[h.Author] >= h.Seq }

// walk finds the past of a memo by its links alone, never by clocks. It follows
// them backwards in the order of the log, in which causes come first: whatever it
// has not met when it is behind a place, and stands at that place, is not in the
// past. It remembers what it met and goes on where it stopped.
type walk struct {
	past
	reader *store.Reader
	space  memo.SpaceID
	known  func(memo.Head) *past // the past of a memo, when it is known already; else nil
	left   *int                  // memos that may still be read

	followed map[memo.Author]uint64 // of each author, a prefix that lies behind a known past
	popped   map[memo.Author]uint64 // of each author, the lowest memo that was followed
	edge     edge                   // met, and not followed yet
}

// newWalk starts a walk at m, which is not part of its past.
func newWalk(r *store.Reader, m *memo.Memo, known func(memo.Head) *past, left *int) (*walk, error) {
	w := &walk{
		past: past{seen: map[memo.Author]uint64{}, whole: true}, reader: r, space: m.SpaceID(), known: known, left: left,
		followed: map[memo.Author]uint64{}, popped: map[memo.Author]uint64{},
	}
	return w, w.links(m)
}

// find decides whether h, which stands at a place of the log, is in the past. It
// is not known when the walk had to stop before it came so far.
func (w *walk) find(h memo.Head, at store.Place) (yes, known bool, err error) {
	for !w.has(h) && len(w.edge) > 0 && at.Compare(w.edge[0].Place) <= 0 {
		if *w.left <= 0 {
			return false, false, nil
		}
		if err := w.step(); err != nil {
			return false, false, err
		}
	}
	return w.has(h), w.has(h) || w.whole, nil
}

// step follows the latest memo of the edge.
func (w *walk) step() error {
	m := heap.Pop(&w.edge).(store.Found).Memo
	if low, ok := w.popped[m.Author]; ok && low <= m.Seq || m.Seq <= w.followed[m.Author] {
		return nil
	}
	w.popped[m.Author] = m.Seq
	if p := w.known(m.Head()); p != nil {
		for a, seq := range p.seen {
			w.seen[a] = max(w.seen[a], seq)
			w.followed[a] = max(w.followed[a], seq)
		}
		w.whole = w.whole && p.whole
		return nil
	}
	return w.links(m)
}

// links puts the direct causes of m on the edge.
func (w *walk) links(m *memo.Memo) error {
	if m.Seq > 1 {
		if err := w.behind(m.Author, m.Seq-1); err != nil {
			return err
		}
	}
	for _, d := range m.Deps {
		if w.seen[d.Author] >= d.Seq {
			continue // the chain is followed from a later memo, or lies behind a known past
		}
		if err := w.behind(d.Author, d.Seq); err != nil {
			return err
		}
	}
	return nil
}

// behind notes that an author's chain up to a place is in the past, and puts it on
// the edge. Of a forked one that is sure of what it wrote before; from there on a
// place does not tell a memo.
func (w *walk) behind(a memo.Author, seq uint64) error {
	if f, ok := w.reader.Fork(w.space, a); ok && seq >= f.Seq {
		w.whole = false
		if seq = f.Seq - 1; seq <= w.seen[a] {
			return nil
		}
	}
	w.seen[a] = max(w.seen[a], seq)
	return w.push(a, seq)
}

func (w *walk) push(a memo.Author, seq uint64) error {
	if seq <= w.followed[a] {
		return nil
	}
	*w.left--
	f, ok, err := w.reader.Memo(w.space, a, seq)
	if errors.Is(err, store.ErrNoBody) {
		w.whole = false // what is behind it is not known here
		return nil
	}
	if ok {
		heap.Push(&w.edge, f)
	}
	return err // what the view does not cover is in nobody's past
}

// edge is a heap of memos, the latest in the log first.
type edge []store.Found

func (e edge) Len() int           { return len(e) }
func (e edge) Less(i, j int) bool { return e[i].Compare(e[j].Place) > 0 }
func (e edge) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *edge) Push(f any)        { *e = append(*e, f.(store.Found)) }

func (e *edge) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}
