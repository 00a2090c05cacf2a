package merge

import (
	"cmp"
	"slices"

	"lightcone/memo"
)

// Seen is a set of dots: the context of a multi or set, all that was ever added
// to it or removed. A dot is a pair of author and k; k counts what the author
// added to the cell, from 1. Authors are strictly ascending and have dots. Seen
// is an immutable value. Honest authors leave no gaps in states that hold all of
// their memos, so a set has one span an author, whatever its history.
type Seen []AuthorSeen

// AuthorSeen are the dots of one author: spans that ascend and do not touch.
type AuthorSeen struct {
	Author memo.Author
	Spans  []Span
}

// Span is the numbers from From to To, both included; From is 1 at least.
type Span struct{ From, To uint64 }

// free returns the first of n numbers in a row of which author has no dot in s.
// They follow author's last one, unless somebody removed what author never added.
func (s Seen) free(author memo.Author, n int) uint64 {
	k := uint64(1)
	for _, span := range s.of(author) {
		if k+uint64(n) <= span.From {
			break
		}
		k = span.To + 1
	}
	return k
}

// of returns author's spans.
func (s Seen) of(author memo.Author) []Span {
	i, ok := slices.BinarySearchFunc(s, author, func(a AuthorSeen, author memo.Author) int { return a.Author.Compare(author) })
	if !ok {
		return nil
	}
	return s[i].Spans
}

// has reports whether a dot is in s.
func (s Seen) has(author memo.Author, k uint64) bool { return covers(s.of(author), Span{k, k}) }

// covers reports whether spans hold all of one span.
func covers(spans []Span, one Span) bool {
	i, _ := slices.BinarySearchFunc(spans, one, func(s, one Span) int {
		if s.To < one.From {
			return -1
		}
		return 1
	})
	return i < len(spans) && spans[i].From <= one.From && one.To <= spans[i].To
}

// includes reports whether every dot of o is in s.
func (s Seen) includes(o Seen) bool {
	for _, a := range o {
		spans := s.of(a.Author)
		for _, one := range a.Spans {
			if !covers(spans, one) {
				return false
			}
		}
	}
	return true
}

// join returns the union of s and o.
func (s Seen) join(o Seen) Seen {
	out := make(Seen, 0, max(len(s), len(o)))
	for len(s) > 0 && len(o) > 0 {
		switch c := s[0].Author.Compare(o[0].Author); {
		case c < 0:
			out, s = append(out, s[0]), s[1:]
		case c > 0:
			out, o = append(out, o[0]), o[1:]
		default:
			out = append(out, AuthorSeen{s[0].Author, joinSpans(slices.Concat(s[0].Spans, o[0].Spans))})
			s, o = s[1:], o[1:]
		}
	}
	return append(append(out, s...), o...)
}

// joinSpans puts spans into order and together where they touch. It owns spans.
func joinSpans(spans []Span) []Span {
	slices.SortFunc(spans, func(a, b Span) int { return cmp.Compare(a.From, b.From) })
	out := spans[:0]
	for _, s := range spans {
		if n := len(out); n > 0 && s.From <= out[n-1].To+1 {
			out[n-1].To = max(out[n-1].To, s.To)
			continue
		}
		out = append(out, s)
	}
	return out
}
