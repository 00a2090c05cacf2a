package node

import (
	"lightcone/memo"
)

// maxObserved bounds the own memos that are read to learn what this node's chain
// has behind it, once after a start.
const maxObserved = 1024

// observed returns what is known to be in the past of the own chain of a space: of
// each author a prefix that the node's memos named among their causes. A memo need
// not name that again. It belongs to the owner.
func (o *owner) observed(s *Space) *memo.Vector {
	if v, ok := o.past[s.id]; ok {
		return v
	}
	v := new(memo.Vector)
	o.past[s.id] = v
	held := o.n.view.Load().store
	last, _ := held.All(s.id).Get(o.n.id)
	for seq := last.Seq; seq > 0 && last.Seq-seq < maxObserved; seq-- {
		m, ok, err := held.Memo(s.id, o.n.id, seq)
		if !ok || err != nil {
			break // the memos behind it name their causes once more
		}
		observe(v, m)
	}
	return v
}

// observe adds what m names.
func observe(v *memo.Vector, m *memo.Memo) {
	for _, h := range m.Deps {
		if had, ok := v.Get(h.Author); !ok || h.Seq > had.Seq {
			v.Set(memo.Mark{Head: h})
		}
	}
}

// unobserved returns those of the causes that are not in the past of the own chain
// for sure: another memo at an observed place is one too.
func unobserved(v *memo.Vector, causes []memo.Head) (out []memo.Head) {
	for _, h := range causes {
		if had, _ := v.Get(h.Author); h.Seq > had.Seq || h.Seq == had.Seq && h.ID != had.ID {
			out = append(out, h)
		}
	}
	return out
}
