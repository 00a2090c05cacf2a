package beacon

import (
	"container/heap"

	"lightcone/memo"
)

// DAG is what HappensBefore walks.
type DAG interface {
	// Links returns the memos that h names: its predecessor, its causes and, of a
	// ping, the pings it refers to; and when it was written. ok is false when just
	// this memo is not held.
	Links(h memo.Head) (links []memo.Head, t memo.Time, ok bool)
}

// Verdict answers whether one memo is in the past of another.
type Verdict uint8

// The verdicts.
const (
	Unknown Verdict = iota
	No
	Yes
)

// Rule tells what decided.
type Rule uint8

// The rules, in the order in which they are tried.
const (
	ByChain   Rule = iota // both are of one chain
	ByTime                // a memo is written later than all of its past
	ByClock               // a ping of the one's chain is reached, or one of its past is not
	ByWalk                // the links between them
	Undecided             // the walk was too long, or met what is not held
)

// Answer is a verdict, what decided, and how many memos were read for it.
type Answer struct {
	Verdict Verdict
	Rule    Rule
	Walked  int
}

// HappensBefore decides whether a is in the past of b, which both are held: whether
// links lead from b to a, refs of pings included. So it tells what b's author had,
// which may be more than what the session that wrote b had seen.
//
// It is never wrong about authors that keep to the rules, who write no two memos of
// one place and none with a time that is not above those of its links; it may not
// know. A forked author is exempt from every shortcut: see Pings.Fork. budget bounds
// the memos that are read.
func HappensBefore(p *Pings, d DAG, a, b memo.Head, budget int) Answer {
	forked := p.Forked(a.Author)
	if a == b {
		return Answer{Verdict: No, Rule: ByChain}
	}
	if a.Author == b.Author && !forked {
		return Answer{Verdict: yesIf(a.Seq < b.Seq), Rule: ByChain}
	}
	_, ta, okA := d.Links(a)
	_, tb, okB := d.Links(b)
	switch {
	case !okA || !okB:
		return Answer{Rule: Undecided, Walked: 2}
	case ta >= tb:
		return Answer{Verdict: No, Rule: ByTime, Walked: 2}
	}
	w := &search{pings: p, dag: d, a: a, ta: ta, forked: forked, left: budget, seen: map[memo.ID]bool{}}
	if !forked {
		w.reading = p.maximal(p.Clock(a))
	}
	if v := w.clock(b); v != Unknown {
		return Answer{Verdict: v, Rule: ByClock, Walked: 2}
	}
	return w.walk(b, tb)
}

func yesIf(yes bool) Verdict {
	if yes {
		return Yes
	}
	return No
}

// search looks for a among the links of other memos.
type search struct {
	pings   *Pings
	dag     DAG
	a       memo.Head
	ta      memo.Time
	forked  bool     // a's author did
	reading []*point // maximal pings in a's past
	left    int      // memos that may be read
	edge    edge
	seen    map[memo.ID]bool
	hidden  bool // something that was met is not held
}

// clock decides by pings whether a is in the past of h.
func (w *search) clock(h memo.Head) Verdict {
	c := w.pings.Clock(h)
	if !w.forked && c.Covers(w.a) {
		return Yes
	}
	for _, r := range w.reading {
		if r.time >= c.Since && !c.Covers(r.Head) {
			return No
		}
	}
	return Unknown
}

// walk follows the links of b, the latest memo first.
func (w *search) walk(b memo.Head, tb memo.Time) Answer {
	read := w.left
	done := func(v Verdict, r Rule) Answer { return Answer{Verdict: v, Rule: r, Walked: 2 + read - w.left} }
	w.edge = edge{{b, tb}}
	for len(w.edge) > 0 {
		links, _, _ := w.dag.Links(heap.Pop(&w.edge).(met).Head) // held: it was read before
		for _, l := range links {
			if w.left <= 0 {
				return done(Unknown, Undecided)
			}
			if w.meet(l) {
				return done(Yes, ByWalk)
			}
		}
	}
	if w.hidden {
		return done(Unknown, Undecided)
	}
	return done(No, ByWalk)
}

// meet looks at a memo that is in the past of b and reports whether a is it, or in
// its past. What may have a in its past is put on the edge.
func (w *search) meet(l memo.Head) (found bool) {
	if l == w.a {
		return true
	}
	if w.seen[l.ID] {
		return false
	}
	w.seen[l.ID] = true
	sameChain := l.Author == w.a.Author && !w.forked
	if sameChain && l.Seq < w.a.Seq {
		return false
	}
	w.left--
	_, t, held := w.dag.Links(l)
	switch {
	case !held:
		w.hidden = true
		return false
	case sameChain:
		return true
	case t <= w.ta:
		return false
	}
	switch w.clock(l) {
	case Yes:
		return true
	case Unknown:
		heap.Push(&w.edge, met{l, t})
	}
	return false
}

// met is a memo that was met and not followed yet.
type met struct {
	memo.Head
	time memo.Time
}

// edge is a heap, the latest memo first.
type edge []met

func (e edge) Len() int           { return len(e) }
func (e edge) Less(i, j int) bool { return e[i].time > e[j].time }
func (e edge) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *edge) Push(m any)        { *e = append(*e, m.(met)) }

func (e *edge) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}
