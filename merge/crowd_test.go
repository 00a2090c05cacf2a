package merge_test

import (
	"bytes"
	"flag"
	"iter"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/merge/mergetest"
)

// Of what histories the roots are folded: beside memos and authors, some of whom are
// forked, the genesis and who made it.
const (
	crowdMemos   = 1000
	crowdAuthors = 24
)

// crowds are the histories, made when they are first needed.
var crowds = []func() crowd{
	sync.OnceValue(func() crowd { return newCrowd(1, crowdMemos, crowdAuthors) }),
	sync.OnceValue(func() crowd { return newCrowd(2, crowdMemos+300, 2*crowdAuthors) }),
}

// crowd is a history, and what each of its memos does.
type crowd struct {
	events []mergetest.Event
	writes []map[string]mergetest.Write
	tips   []int // memos that no other links to
}

func newCrowd(seed uint64, memos, authors int) crowd {
	c := crowd{events: mergetest.Crowd(seed, memos, authors)}
	linked := map[int]bool{}
	for _, e := range c.events {
		c.writes = append(c.writes, e.Writes())
		for _, l := range e.Links {
			linked[l] = true
		}
	}
	for i := range c.events {
		if !linked[i] {
			c.tips = append(c.tips, i)
		}
	}
	return c
}

// memoSet is a set of memos, by their places in a crowd.
type memoSet []bool

func (c crowd) set(places ...int) memoSet {
	s := make(memoSet, len(c.events))
	for _, i := range places {
		s[i] = true
	}
	return s
}

// past is the cut of some memos: they, and all that they link to.
func (c crowd) past(places ...int) memoSet {
	s := c.set(places...)
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] {
			for _, l := range c.events[i].Links {
				s[l] = true
			}
		}
	}
	return s
}

func (s memoSet) or(o memoSet) memoSet {
	out := slices.Clone(s)
	for i := range o {
		out[i] = out[i] || o[i]
	}
	return out
}

func (s memoSet) places() (out []int) {
	for i, in := range s {
		if in {
			out = append(out, i)
		}
	}
	return out
}

// naiveRoot is the encoded root of a set of memos by the rules alone: no joins, no
// tree but the naive one.
func (c crowd) naiveRoot(t *rapid.T, p merge.Params, s memoSet) []byte {
	rows, last, latest := map[string][]mergetest.Write{}, map[memo.Author]*memo.Memo{}, map[memo.Author]memo.Time{}
	for _, i := range s.places() {
		for key, w := range c.writes[i] {
			rows[key] = append(rows[key], w)
		}
		m := c.events[i].Memo
		latest[m.Author] = max(latest[m.Author], m.Time)
		if l := last[m.Author]; l == nil || l.Seq < m.Seq || l.Seq == m.Seq && string(idOf(l)) < string(idOf(m)) {
			last[m.Author] = m
		}
	}
	states, vector := map[string][]byte{}, map[string][]byte{}
	for key, ws := range rows {
		states[key] = encode(t, mergetest.Naive(ws))
		switch n := len(states[key]); {
		case n > merge.MaxRowBlock:
			states[key] = nested(t, p, key, states[key])
		case n > merge.InlineMax:
			states[key] = marshal(t, memo.Sum(states[key]))
		}
	}
	for author, m := range last {
		vector[string(author[:])] = marshal(t, arr{m.Seq, m.ID(), latest[author], false})
	}
	return marshal(t, arr{1, arr{p.Space, p.W, p.M, p.D}, naiveBuild(p, vector), naiveBuild(p, states)})
}

