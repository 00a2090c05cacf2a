package mergetest

import (
	"cmp"
	"slices"
	"strings"

	"lightcone/memo"
	"lightcone/merge"
)

// Naive returns the state of the row after ws, by the rules as they are told
// (DESIGN §4) rather than by joining: the last tombstone first, then, for each
// cell, every memo that ever touched it.
func Naive(ws []Write) merge.Row {
	var row merge.Row
	for _, w := range ws {
		if w.Edit.Tombstone && older(row.Tombstone, w.Stamp) {
			row.Tombstone = w.Stamp
		}
	}
	for _, c := range touches(ws) {
		cell := merge.Cell{Field: c[0].delta.Field, Type: c[0].delta.Type}
		keep := false
		switch cell.Type {
		case memo.Register:
			cell.Register, keep = naiveRegister(c, row.Tombstone)
		case memo.Counter:
			cell.Counter, keep = naiveCounter(c, row.Tombstone)
		default:
			cell.Atoms, keep = naiveAtoms(c, row.Tombstone), true
		}
		if keep {
			row.Cells = append(row.Cells, cell)
		}
	}
	return row
}

// touch is what one memo did to a cell.
type touch struct {
	stamp merge.Stamp
	delta memo.Delta
}

// touches returns what happened to every cell, each memo once, by field and type.
func touches(ws []Write) [][]touch {
	var all []touch
	met := map[merge.Stamp]bool{} // a memo is told by its stamp
	for _, w := range ws {
		for _, d := range w.Edit.Deltas {
			if !met[w.Stamp] {
				all = append(all, touch{w.Stamp, d})
			}
		}
		met[w.Stamp] = true
	}
	slices.SortStableFunc(all, func(a, b touch) int {
		return cmp.Or(strings.Compare(a.delta.Field, b.delta.Field), cmp.Compare(a.delta.Type, b.delta.Type))
	})
	var out [][]touch
	for i, t := range all {
		if i == 0 || all[i-1].delta.Field != t.delta.Field || all[i-1].delta.Type != t.delta.Type {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], t)
	}
	return out
}

// naiveRegister is the last write that is not older than the tombstone.
func naiveRegister(ts []touch, tombstone merge.Stamp) (last merge.Register, ok bool) {
	for _, t := range ts {
		if !older(t.stamp, tombstone) && (!ok || older(last.Stamp, t.stamp)) {
			last, ok = merge.Register{Stamp: t.stamp, Set: t.delta.Op.Set, Value: t.delta.Op.Value}, true
		}
	}
	return last, ok
}

// naiveCounter is the last count of each author, by base, k and digest, among
// those that began at the tombstone or later.
func naiveCounter(ts []touch, tombstone merge.Stamp) (*merge.Counter, bool) {
	last := map[memo.Author]merge.Tally{}
	for _, t := range ts {
		c := t.delta.Op.Operands.(*memo.Count)
		base := merge.Stamp{Time: c.Base.Time, Author: c.Base.Author, ID: c.Base.ID}
		if c.Base.Own {
			base = merge.Stamp{Time: t.stamp.Time, Author: t.stamp.Author, ID: t.stamp.ID}
		}
		if older(base, tombstone) {
			continue
		}
		before, counted := last[t.stamp.Author]
		if counted && (older(base, before.Base) || base == before.Base && (c.K < before.K ||
			c.K == before.K && string(t.stamp.ID[:]) < string(before.Stamp.ID[:]))) {
			continue
		}
		last[t.stamp.Author] = merge.Tally{Stamp: t.stamp, Base: base, K: c.K, Plus: c.Plus, Minus: c.Minus}
	}
	out := new(merge.Counter)
	for _, t := range last {
		out.Tallies = append(out.Tallies, t)
	}
	slices.SortFunc(out.Tallies, func(a, b merge.Tally) int { return byAuthor(a.Stamp, b.Stamp) })
	return out, len(out.Tallies) > 0
}

// dot names an atom; own ones have the author of their memo.
type dot struct {
	author memo.Author
	k      uint64
}

// dotsOf are the dots that a memo adds, with their values, and those it removes.
func dotsOf(t touch) (adds map[dot]memo.Value, removes []dot) {
	c := t.delta.Op.Operands.(*memo.Change)
	adds = map[dot]memo.Value{}
	for i, v := range c.Add {
		adds[dot{t.stamp.Author, c.K + uint64(i)}] = v
	}
	for _, r := range c.Remove {
		for _, k := range r.Ks {
			d := dot{r.Author, k}
			if r.Author == (memo.Author{}) {
				d.author = t.stamp.Author
			}
			removes = append(removes, d)
		}
	}
	return adds, removes
}

// naiveAtoms: an atom is live when no other memo names its dot, to remove it or,
// by an author who is forked, to add it, and its memo is not older than the
// tombstone. Whatever was named was seen, and whoever named it was a writer.
func naiveAtoms(ts []touch, tombstone merge.Stamp) *merge.Atoms {
	namers := map[dot]int{}
	writers := map[memo.Author]merge.Stamp{}
	for _, t := range ts {
		adds, removes := dotsOf(t)
		for d := range adds {
			namers[d]++
		}
		for _, d := range removes {
			namers[d]++
		}
		if w, ok := writers[t.stamp.Author]; !ok || w.Seq < t.stamp.Seq ||
			w.Seq == t.stamp.Seq && string(w.ID[:]) < string(t.stamp.ID[:]) {
			writers[t.stamp.Author] = t.stamp
		}
	}
	out := &merge.Atoms{Seen: naiveSeen(namers)}
	for _, t := range ts {
		adds, _ := dotsOf(t)
		for d, v := range adds {
			if namers[d] == 1 && !older(t.stamp, tombstone) {
				out.Live = append(out.Live, merge.Atom{Stamp: t.stamp, K: d.k, Value: v})
			}
		}
	}
	for _, w := range writers {
		out.Writers = append(out.Writers, w)
	}
	slices.SortFunc(out.Writers, byAuthor)
	slices.SortFunc(out.Live, func(a, b merge.Atom) int { return cmp.Or(byAuthor(a.Stamp, b.Stamp), cmp.Compare(a.K, b.K)) })
	return out
}

// naiveSeen writes a set of dots down as spans.
func naiveSeen(dots map[dot]int) (out merge.Seen) {
	var sorted []dot
	for d := range dots {
		sorted = append(sorted, d)
	}
	slices.SortFunc(sorted, func(a, b dot) int {
		return cmp.Or(strings.Compare(string(a.author[:]), string(b.author[:])), cmp.Compare(a.k, b.k))
	})
	for i, d := range sorted {
		if i == 0 || sorted[i-1].author != d.author {
			out = append(out, merge.AuthorSeen{Author: d.author})
		}
		spans := &out[len(out)-1].Spans
		if n := len(*spans); n > 0 && (*spans)[n-1].To == d.k-1 {
			(*spans)[n-1].To = d.k
			continue
		}
		*spans = append(*spans, merge.Span{From: d.k, To: d.k})
	}
	return out
}

func byAuthor(a, b merge.Stamp) int { return strings.Compare(string(a.Author[:]), string(b.Author[:])) }

// older is the order of stamps, spelt out: time, author, digest.
func older(a, b merge.Stamp) bool {
	return cmp.Or(
		cmp.Compare(a.Time, b.Time),
		strings.Compare(string(a.Author[:]), string(b.Author[:])),
		strings.Compare(string(a.ID[:]), string(b.ID[:])),
	) < 0
}
