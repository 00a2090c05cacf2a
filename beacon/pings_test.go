package beacon_test

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lightcone/beacon"
	"lightcone/memo"
)

// genesis is that of every index here.
var genesis = must(memo.New(memo.Memo{Author: author(0xff), Seq: 1, Time: 1, Body: &memo.Genesis{
	Name: "world", W: memo.DefaultW, M: memo.DefaultM, D: memo.DefaultD, Rho: memo.DefaultRho,
}}))

func newPings() *beacon.Pings {
	p := beacon.NewPings(memo.Vector{}, nil)
	p.Add(genesis)
	return p
}

// chain writes memos of one author.
type chain struct {
	head memo.Mark
	by   memo.Author
}

// next makes the author's next memo at a time.
func (c *chain) next(t memo.Time, body memo.Body, deps ...memo.Head) *memo.Memo {
	if c.head.Seq == 0 && len(deps) == 0 {
		deps = []memo.Head{genesis.Head()}
	}
	m := must(memo.New(memo.Memo{
		Space: memo.SpaceID{1}, Author: c.by, Seq: c.head.Seq + 1, Prev: c.head.ID, Deps: deps, Time: t, Body: body,
	}))
	c.head = memo.Mark{Head: m.Head(), Time: t}
	return m
}

// A beacon that claims a place far ahead, or refers to one, moves nobody's clock: a
// ping counts by its own seq once it is here, and its chain has to be here before it.
func TestBeaconJump(t *testing.T) {
	p := newPings()
	x, liar, y := &chain{by: author(1)}, &chain{by: author(2)}, &chain{by: author(3)}
	real := x.next(1, &memo.Ping{})
	p.Add(real)
	jump := memo.Head{Author: x.by, Seq: math.MaxUint64, ID: memo.Sum([]byte("no such ping"))}
	lie := liar.next(2, &memo.Ping{Refs: []memo.Head{jump}})
	p.Add(lie)
	victim := y.next(3, &memo.Ping{Refs: []memo.Head{lie.Head()}})
	p.Add(victim)

	for name, clock := range map[string]beacon.Clock{
		"the liar's": p.Clock(lie.Head()), "the victim's": p.Clock(victim.Head()), "the cut's": p.ClockOf(cutOf(0, 1, 1, 1)),
	} {
		if seq := clock.Seq(x.by); seq > 1 {
			t.Errorf("%s clock was moved to %d of a beacon that pinged once", name, seq)
		}
		if clock.Covers(jump) {
			t.Errorf("%s clock covers a ping that does not exist", name)
		}
	}
	for _, latest := range p.Latest() {
		if latest.Seq > 1 {
			t.Errorf("the latest ping of %v is said to be %d", latest.Author, latest.Seq)
		}
	}
	if refs := p.Refs(y.by, 0); slices.Contains(refs, jump) {
		t.Error("the jump is passed on")
	}
	// What follows is right again: the lie is older than it.
	next := x.next(10, &memo.Ping{})
	p.Add(next)
	after := y.next(11, memo.Join{})
	p.Add(after)
	if c := p.Clock(after.Head()); c.Covers(next.Head()) || next.Time < c.Since {
		t.Errorf("the lie of time 2 hides what is since %v", c.Since)
	}
}

// A ping that comes before those it refers to counts them once they are here, and so
// do all that have it in their past.
func TestRefsCountOnceHeld(t *testing.T) {
	p := newPings()
	x, y, z := &chain{by: author(1)}, &chain{by: author(2)}, &chain{by: author(3)}
	first := x.next(1, &memo.Ping{})
	second := y.next(2, &memo.Ping{Refs: []memo.Head{first.Head()}})
	third := z.next(3, memo.Join{}, second.Head())
	p.Add(second)
	p.Add(third)
	if c := p.Clock(third.Head()); c.Covers(first.Head()) || c.Since != second.Time {
		t.Errorf("the clock covers %d of x and may lack what is before %d; want 0 and 2", c.Seq(x.by), c.Since)
	}
	p.Add(first)
	if c := p.Clock(third.Head()); !c.Covers(first.Head()) || c.Since != 0 {
		t.Errorf("the clock covers %d of x and may lack what is before %d; want 1 and nothing", c.Seq(x.by), c.Since)
	}
	if got := p.Reading(p.Clock(third.Head())); !cmp.Equal(got, beacon.Reading{second.Head()}) {
		t.Errorf("the reading is %v", got)
	}
}

// Refs are those of the most active beacons, and one of the others, each in turn.
func TestRefs(t *testing.T) {
	p := newPings()
	chains := make([]*chain, 20)
	for i := range chains {
		chains[i] = &chain{by: author(byte(i))}
	}
	now := memo.Time(0)
	for round := range 2 {
		for i, c := range chains {
			if round == 0 || i >= 10 { // 10 to 19 are active
				now++
				p.Add(c.next(now, &memo.Ping{}))
			}
		}
	}
	chosen := map[memo.Author]int{}
	for i := range 1000 {
		refs := p.Refs(chains[19].by, float64(i)/1000)
		if len(refs) != memo.MaxRefs || !slices.IsSortedFunc(refs, func(a, b memo.Head) int { return a.Author.Compare(b.Author) }) {
			t.Fatalf("refs: %v", refs)
		}
		for _, r := range refs {
			chosen[r.Author]++
		}
	}
	for i, c := range chains {
		n := chosen[c.by]
		switch {
		case i == 19 && n != 0:
			t.Errorf("a beacon refers to itself %d times", n)
		case i >= 12 && i < 19 && n != 1000:
			t.Errorf("the active beacon %d is chosen %d times of 1000", i, n)
		case i < 12 && (n < 50 || n > 150):
			t.Errorf("the other beacon %d is chosen %d times of 1000, want about 83", i, n)
		}
	}
}

