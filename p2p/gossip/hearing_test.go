package gossip

import (
	"testing"
	"time"

	"lightcone/memo"
)

// audience is a core among authors who publish.
type audience struct {
	*victim
	authors []*author
	heard   map[memo.Author]int // memos handed over
	most    int                 // units in a second
	before  []int               // units spent, at each tick
	opened  int                 // sessions
	said    map[memo.Author][]*memo.Run
}

// newAudience makes a core that may spend so many units a second, and n authors.
func newAudience(t testing.TB, n int, secret byte, capacity float64) *audience {
	v := newVictim(t)
	v.core = New(Config{Self: v.me.id, Holdings: v.shelf, Seed: 1, LocalSecret: [16]byte{secret}})
	v.core.AddSpace(v.space, testSecret)
	v.session("equal") // the partner relays
	v.pass(sessionIdle + time.Second)
	v.core.spaces[v.space].nextAE = v.now.Add(time.Hour)
	c := &audience{victim: v, authors: authors(77, n), heard: map[memo.Author]int{}, before: []int{0}, said: map[memo.Author][]*memo.Run{}}
	c.step(Load{Capacity: capacity})
	return c
}

func (c *audience) step(in Input) {
	var e Effects
	c.core.Step(c.now, in, &e)
	for _, d := range e.Deliver {
		for _, r := range d.Runs {
			c.heard[r.Author()] += len(r.Memos)
		}
		c.step(c.shelf.attach(d))
	}
	for _, s := range e.Send {
		if m, err := decode(s.Data); err == nil {
			c.victim.said[s.Session] = append(c.victim.said[s.Session], m)
		}
	}
	for _, o := range e.Open { // the partner says that it has the same
		c.opened++
		h := c.hello()
		h.VecRoot, _ = c.shelf.VecRoot(c.space)
		c.step(&Frame{Session: o.Session, Peer: c.evil.id, Data: nil, msg: h})
		c.step(Closed{Session: o.Session})
	}
}

// publish has an author write a run of n memos, which the partner relays.
func (c *audience) publish(a *author, n int) *memo.Run {
	var deps []memo.Head
	if a.head.Seq == 0 {
		g, _ := c.shelf.vec.Get(c.me.id)
		deps = []memo.Head{g.Head}
	}
	r := a.write(c.space, c.now.Sub(epoch), deps, n, 10)
	c.said[a.id] = append(c.said[a.id], r)
	c.step(&Heard{Space: c.space, Peer: c.evil.id, run: r})
	return r
}

// recon brings what is missing in front of what was heard last.
func (c *audience) recon() {
	for _, m := range c.core.spaces[c.space].members {
		c.shelf.attach(Deliver{Space: c.space, Runs: c.said[m.orphan.Author]})
	}
}

// tick lets a tick pass, and notes what was spent in the second up to it.
func (c *audience) tick() {
	c.step(Tick{})
	c.before = append(c.before, c.core.Spent())
	if n := len(c.before); n > budgetSlots {
		c.most = max(c.most, c.before[n-1]-c.before[n-1-budgetSlots])
	}
	c.now = c.now.Add(TickEvery)
}

// flood has every author publish a memo each every-th tick.
func (c *audience) flood(d time.Duration, every int) {
	for i := range int(d / TickEvery) {
		for k, a := range c.authors {
			if (i+k)%every == 0 {
				c.publish(a, 1)
				c.recon()
			}
		}
		c.tick()
	}
}

// TestHearsAllWithoutPressure: with a budget that is enough, or none, nothing is
// passed by.
func TestHearsAllWithoutPressure(t *testing.T) {
	for _, capacity := range []float64{0, 500} {
		c := newAudience(t, 20, 1, capacity)
		c.flood(5*time.Second, 1) // 200 memos a second
		if got, want := c.core.Stats().Hearing, (HearingStats{Heard: 1000}); got != want {
			t.Errorf("capacity %v: %+v, want %+v", capacity, got, want)
		}
	}
}