// nested is what a tree holds for a large row that is written at once. How it is
// cut is what other tests are about; here it is that nothing else decides that.
func nested(t *rapid.T, p merge.Params, key string, state []byte) []byte {
	b := blocks{}
	root, err := merge.BuildState(p, keyed(map[string][]byte{key: state}), b)
	if err != nil {
		t.Fatal(err)
	}
	value, _, err := merge.Get(p, b, root, key)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func marshal(t *rapid.T, v any) []byte {
	b, err := memo.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func idOf(m *memo.Memo) []byte {
	id := m.ID()
	return id[:]
}

// gardener makes roots of sets of one crowd's memos, in all ways that there are.
type gardener struct {
	crowd
	t   *rapid.T
	p   merge.Params
	rng *rand.Rand
	b   blocks
}

// planted is a root, and of what.
type planted struct {
	root merge.Root
	of   memoSet
}

// check demands that r is what the naive rules make of s.
func (g *gardener) check(what string, r merge.Root, s memoSet) planted {
	got, err := r.Encode()
	if want := g.naiveRoot(g.t, g.p, s); err != nil || !bytes.Equal(got, want) {
		g.t.Fatalf("%s: the root of %d memos is\n%x, want\n%x (%v)", what, len(s.places()), got, want, err)
	}
	return planted{r, s}
}

func (g *gardener) must(err error) {
	if err != nil {
		g.t.Fatal(err)
	}
}

// rows are the states of what some memos did, joined in their order.
func (g *gardener) rows(places []int) iter.Seq2[merge.KeyedRow, error] {
	joined := map[string]merge.Row{}
	for _, i := range places {
		for key, w := range g.writes[i] {
			d, err := merge.Delta(w.Stamp, w.Edit)
			g.must(err)
			joined[key] = merge.Join(joined[key], d)
		}
	}
	states := map[string][]byte{}
	for key, row := range joined {
		states[key] = encode(g.t, row)
	}
	return keyed(states)
}

// vector is the cut of some memos, in their order.
func (g *gardener) vector(places []int) (v memo.Vector) {
	for _, i := range places {
		m := g.events[i].Memo
		var one memo.Vector
		one.Set(memo.Mark{Head: m.Head(), Time: m.Time})
		v.Join(one)
	}
	return v
}

// build makes the root of some memos at once.
func (g *gardener) build(places []int) (r merge.Root) {
	r.Params = g.p
	var err error
	r.State, err = merge.BuildState(g.p, g.rows(places), g.b)
	g.must(err)
	r.Vector, err = merge.BuildVector(g.p, g.vector(places), g.b)
	g.must(err)
	return r
}

// apply folds more memos into a root, in chunks of at most so many.
func (g *gardener) apply(r merge.Root, places []int, most int) merge.Root {
	for len(places) > 0 {
		n := min(len(places), 1+g.rng.IntN(most))
		var err error
		r.State, err = merge.ApplyState(g.p, g.b, r.State, g.rows(places[:n]), g.b)
		g.must(err)
		if marks := g.vector(places[:n]); g.rng.IntN(2) == 0 {
			r.Vector, err = merge.ApplyVector(g.p, g.b, r.Vector, marks.All(), g.b)
		} else {
			var vector memo.ID
			vector, err = merge.BuildVector(g.p, marks, g.b)
			g.must(err)
			r.Vector, err = merge.MergeVector(g.p, g.b, r.Vector, vector, g.b)
		}
		g.must(err)
		places = places[n:]
	}
	return r
}

// plant makes the root of s in one of the ways, of its memos in any order and of
// some of them twice.
func (g *gardener) plant(s memoSet) planted {
	places := s.places()
	for range g.rng.IntN(1 + len(places)/4) {
		places = append(places, places[g.rng.IntN(len(places))])
	}
	g.rng.Shuffle(len(places), func(i, j int) { places[i], places[j] = places[j], places[i] })
	some := g.rng.IntN(1 + len(places))
	few := min(len(places), maxSingly)
	switch g.rng.IntN(5) {
	case 0:
		return g.check("built", g.build(places), s)
	case 1: // delta by delta
		return g.check("folded one by one", g.apply(g.build(places[few:]), places[:few], 1), s)
	case 2:
		return g.check("folded from nothing", g.apply(g.build(nil), places, 1+len(places)/3), s)
	case 3: // a partial fold, and its latecomers
		return g.check("folded in parts", g.apply(g.build(places[:some]), places[some:], 1+len(places)/2), s)
	default: // of halves that both have everybody's last memo: their vectors are equal
		lasts := g.lasts(places)
		one, other := slices.Concat(places[:some], lasts), slices.Concat(places[some:], lasts)
		return g.merge(planted{g.build(one), g.set(one...)}, planted{g.build(other), g.set(other...)})
	}
}

// lasts are those of some memos that are in their vector.
func (g *gardener) lasts(places []int) (out []int) {
	v := g.vector(places)
	for _, i := range places {
		if mark, _ := v.Get(g.events[i].Memo.Author); mark.ID == g.events[i].Memo.ID() {
			out = append(out, i)
		}
	}
	return out
}

// maxSingly bounds the memos of one set that are folded one by one.
const maxSingly = 20

// merge makes the root of the union.
func (g *gardener) merge(a, b planted) planted {
	r, err := merge.MergeRoot(g.b, a.root, b.root, g.b)
	g.must(err)
	return g.check("merged", r, a.of.or(b.of))
}

// parts divides the memos of the crowd into at most n sets. As cuts they overlap:
// what two cuts share comes to the root twice.
func (g *gardener) parts(n int, cuts bool) (out []memoSet) {
	of := make([][]int, n)
	all := g.tips
	if !cuts {
		all = g.past(g.tips...).places()
	}
	for _, i := range all {
		to := g.rng.IntN(n)
		of[to] = append(of[to], i)
	}
	for _, places := range of {
		if cuts {
			out = append(out, g.past(places...))
		} else {
			out = append(out, g.set(places...))
		}
	}
	return out
}

// Whatever the parts into which the memos of many authors are divided, however
// their roots are folded, in whatever order and with whatever duplicates those are
// merged: each root on the way is that of the memos it covers, and the last is the
// root of all. Nobody's merge tree can be told from the result.
func TestAnyMergeTreeOfAnyPartitionGivesOneRoot(t *testing.T) {
	seldom(t, 10)
	rapid.Check(t, func(t *rapid.T) {
		g := &gardener{
			crowd: rapid.SampledFrom(crowds).Draw(t, "crowd")(),
			t:     t, p: treeParams().Draw(t, "params"), b: blocks{},
			rng: rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)),
		}
		var pool []planted
		for _, s := range g.parts(rapid.IntRange(1, 12).Draw(t, "parts"), rapid.Bool().Draw(t, "cuts")) {
			pool = append(pool, g.plant(s))
		}
		again := rapid.IntRange(0, 3).Draw(t, "again") // roots that are merged more than once
		for len(pool) > 1 {
			g.rng.Shuffle(len(pool), func(i, j int) { pool[i], pool[j] = pool[j], pool[i] })
			both := g.merge(pool[0], pool[1])
			if again > 0 {
				again, pool[0] = again-1, both
				continue
			}
			pool = append(pool[2:], both)
		}
		g.check("all", pool[0].root, g.past(g.tips...))
	})
}

