package gossip

import (
	"cmp"
	"crypto/sha256"
	"math"
	"slices"
	"sort"
	"strings"

	"lightcone/memo"
)

// This file compares two sets of runs by ranges (Meyer, Range-Based Set
// Reconciliation, 2023): equal fingerprints end a range, different ones split it, and
// few runs are listed.

const (
	// rangeFan is into how many parts a range is split.
	rangeFan = 16
	// rangeListed is how many runs of a range are listed instead.
	rangeListed = 32
)

// beyondAll is behind every run: times are below it.
var beyondAll = bound{Time: math.MaxInt64 + 1}

func (b bound) compare(o bound) int {
	return cmp.Or(cmp.Compare(b.Time, o.Time), strings.Compare(string(b.Front), string(o.Front)))
}

// at is the bound in front of a run.
func at(r BranchRun) bound { return bound{Time: uint64(r.Time), Front: memo.Bytes(r.ID[:])} }

// between is the shortest bound behind a and not behind b, which is greater.
func between(a, b BranchRun) bound {
	if a.Time < b.Time {
		return bound{Time: uint64(b.Time)}
	}
	n := 0
	for a.ID[n] == b.ID[n] {
		n++
	}
	return bound{Time: uint64(b.Time), Front: memo.Bytes(b.ID[:n+1])}
}

// runSet is what one side holds of a forked author.
type runSet struct {
	runs []BranchRun // ascending by (time, digest)
	sums []print     // of the runs before each place, and of all
}

func newRunSet(key [sha256.Size]byte, runs []BranchRun) *runSet {
	s := &runSet{runs: runs, sums: make([]print, 1, len(runs)+1)}
	for i, r := range runs {
		s.sums = append(s.sums, s.sums[i].plus(printOf(key, r.ID)))
	}
	return s
}

// span returns the places of the runs in a range.
func (s *runSet) span(from, to bound) (i, j int) {
	place := func(b bound) int {
		return sort.Search(len(s.runs), func(i int) bool { return at(s.runs[i]).compare(b) >= 0 })
	}
	return place(from), place(to)
}

func (s *runSet) print(i, j int) print { return s.sums[j].minus(s.sums[i]) }

// whole is the fingerprint of everything.
func (s *runSet) whole() runRange {
	return runRange{To: beyondAll, Kind: rangePrint, Print: s.print(0, len(s.runs))}
}

// heads lists the runs at places i to j but those that are in without.
func (s *runSet) heads(i, j int, without map[memo.ID]bool) (out []rangeHead) {
	for _, r := range s.runs[i:j] {
		if !without[r.ID] {
			out = append(out, rangeHead{Seq: r.Seq, ID: r.ID})
		}
	}
	return out
}

// answer says what is to be said to one range of the other side, nothing if both hold
// the same there.
func (s *runSet) answer(r runRange) []runRange {
	i, j := s.span(r.From, r.To)
	switch {
	case r.Kind == rangeMore || r.Kind == rangePrint && s.print(i, j) == r.Print:
		return nil
	case r.Kind == rangeList:
		listed := map[memo.ID]bool{}
		for _, h := range r.listed() {
			listed[h.ID] = true
		}
		return more(s.heads(i, j, listed))
	case r.Print.Count == 0:
		return more(s.heads(i, j, nil))
	case j-i <= rangeListed:
		return []runRange{{From: r.From, To: r.To, Kind: rangeList, Heads: packHeads(s.heads(i, j, nil))}}
	}
	return s.split(r, i, j)
}

// more lists heads that the other side lacks.
func more(heads []rangeHead) (out []runRange) {
	for part := range slices.Chunk(heads, rangesChunk) {
		out = append(out, runRange{Kind: rangeMore, Heads: packHeads(part)})
	}
	return out
}

// split makes about equal parts of the runs at places i to j.
func (s *runSet) split(r runRange, i, j int) (out []runRange) {
	from := r.From
	for part := range rangeFan {
		first, end := i+(j-i)*part/rangeFan, i+(j-i)*(part+1)/rangeFan
		to := r.To
		if part < rangeFan-1 {
			to = between(s.runs[end-1], s.runs[end])
		}
		out = append(out, runRange{From: from, To: to, Kind: rangePrint, Print: s.print(first, end)})
		from = to
	}
	return out
}