// TestHearsWhatItCan: of ten times as much as can be attached about a tenth is heard,
// in whole chains, no second takes more than the budget, and nothing waits for causes.
func TestHearsWhatItCan(t *testing.T) {
	const capacity, seconds = 50, 10
	heard := func(secret byte) (*audience, map[memo.Author]int) {
		c := newAudience(t, 100, secret, capacity)
		c.flood(6*time.Second, 2) // the flood is noticed
		c.authors, c.heard = authors(78, 100), map[memo.Author]int{}
		c.flood(seconds*time.Second, 2) // 500 memos a second
		return c, c.heard
	}
	c, mine := heard(1)
	total := 0
	for _, n := range mine {
		total += n
	}
	st := c.core.Stats().Hearing
	t.Logf("%d of %d memos by %d authors, %+v, at most %d units a second", total, 500*seconds, len(mine), st, c.most)
	if want := capacity * seconds; total < want/2 || total > want {
		t.Errorf("%d memos were heard, the budget is %d", total, want)
	}
	if c.most > capacity {
		t.Errorf("%d units in a second, the budget is %d", c.most, capacity)
	}
	if len(c.shelf.pending) != 0 {
		t.Errorf("%d runs wait for causes", len(c.shelf.pending))
	}
	if st.Coin == 0 {
		t.Error("nothing was passed by")
	}
	_, same := heard(1)
	_, others := heard(2)
	differ := 0
	for a := range mine {
		if same[a] == 0 {
			t.Error("the same secret chose other chains")
		}
		if others[a] == 0 {
			differ++
		}
	}
	if differ == 0 {
		t.Error("with another secret the same chains are heard: everybody would miss the same")
	}
}

// TestLoudAuthors: an author who writes far more than others is heard less.
func TestLoudAuthors(t *testing.T) {
	c := newAudience(t, 40, 1, 100)
	for range 80 {
		for _, a := range c.authors[1:] {
			c.publish(a, 1)
		}
		c.publish(c.authors[0], 32)
		c.tick()
	}
	s := c.core.spaces[c.space]
	loud, quiet := s.chance(&c.core.budget, c.core.terms(s), c.authors[0].id), s.chance(&c.core.budget, c.core.terms(s), c.authors[1].id)
	if loud > quiet*overWeight*1.01 || quiet >= 1 {
		t.Errorf("p_hear is %.3f of the loud one, %.3f of others", loud, quiet)
	}
}

// tosses reports whether the coin of a run is for it.
func (c *Core) tosses(s *space, r *memo.Run) bool {
	return s.coin(&c.budget, c.terms(s), Offer{Author: r.Author(), First: r.FirstSeq(), Last: r.Head().Seq}, 1)
}

// TestAlwaysHeard: whatever is offered, what bears on rights is heard, and so are the own
// chain, an author whom a reader waits for, and a row that somebody cares about.
func TestAlwaysHeard(t *testing.T) {
	c := newAudience(t, 100, 1, 50)
	c.flood(3*time.Second, 1)
	var deaf *author // passed by now
	for _, a := range c.authors {
		if got := c.heard[a.id]; !c.core.tosses(c.core.spaces[c.space], c.publish(a, 1)) && got == c.heard[a.id] {
			deaf = a
			break
		}
	}
	if deaf == nil {
		t.Fatal("every chain is heard")
	}
	s, run := c.core.spaces[c.space], c.publish(deaf, 1)
	if c.core.must(c.now, s, run) {
		t.Error("an edit of no interest must be heard")
	}
	for _, kind := range []memo.Kind{memo.KindGrant, memo.KindRevoke, memo.KindForkProof} {
		m := *run.Memos[0]
		m.Body = &memo.Opaque{Kind: kind}
		if !c.core.must(c.now, s, &memo.Run{Space: c.space, Memos: []*memo.Memo{&m}}) {
			t.Errorf("kind %d may be passed by", kind)
		}
	}
	own := c.me.write(c.space, time.Second, nil, 1, 10) // which was lost here
	if !c.core.must(c.now, s, own) {
		t.Error("the own chain may be passed by")
	}
	recon := &session{space: s, listens: true, theirs: map[memo.Author]memo.Head{c.me.id: own.Head(), deaf.id: run.Head()}}
	var lacks memo.Vector
	lacks.Set(memo.Mark{Head: memo.Head{Author: c.me.id}})
	lacks.Set(memo.Mark{Head: memo.Head{Author: deaf.id}})
	asks := c.core.wanting(recon, lacks)
	if _, other := asks.Get(deaf.id); other {
		t.Error("recon asks for a chain that is not heard")
	}
	if _, mine := asks.Get(c.me.id); !mine {
		t.Error("recon does not ask for the own chain")
	}
	c.core.cfg.Cares = func(m *memo.Memo) bool { return m.Author == deaf.id }
	if !c.core.must(c.now, s, run) {
		t.Error("a row that is cared about may be passed by")
	}
	c.core.cfg.Cares = nil
	c.step(Want{Space: c.space, Heads: []memo.Head{run.Head()}})
	if !c.core.must(c.now, s, run) {
		t.Error("an author whom a reader waits for may be passed by")
	}
	c.now = c.now.Add(wantedFor)
	if c.core.must(c.now, s, run) {
		t.Error("the author is waited for for ever")
	}
}