// seldom makes rapid check one test less often than it was told to, because a check
// takes long.
func seldom(t *testing.T, times int) {
	t.Helper()
	checks := flag.Lookup("rapid.checks").Value
	told := checks.String()
	t.Cleanup(func() { _ = checks.Set(told) }) // which was set before
	n, err := strconv.Atoi(told)
	if err == nil {
		err = checks.Set(strconv.Itoa(max(1, n/times)))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// What the crowds are: large, of many authors, with forks, concurrency, all types of
// cells and rows that were cleared, or the proof above would prove little.
func TestCrowdsAreCrowds(t *testing.T) {
	for n, made := range crowds {
		c := made()
		authors, places, types := map[memo.Author]bool{}, map[memo.Head]int{}, map[memo.CellType]int{}
		forks, cleared := 0, 0
		for i, e := range c.events {
			authors[e.Memo.Author] = true
			h := memo.Head{Author: e.Memo.Author, Seq: e.Memo.Seq}
			if places[h]++; places[h] == 2 {
				forks++
			}
			for _, w := range c.writes[i] {
				if w.Edit.Tombstone {
					cleared++
				}
				for _, d := range w.Edit.Deltas {
					types[d.Type]++
				}
			}
		}
		var heavy []mergetest.Write
		for _, w := range c.writes {
			if w, ok := w[merge.RowKey("t", "heavy")]; ok {
				heavy = append(heavy, w)
			}
		}
		if n := len(encode(t, mergetest.Naive(heavy))); n <= merge.MaxRowBlock {
			t.Errorf("the heavy row has %d bytes and is not nested", n)
		}
		if len(c.events) <= crowdMemos || len(authors) < 20 || forks < 20 || cleared < 100 || len(c.tips) < 4 {
			t.Errorf("crowd %d: %d memos by %d authors, %d forked places, %d rows cleared, %d tips",
				n, len(c.events), len(authors), forks, cleared, len(c.tips))
		}
		for _, of := range mergetest.CellTypes {
			if types[of] < 100 {
				t.Errorf("crowd %d: %d deltas of type %d", n, types[of], of)
			}
		}
	}
}
