package node

import (
	"bytes"
	"slices"

	causal "lightcone/context"
	"lightcone/memo"
	"lightcone/store"
)

// frontier is the context of a place in the log: the memos before it that no
// other memo before it names as a cause. They stand for all of them.
type frontier struct {
	heads []causal.TokenHead // ascending by author
	known bool               // false: the feed began at a cursor without heads
}

func newFrontier(from Cursor) *frontier {
	return &frontier{heads: slices.Clone(from.heads), known: from.IsZero() || len(from.heads) > 0}
}

// add puts m behind the place and returns the heads, which the caller must not
// change; nil when they are too many for a token, or not known.
func (f *frontier) add(m *memo.Memo) []causal.TokenHead {
	for _, d := range m.Deps {
		if i, ok := f.find(d.Author); ok && f.heads[i].Seq <= d.Seq {
			f.heads = slices.Delete(f.heads, i, i+1)
		}
	}
	id := m.ID()
	head := causal.TokenHead{Author: [8]byte(m.Author[:8]), Seq: m.Seq, Digest: [8]byte(id[:8])}
	if i, ok := f.find(m.Author); ok {
		f.heads[i] = head // its own chain is among its causes
	} else {
		f.heads = slices.Insert(f.heads, i, head)
	}
	return f.now()
}

// adopt puts a state behind the place and returns the heads, as add does.
func (f *frontier) adopt(a *store.Adopted) ([]causal.TokenHead, error) {
	for h, err := range a.Heads() {
		if err != nil {
			return nil, err
		}
		head := causal.TokenHead{Author: [8]byte(h.Author[:8]), Seq: h.Seq, Digest: [8]byte(h.ID[:8])}
		if i, ok := f.find(h.Author); ok {
			f.heads[i] = head
		} else {
			f.heads = slices.Insert(f.heads, i, head)
		}
	}
	return f.now(), nil
}

// now returns the heads for a token.
func (f *frontier) now() []causal.TokenHead {
	if !f.known || len(f.heads) > causal.MaxTokenHeads {
		return nil
	}
	return slices.Clone(f.heads)
}

func (f *frontier) find(a memo.Author) (int, bool) {
	return slices.BinarySearchFunc(f.heads, causal.TokenHead{Author: [8]byte(a[:8])}, byAuthorPrefix)
}

func byAuthorPrefix(a, b causal.TokenHead) int { return bytes.Compare(a.Author[:], b.Author[:]) }