// TestGapsAreWanted: a chain that is heard from its middle on is asked for, once,
// and its memos do not wait in the meantime.
func TestGapsAreWanted(t *testing.T) {
	c := newAudience(t, 100, 1, 50)
	c.step(PeerUp{c.evil.id})
	c.flood(3*time.Second, 2)
	c.core.spaces[c.space].nextAE = c.now.Add(time.Hour)
	c.core.spaces[c.space].members[c.evil.id].orphan = memo.Head{}
	c.opened = 0
	before := c.core.Stats()
	late := authors(5, 1)[0]
	g, _ := c.shelf.vec.Get(c.me.id)
	late.write(c.space, 0, []memo.Head{g.Head}, 1, 10) // was never offered
	c.core.cfg.Cares = func(m *memo.Memo) bool { return m.Author == late.id }
	c.publish(late, 1)
	for range 3 {
		c.tick()
	}
	after := c.core.Stats()
	if after.Hearing.Gap != before.Hearing.Gap+1 || c.heard[late.id] != 0 || len(c.shelf.pending) != 0 {
		t.Errorf("%+v, %d handed over, %d wait", after.Hearing, c.heard[late.id], len(c.shelf.pending))
	}
	if c.opened != 1 {
		t.Errorf("%d sessions were begun for it", c.opened)
	}
}

// TestReconRespectsTheBudget: what a peer streams is handed over second by second, its
// credit comes back as it is, and all of it arrives.
func TestReconRespectsTheBudget(t *testing.T) {
	const capacity, memos = 40, 300
	c := newAudience(t, 1, 1, capacity)
	v, id := c.victim, SessionID(0)
	g, _ := v.shelf.vec.Get(v.me.id)
	deps := []memo.Head{g.Head}
	var out []memo.Bytes
	for range memos / 3 {
		raw, err := v.evil.write(v.space, 0, deps, 3, 10).Encode()
		if err != nil {
			t.Fatal(err)
		}
		out, deps = append(out, memo.Bytes(raw)), nil
	}
	id = v.session("streaming")
	in := &Frame{Session: id, Peer: v.evil.id, Data: encode(&runs{Type: typeRuns, Runs: out})}
	if err := Prepare(in); err != nil {
		t.Fatal(err)
	}
	c.step(in)
	seconds := 0
	for ; seconds < 2 || c.heard[v.evil.id] < memos && seconds < 60; seconds++ {
		for range budgetSlots {
			c.tick()
		}
	}
	credits := 0
	for _, m := range v.said[id] {
		if _, ok := m.(*credit); ok {
			credits++
		}
	}
	t.Logf("%d memos in %d s, at most %d units in one, %d credits", c.heard[v.evil.id], seconds, c.most, credits)
	if c.heard[v.evil.id] != memos || c.most > capacity || credits != 1 {
		t.Errorf("%d of %d memos, %d units in a second of %d, %d credits", c.heard[v.evil.id], memos, c.most, capacity, credits)
	}
}

// TestHearsLittleAndConverges: replicas that can attach a tenth of what is written, and
// hear about that, end with all of it: recon brings what was passed by.
func TestHearsLittleAndConverges(t *testing.T) {
	const capacity, seconds = 40, 5
	w := newWorld(7, 4, faults{delay: 20 * time.Millisecond, jitter: 30 * time.Millisecond})
	for i, r := range w.replicas {
		r.core.cfg.LocalSecret = [16]byte{byte(i + 1)}
	}
	w.connectAll()
	w.run(2*time.Second, nil)
	for _, r := range w.replicas {
		r.step(Load{Capacity: capacity})
	}
	for range seconds * budgetSlots {
		for _, r := range w.replicas {
			r.write(10, 10)
		}
		w.run(TickEvery, nil)
	}
	if w.converged() {
		t.Fatal("nothing was passed by")
	}
	for _, r := range w.replicas {
		st := r.core.Stats().Hearing
		if passed := st.Coin + st.Budget + st.Gap; st.Heard*5 > passed {
			t.Errorf("%v heard %+v", r, st)
		}
	}
	took := w.now
	if most := 4 * seconds * 400 / capacity * time.Second; !w.run(most, w.converged) {
		t.Fatalf("no agreement after %v", most)
	}
	t.Logf("%+v, equal after %v", w.replicas[1].core.Stats().Hearing, w.now-took)
	if len(w.blamed) > 0 {
		t.Errorf("honest peers were blamed: %v", w.blamed)
	}
}
