package mergetest

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"lightcone/memo"
	"lightcone/merge"
)

// Event is a memo of a Crowd.
type Event struct {
	Memo  *memo.Memo
	Links []int // the places in the crowd of the memos it links to, all before its own
}

// Writes returns what a memo does, by the key of the row.
func (e Event) Writes() map[string]Write {
	out := map[string]Write{}
	if body, ok := e.Memo.Body.(*memo.Edit); ok {
		for _, topic := range body.Topics {
			for _, row := range topic.Rows {
				out[merge.RowKey(topic.Topic, string(row.Row))] = Write{merge.StampOf(e.Memo), row}
			}
		}
	}
	return out
}

// What a crowd is like. Some rows are hot: everybody meets there.
const (
	crowdRows   = 150
	hotRows     = 10
	hotEvery    = 4 // of how many edits one is of a hot row
	maxEdited   = 2 // rows of a memo
	maxTold     = 2 // others that an author hears of between two memos
	forkEvery   = 8 // of how many authors one is forked
	wildEvery   = 6 // of how many authors one minds no rules but those of validity
	rareClears  = 14
	crowdSpread = 40 // ms between clocks

	// One row grows beyond merge.MaxRowBlock. Nobody clears it.
	heavyRow    = "heavy"
	heavyEvery  = 12 // of how many edits one is of that row
	heavyFields = 80
	heavyValue  = 500 // bytes
)

// Crowd is a history of n real memos by the given number of authors and the
// genesis, a function of the seed. Links make it a DAG, in a causal order: between
// two memos an author hears of few others. Most write cells of all types by
// merge.Writer on what they know, and now and then clear a row; every wildEvery-th
// makes any valid edit and has a wrong clock, and every forkEvery-th goes on from
// one memo in two ways, each of which others may have heard of. One row becomes so
// large that it is nested.
func Crowd(seed uint64, n, authors int) []Event {
	rng := rand.New(rand.NewPCG(seed, uint64(n)))
	genesis := must(memo.New(memo.Memo{Author: Author(0), Seq: 1, Body: &memo.Genesis{
		Name: fmt.Sprint("crowd ", seed), W: memo.DefaultW, M: memo.DefaultM, D: memo.DefaultD, Rho: memo.DefaultRho,
	}}))
	c := &crowd{rng: rng, events: []Event{{Memo: genesis}}}
	for i := range authors {
		c.pens = append(c.pens, &pen{author: Author(i + 1), wild: i%wildEvery == 1, rows: map[string]merge.Row{}})
	}
	for i := range n {
		if i == n/3 {
			c.fork(authors)
		}
		c.write(c.pens[rng.IntN(len(c.pens))])
	}
	return c.events
}

type crowd struct {
	rng    *rand.Rand
	events []Event
	pens   []*pen
}

// pen is where an author writes on: two of a forked one.
type pen struct {
	author memo.Author
	wild   bool
	last   int // the place of the last memo, 0 before the first
	seen   []merge.Stamp
	rows   map[string]merge.Row // after the last memo and its past
}

func (c *crowd) fork(authors int) {
	for i := 0; i < authors; i += forkEvery {
		twin := *c.pens[i]
		twin.rows = maps.Clone(twin.rows)
		twin.seen = slices.Clone(twin.seen)
		c.pens = append(c.pens, &twin)
	}
}

// write is the next memo of p, who hears of some others first.
func (c *crowd) write(p *pen) {
	m := memo.Memo{Space: c.events[0].Memo.SpaceID(), Author: p.author, Seq: 1}
	links := []int{p.last}
	if p.last > 0 {
		prev := c.events[p.last].Memo
		m.Seq, m.Prev = prev.Seq+1, prev.ID()
	} else {
		m.Deps = append(m.Deps, c.events[0].Memo.Head())
	}
	for range c.rng.IntN(maxTold + 1) {
		o := c.pens[c.rng.IntN(len(c.pens))]
		told := func(d memo.Head) bool { return d.Author == o.author }
		if o.last == 0 || o.author == p.author || slices.ContainsFunc(m.Deps, told) {
			continue
		}
		m.Deps, links = append(m.Deps, c.events[o.last].Memo.Head()), append(links, o.last)
		p.learn(o)
	}
	memo.SortDeps(m.Deps)
	var times []memo.Time
	for _, l := range links {
		times = append(times, c.events[l].Memo.Time)
	}
	m.Time = memo.Next(uint64(len(c.events)+c.rng.IntN(crowdSpread)), times...)
	if p.wild && c.rng.IntN(3) == 0 {
		m.Time = memo.Next(uint64(c.rng.IntN(len(c.events))))
	}
	m.Body = c.edit(p, m.Time)
	e := Event{must(memo.New(m)), links}
	p.last = len(c.events)
	c.events = append(c.events, e)
	p.seen = append(p.seen, merge.StampOf(e.Memo))
	for key, w := range e.Writes() {
		p.rows[key] = merge.Join(p.rows[key], must(merge.Delta(w.Stamp, w.Edit)))
	}
}