// What is forgotten is not answered wrongly: the clock says what it may lack.
func TestForgottenPings(t *testing.T) {
	p := newPings()
	x, y := &chain{by: author(1)}, &chain{by: author(2)}
	p.Add(x.next(1, &memo.Ping{}))
	old := y.next(2, memo.Join{}, x.head.Head)
	p.Add(old)
	for i := range 500 {
		p.Add(y.next(memo.Time(10+i), &memo.Ping{}))
	}
	if c := p.Clock(old.Head()); c.Covers(x.head.Head) || c.Since <= 1 {
		t.Errorf("the clock of a memo long ago covers %d of x and may lack what is before %d", c.Seq(x.by), c.Since)
	}
	if c := p.Clock(y.head.Head); !c.Covers(x.head.Head) || c.Since != 0 {
		t.Errorf("the clock of the newest memo covers %d of x and may lack what is before %d", c.Seq(x.by), c.Since)
	}
}

// A ping that refers to one that is forgotten reaches that, if it is the last of its
// chain, and may lack what is before it; one that refers to another of that place, of
// which nothing is known, may lack all before itself.
func TestRefToForgottenPing(t *testing.T) {
	p := newPings().Within(1) // remembers the newest point
	x, y := &chain{by: author(1)}, &chain{by: author(2)}
	p.Add(x.next(2, &memo.Ping{}))
	p.Add(x.next(4, &memo.Ping{}))
	p.Add(y.next(8, &memo.Ping{})) // the newest
	right := (&chain{by: author(3)}).next(10, &memo.Ping{Refs: []memo.Head{x.head.Head}})
	p.Add(right)
	if c := p.Clock(right.Head()); c.Seq(x.by) != 2 || c.Since != 4 {
		t.Errorf("the clock covers %d of x and may lack what is before %d; want 2 and 4", c.Seq(x.by), c.Since)
	}
	elsewhere := x.head.Head
	elsewhere.ID = memo.Sum([]byte("another of that place"))
	wrong := (&chain{by: author(4)}).next(12, &memo.Ping{Refs: []memo.Head{elsewhere}})
	p.Add(wrong)
	if c := p.Clock(wrong.Head()); c.Seq(x.by) != 0 || c.Since != 12 {
		t.Errorf("the clock covers %d of x and may lack what is before %d; want 0 and 12", c.Seq(x.by), c.Since)
	}
	p.Fork(x.by)
	forked := (&chain{by: author(5)}).next(14, &memo.Ping{Refs: []memo.Head{x.head.Head}})
	p.Add(forked)
	if c := p.Clock(forked.Head()); c.Seq(x.by) != 0 || c.Since != 14 {
		t.Errorf("the clock covers %d of x, which forked, and may lack what is before %d; want 0 and 14", c.Seq(x.by), c.Since)
	}
}

// A memo depends on one before all that is remembered of a chain, and the next of its
// author on a ping that is forgotten as well: it says that it may lack that, also once it
// is forgotten itself.
func TestForgottenPingsOfForgotten(t *testing.T) {
	p := newPings().Within(1)
	x, y := &chain{by: author(1)}, &chain{by: author(2)}
	first := x.next(2, memo.Join{})
	ping := x.next(10, &memo.Ping{})
	for _, m := range []*memo.Memo{
		first, ping, x.next(20, &memo.Ping{}), x.next(25, &memo.Ping{}), (&chain{by: author(3)}).next(30, &memo.Ping{}),
		y.next(6, memo.Join{}, first.Head()), y.next(12, memo.Join{}, ping.Head()),
		(&chain{by: author(4)}).next(40, &memo.Ping{}),
	} {
		p.Add(m)
	}
	if c := p.Clock(y.head.Head); !c.Covers(ping.Head()) && c.Since <= ping.Time {
		t.Errorf("the clock of a memo that depends on a ping of %v lacks it, and nothing since %v", ping.Time, c.Since)
	}
}

// Refs to pings that nobody ever wrote are waited for up to a bound; then the oldest is
// given up: what it might have said is not known, and never wrongly said.
func TestHolesAreBounded(t *testing.T) {
	p := newPings()
	x, y, liar := &chain{by: author(1)}, &chain{by: author(2)}, &chain{by: author(3)}
	late := x.next(1, &memo.Ping{})
	first := y.next(2, &memo.Ping{Refs: []memo.Head{late.Head()}})
	p.Add(first)
	for i := range 300 {
		var refs []memo.Head
		for k := range byte(memo.MaxRefs) {
			refs = append(refs, memo.Head{Author: author(100 + k), Seq: uint64(1 + i), ID: memo.Sum([]byte{byte(i), k})})
		}
		memo.SortDeps(refs)
		p.Add(liar.next(memo.Time(3+i), &memo.Ping{Refs: refs}))
	}
	p.Add(late)
	if c := p.Clock(first.Head()); c.Covers(late.Head()) || c.Since <= late.Time {
		t.Errorf("the clock covers %d of x and may lack what is before %d: 2400 holes are remembered", c.Seq(x.by), c.Since)
	}
}
