package merge

import (
	"slices"

	"lightcone/memo"
)

// Least encoded sizes, which bound what a claimed length may make room for.
const (
	minAtom = 1 + 1 + 1 + 1 // a value or element of one byte
	minSeen = 1 + 1 + 1     // the dots of one author
)

// baseIsTombstone says that a tally began with the row's tombstone.
const baseIsTombstone = 1

// appendCounter appends the tallies, [index, base, k, plus, minus] each; sums of
// zero at the end are left out.
func appendCounter(b []byte, c *Counter, table []Stamp, tombstone Stamp) []byte {
	for i := range c.Tallies {
		t := &c.Tallies[i]
		sums := []uint64{t.Plus, t.Minus}
		for len(sums) > 0 && sums[len(sums)-1] == 0 {
			sums = sums[:len(sums)-1]
		}
		b = appendArray(b, 3+len(sums))
		b = appendUint(b, indexOf(table, t.Stamp))
		switch {
		case t.Base.IsZero():
			b = append(b, itemNull)
		case t.Base.Compare(tombstone) == 0:
			b = appendUint(b, baseIsTombstone)
		default:
			b = appendUint(appendArray(b, 3), uint64(t.Base.Time))
			b = appendBytes(appendBytes(b, t.Base.Author[:]), t.Base.ID[:])
		}
		b = appendUint(b, t.K)
		for _, n := range sums {
			b = appendUint(b, n)
		}
	}
	return b
}

// counter reads n tallies.
func (r *reader) counter(n int, table []Stamp, tombstone Stamp) *Counter {
	if n < 1 || n > len(table) { // a tally has an author of its own
		r.fail("a counter of %d tallies by %d memos", n, len(table))
		return nil
	}
	c := &Counter{Tallies: make([]Tally, n)}
	for i := range c.Tallies {
		t := &c.Tallies[i]
		parts := r.array(5)
		if parts < 3 {
			r.fail("a tally is [index, base, k, plus, minus]")
		}
		t.Stamp = r.indexed(table)
		t.Base = r.base(tombstone)
		for j, sum := range []*uint64{&t.K, &t.Plus, &t.Minus} {
			if j+2 < parts {
				*sum = r.count()
			}
		}
		if r.err != nil {
			return nil
		}
	}
	return c
}

// base reads where a tally began.
func (r *reader) base(tombstone Stamp) Stamp {
	switch {
	case r.null():
		return Stamp{}
	case r.peek()&majorMask == majorUint:
		if n := r.uint(); n != baseIsTombstone || tombstone.IsZero() {
			r.fail("a base of %d", n)
		}
		return tombstone.asBase()
	}
	r.arrayOf(3, "a base")
	s := Stamp{Time: memo.Time(r.uint()), Author: r.digest(), ID: r.digest()}
	if r.err == nil && (s.ID.IsZero() || s.Time > memo.MaxTime) {
		r.fail("a base that is no memo")
	}
	return s
}

// count reads a number of operations or a sum of them.
func (r *reader) count() uint64 {
	n := r.uint()
	if n > memo.MaxCount {
		r.fail("a count of %d, the limit is %d", n, uint64(memo.MaxCount))
	}
	return n
}

// appendAtoms appends the indices of the writers, what was seen, and the live
// atoms, [index, k, value] each.
func appendAtoms(b []byte, x *Atoms, table []Stamp) []byte {
	b = appendArray(b, len(x.Writers))
	for i := range x.Writers {
		b = appendUint(b, indexOf(table, x.Writers[i]))
	}
	b = appendArray(b, len(x.Seen))
	for _, s := range x.Seen {
		b = appendSeen(b, s, table)
	}
	for i := range x.Live {
		a := &x.Live[i]
		b = appendArray(b, 3)
		b = appendUint(b, indexOf(table, a.Stamp))
		b = appendUint(b, a.K)
		b = appendValue(b, a.Value)
	}
	return b
}

// appendSeen appends [author, last k, from, to, …], from and to of the gaps below
// the last k. The author is an index, of his first memo in the table, or his key
// when he has none there.
func appendSeen(b []byte, s AuthorSeen, table []Stamp) []byte {
	gap := uint64(1)
	var gaps []uint64
	for _, span := range s.Spans {
		if span.From > gap {
			gaps = append(gaps, gap, span.From-1)
		}
		gap = span.To + 1
	}
	b = appendArray(b, 2+len(gaps))
	if i, ok := firstOf(table, s.Author); ok {
		b = appendUint(b, uint64(i))
	} else {
		b = appendBytes(b, s.Author[:])
	}
	b = appendUint(b, gap-1)
	for _, k := range gaps {
		b = appendUint(b, k)
	}
	return b
}

// firstOf returns the index of author's first memo in the table.
func firstOf(table []Stamp, author memo.Author) (int, bool) {
	i, _ := slices.BinarySearchFunc(table, Stamp{Author: author}, Stamp.compareProvenance)
	return i, i < len(table) && table[i].Author == author
}

// atoms reads writers, what was seen, and n live atoms.
func (r *reader) atoms(n int, table []Stamp) *Atoms {
	x := &Atoms{Writers: make([]Stamp, r.array(len(table)))}
	for i := range x.Writers {
		x.Writers[i] = r.indexed(table)
	}
	x.Seen = make(Seen, r.array(len(r.b)/minSeen))
	for i := range x.Seen {
		x.Seen[i] = r.seen(table)
	}
	if n < 0 || n > len(r.b)/minAtom {
		r.fail("%d atoms in %d bytes", n, len(r.b))
		return nil
	}
	x.Live = make([]Atom, n)
	for i := range x.Live {
		a := &x.Live[i]
		r.arrayOf(3, "an atom")
		*a = Atom{Stamp: r.indexed(table), K: r.count(), Value: r.value()}
		if r.err == nil && a.K == 0 {
			r.fail("an atom without a number")
		}
		if r.err != nil {
			return nil
		}
	}
	return x
}

// seen reads the dots of one author.
func (r *reader) seen(table []Stamp) AuthorSeen {
	parts := r.array(len(r.b))
	var s AuthorSeen
	if r.peek()&majorMask == majorBytes {
		s.Author = r.digest()
	} else {
		s.Author = r.indexed(table).Author
	}
	last, from := r.count(), uint64(1)
	if r.err != nil || parts < 2 || parts%2 != 0 || last == 0 {
		r.fail("what was seen of an author is [author, last k, from, to, …]")
		return s
	}
	s.Spans = make([]Span, 0, parts/2)
	for i := range parts/2 - 1 {
		lo, hi := r.count(), r.count()
		if lo < from || lo > hi || hi >= last || lo == from && i > 0 {
			r.fail("gap %d from %d to %d", i, lo, hi)
			return s
		}
		if lo > from {
			s.Spans = append(s.Spans, Span{from, lo - 1})
		}
		from = hi + 1
	}
	s.Spans = append(s.Spans, Span{from, last})
	return s
}
