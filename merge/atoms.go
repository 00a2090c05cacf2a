package merge

import (
	"cmp"
	"slices"

	"lightcone/memo"
)

// Atoms is the state of a multi or set cell: an observed-remove set. It is an
// immutable value.
//
// Invariants: Live is strictly ascending by (author, k, stamp, value), every dot
// of it is in Seen, and every stamp is at most its author's in Writers.
type Atoms struct {
	Live    []Atom  // what is there now
	Seen    Seen    // every dot that was ever there
	Writers []Stamp // of each author, the last memo that changed the cell; ascending by author
}

// Atom is one value of a multi or one element of a set, as one memo added it. Its
// dot is (Stamp.Author, K). A forked author may give one dot to two memos: both
// atoms go where the two meet.
type Atom struct {
	Stamp Stamp
	K     uint64
	Value memo.Value
}

// changeDelta returns what one operation of the memo stamped s makes of a multi
// or set. Its Seen has the dots it adds and those it removes, no more.
func changeDelta(s Stamp, c *memo.Change) *Atoms {
	out := &Atoms{Live: make([]Atom, len(c.Add)), Writers: []Stamp{s}}
	var own []Span
	for i, v := range c.Add {
		k := c.K + uint64(i)
		out.Live[i], own = Atom{Stamp: s, K: k, Value: v}, append(own, Span{k, k})
	}
	for _, r := range c.Remove {
		spans := make([]Span, len(r.Ks))
		for i, k := range r.Ks {
			spans[i] = Span{k, k}
		}
		if r.Author == (memo.Author{}) {
			own = append(own, spans...)
			continue
		}
		out.Seen = append(out.Seen, AuthorSeen{r.Author, joinSpans(spans)})
	}
	if len(own) > 0 {
		out.Seen = out.Seen.join(Seen{{s.Author, joinSpans(own)}})
	}
	return out
}

// join keeps the atoms of dots that both sides have seen where both have them,
// and the atoms of dots that one side alone has seen.
func (x *Atoms) join(y *Atoms) *Atoms {
	out := &Atoms{Seen: x.Seen.join(y.Seen), Writers: joinWriters(x.Writers, y.Writers)}
	a, b := x.Live, y.Live
	for len(a) > 0 || len(b) > 0 {
		order := -1
		switch {
		case len(a) == 0:
			order = 1
		case len(b) > 0:
			order = a[0].compare(&b[0])
		}
		switch {
		case order == 0:
			out.Live, a, b = append(out.Live, a[0]), a[1:], b[1:]
		case order < 0:
			if !y.Seen.has(a[0].Stamp.Author, a[0].K) {
				out.Live = append(out.Live, a[0])
			}
			a = a[1:]
		default:
			if !x.Seen.has(b[0].Stamp.Author, b[0].K) {
				out.Live = append(out.Live, b[0])
			}
			b = b[1:]
		}
	}
	return out
}

// joinWriters keeps every author's last memo by (seq, digest, time).
func joinWriters(x, y []Stamp) []Stamp {
	out := make([]Stamp, 0, max(len(x), len(y)))
	for len(x) > 0 && len(y) > 0 {
		order := x[0].Author.Compare(y[0].Author)
		switch {
		case order < 0:
			out, x = append(out, x[0]), x[1:]
		case order > 0:
			out, y = append(out, y[0]), y[1:]
		default:
			last := x[0]
			if y[0].compareProvenance(last) > 0 {
				last = y[0]
			}
			out, x, y = append(out, last), x[1:], y[1:]
		}
	}
	return append(append(out, x...), y...)
}

// after returns x without the atoms that tombstone drops. What was seen stays
// seen, and who wrote stays known.
func (x *Atoms) after(tombstone Stamp) *Atoms {
	dropped := func(a Atom) bool { return a.Stamp.Compare(tombstone) < 0 }
	if !slices.ContainsFunc(x.Live, dropped) {
		return x
	}
	return &Atoms{
		Live: slices.DeleteFunc(slices.Clone(x.Live), dropped),
		Seen: x.Seen, Writers: x.Writers,
	}
}

// includes reports whether joining d leaves x as it is: x has seen all that d has
// seen, has of it nothing that d lacks, and knows d's writers.
func (x *Atoms) includes(d *Atoms) bool {
	if !x.Seen.includes(d.Seen) {
		return false
	}
	for _, w := range d.Writers {
		if x.lastOf(w.Author).compareProvenance(w) < 0 {
			return false
		}
	}
	for _, s := range d.Seen {
		for _, span := range s.Spans {
			for _, a := range x.between(s.Author, span) {
				if _, ok := slices.BinarySearchFunc(d.Live, &a, func(o Atom, a *Atom) int { return o.compare(a) }); !ok {
					return false
				}
			}
		}
	}
	return true
}

// between returns the live atoms whose dots are author's in span.
func (x *Atoms) between(author memo.Author, span Span) []Atom {
	at := func(k uint64) int {
		i, _ := slices.BinarySearchFunc(x.Live, k, func(a Atom, k uint64) int {
			return cmp.Or(a.Stamp.Author.Compare(author), cmp.Compare(a.K, k))
		})
		return i
	}
	return x.Live[at(span.From):at(span.To+1)]
}

// lastOf returns the last memo of author that changed the cell, a stamp below all
// others of author when there is none.
func (x *Atoms) lastOf(author memo.Author) Stamp {
	i, ok := slices.BinarySearchFunc(x.Writers, author, func(s Stamp, a memo.Author) int { return s.Author.Compare(a) })
	if !ok {
		return Stamp{Author: author}
	}
	return x.Writers[i]
}

// compare is the order of live atoms. The value tells apart forged states only: a
// memo gives every k one value.
func (a *Atom) compare(o *Atom) int {
	return cmp.Or(
		a.Stamp.Author.Compare(o.Stamp.Author), cmp.Compare(a.K, o.K),
		a.Stamp.compareProvenance(o.Stamp), a.Value.Compare(o.Value),
	)
}