func (p *pen) learn(from *pen) {
	for key, row := range from.rows {
		p.rows[key] = merge.Join(p.rows[key], row)
	}
	p.seen = append(p.seen, from.seen[len(from.seen)-1])
}

func (c *crowd) edit(p *pen, at memo.Time) *memo.Edit {
	edits := map[string]memo.RowEdit{}
	for range 1 + c.rng.IntN(maxEdited) {
		row := c.rng.IntN(crowdRows)
		if c.rng.IntN(hotEvery) == 0 {
			row %= hotRows
		}
		name := fmt.Sprint(row)
		var e memo.RowEdit
		switch {
		case c.rng.IntN(heavyEvery) == 0:
			name, e = heavyRow, c.heavy()
		case !p.wild:
			e = c.row(p, p.rows[merge.RowKey("t", name)])
		default:
			seen := slices.DeleteFunc(slices.Clone(p.seen), func(s merge.Stamp) bool { return s.Time >= at })
			e = Edits(p.author, seen).Example(c.rng.Int())
		}
		e.Row = memo.Bytes(name)
		edits[name] = e
	}
	body := &memo.Edit{Topics: []memo.TopicEdit{{Topic: "t"}}}
	for _, name := range slices.Sorted(maps.Keys(edits)) {
		body.Topics[0].Rows = append(body.Topics[0].Rows, edits[name])
	}
	return body
}

// row is what an author who keeps to the rules does to a row.
func (c *crowd) row(p *pen, row merge.Row) (e memo.RowEdit) {
	e.Tombstone = c.rng.IntN(rareClears) == 0
	w := merge.Writer{Author: p.author, Row: row, Own: row, Clears: e.Tombstone}
	add := func(d memo.Delta, changes bool) {
		if changes {
			e.Deltas = append(e.Deltas, d)
		}
	}
	few := func() memo.Value { return memo.Int(c.rng.Int64N(5)) }
	add(c.register("a"), c.rng.IntN(2) == 0)
	if c.rng.IntN(3) == 0 {
		add(w.Change("a", []memo.Value{few()}, []memo.Value{few(), few()}))
	}
	switch c.rng.IntN(6) {
	case 0, 1:
		add(w.Put("b", few()), true)
	case 2:
		add(w.Clear("b"))
	}
	if c.rng.IntN(2) == 0 || len(e.Deltas) == 0 {
		add(must(w.Add("c", c.rng.Int64N(9)-4)), true)
	}
	(&memo.Edit{Topics: []memo.TopicEdit{{Rows: []memo.RowEdit{e}}}}).Sort()
	return e
}

// heavy writes two of many fields, at length.
func (c *crowd) heavy() (e memo.RowEdit) {
	first := c.rng.IntN(heavyFields - 1)
	for _, n := range []int{first, first + 1 + c.rng.IntN(heavyFields-first-1)} {
		v := memo.Blob(bytes.Repeat([]byte{byte(c.rng.Int())}, heavyValue))
		e.Deltas = append(e.Deltas, memo.Delta{Field: fmt.Sprintf("%02d", n), Op: memo.Op{Set: true, Value: v}})
	}
	return e
}

// register deletes a field or writes it.
func (c *crowd) register(field string) memo.Delta {
	d := memo.Delta{Field: field, Type: memo.Register}
	if c.rng.IntN(5) > 0 {
		d.Op = memo.Op{Set: true, Value: memo.Int(c.rng.Int64())}
	}
	return d
}

// must is for what is valid whatever was drawn.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
