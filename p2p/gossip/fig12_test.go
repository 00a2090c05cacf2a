package gossip

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"lightcone/memo"
	"lightcone/merge"
)

const (
	hotPeers = 64
	// hotMultiple times one budget are written together for hotLength; hotPatience is
	// how long it may take after that.
	hotMultiple, hotLength, hotPatience = 10, 10 * time.Second, 60 * time.Second

	// hotScale is what part of the figure the test plays.
	hotScale = 5
	// hotDeaf is the share of memos that peers hear who hear few.
	hotDeaf = 0.05

	hotBudget = 100    // units a second of each peer
	hotRows   = 10_000 // of the topic
	hotZipf   = 1.1
	// hotW and hotM are the width of the space's nodes, as its genesis has it: four times
	// the usual one. All leaves of a hot topic change from root to root, so that narrow
	// ones save nothing and are more to decode.
	hotW, hotM = 4 * memo.DefaultW, 4 * memo.DefaultM
	// hotFold is how often a peer folds what it wrote and heard, hotKeep how long it
	// keeps a root's blocks.
	hotFold, hotKeep = 3 * time.Second, 20 * time.Second
	// hotAhead is how many seconds of merging may be left when the next root is asked for.
	hotAhead = 1
)

// newHotWorld makes hotPeers that all have the same rows already: a scale-th of hotRows,
// with a scale-th of hotBudget each.
func newHotWorld(t testing.TB, scale int, seed uint64) *hotWorld {
	rng, n := rand.New(rand.NewPCG(seed, 12)), hotPeers
	w := &hotWorld{t: t, rng: rng, budget: hotBudget / scale, sealed: map[SealedHead]bool{}}
	rows := hotRows / scale
	w.rows = rand.NewZipf(rng, hotZipf, 1, uint64(rows-1))
	as := authors(seed, n)
	genesis := as[0].foundAs(hotW, hotM)
	w.space, w.params = genesis.Space, merge.Params{Space: genesis.Space, W: hotW, M: hotM, D: memo.DefaultD}
	for i := range rows {
		w.keys = append(w.keys, fmt.Sprintf("row-%05d", i))
	}
	rng.Shuffle(rows, func(i, j int) { w.keys[i], w.keys[j] = w.keys[j], w.keys[i] })
	first := newHotPeer(w, as[0], 0)
	first.put(genesis)
	for i := 0; i < rows; i += 50 {
		first.put(as[0].writeRows(w.space, 0, nil, 50, 2, func() string { return w.keys[as[0].head.Seq-1] }))
	}
	first.roots = []hotRoot{{}}
	empty, err := merge.Build(w.params, func(func(merge.Entry, error) bool) {}, first)
	if err != nil {
		t.Fatal(err)
	}
	first.roots[0].Root.State = empty
	first.fold()
	first.roots = first.roots[1:]
	w.peers = append(w.peers, first)
	for i, a := range as[1:] {
		p := newHotPeer(w, a, i+1)
		p.vec, p.seals = first.vec, map[memo.Head]memo.Seal{}
		for h, s := range first.seals {
			p.seals[h] = s
		}
		for k, r := range first.rows {
			p.rows[k] = r
		}
		for k, b := range first.blocks {
			p.blocks[k] = b
		}
		p.roots = append(p.roots, *first.newest())
		p.core.Step(w.time(), p.newest().Folded, &p.eff)
		w.peers = append(w.peers, p)
	}
	for _, p := range w.peers {
		p.dirty, p.fresh, p.perTick, p.stat = map[string]bool{}, 0, map[int]int{}, hotStats{}
		p.collect()
		for _, o := range w.peers {
			p.core.Know(w.time(), w.space, o.id)
		}
	}
	for i, p := range w.peers {
		for _, o := range w.peers {
			if o != p {
				p.step(PeerUp{o.id})
			}
		}
		w.at(time.Duration(i)*TickEvery/time.Duration(n), p.tick)
	}
	return w
}

func newHotPeer(w *hotWorld, a *author, i int) *hotPeer {
	p := &hotPeer{
		author: a, w: w, index: i, rows: map[string]merge.Row{}, dirty: map[string]bool{}, runs: map[Peer][]*memo.Run{},
		seals: map[memo.Head]memo.Seal{}, blocks: map[memo.ID][]byte{}, foreign: map[memo.ID][]byte{}, streams: map[SessionID]*hotStream{},
		odd: ^SessionID(0), perTick: map[int]int{},
	}
	p.core = New(Config{Self: a.id, Holdings: p, Seed: uint64(i), Sign: a.sign, LocalSecret: [16]byte{byte(i)}})
	p.core.AddSpace(w.space, testSecret)
	return p
}

// writing has every peer write so many memos a second, all together, in a run a second.
func (w *hotWorld) writing(rate float64, d time.Duration) {
	for i, p := range w.peers {
		owed, each := float64(i)/float64(len(w.peers)), rate/float64(len(w.peers))
		for at := time.Duration(i) * time.Second / time.Duration(len(w.peers)); at < d; at += time.Second {
			w.at(w.now+at, func() {
				owed += each
				if n := int(owed); n > 0 {
					owed -= float64(n)
					p.write(n)
				}
			})
		}
	}
}

// write writes so many memos, as soon as the budget has room for them.
func (p *hotPeer) write(n int) {
	w := p.w
	if p.core.budget.free(w.time(), forOwn) < n {
		w.at(w.now+TickEvery, func() { p.write(n) })
		return
	}
	deps := []memo.Head{}
	if p.head.Seq == 0 {
		g := w.peers[0].runs[w.peers[0].id][0].Head()
		deps = append(deps, g)
	}
	r := p.writeRows(w.space, w.now, deps, n, 2, func() string { return w.keys[w.rows.Uint64()] })
	w.writes += n
	p.spend(n, &p.stat.own)
	p.put(r)
	p.step(&Attached{Space: w.space, Own: []*memo.Run{r}})
}

// tick is the owner's: it tells its load, goes on merging, and looks for what is next.
func (p *hotPeer) tick() {
	w, now := p.w, p.w.time()
	if int(w.now/TickEvery)%budgetSlots == 0 {
		p.step(Load{Capacity: float64(w.budget)})
	}
	p.step(Tick{})
	if p.state != nil {
		n := p.core.Take(now, p.owed)
		p.spend(n, &p.stat.rows)
		if p.owed -= n; p.owed == 0 {
			p.merged()
		}
	}
	if p.state == nil && p.fresh > 0 && w.now-p.newest().at >= hotFold {
		p.fold()
	}
	if !p.fetching && p.ready == nil && (p.state == nil || p.owed <= hotAhead*w.budget) {
		p.choose()
	}
	w.at(w.now+TickEvery, p.tick)
}

// choose asks for the newest root of somebody who announced one lately: one of those
// that the funnel chose, else any. What it announced is older, and may be gone.
func (p *hotPeer) choose() {
	p.cands = slices.DeleteFunc(p.cands, func(r hotRoot) bool { return r.at < p.w.now-hotKeep/2 })
	if len(p.cands) == 0 {
		return
	}
	i := slices.IndexFunc(p.cands, func(r hotRoot) bool { return r.chosen })
	if i < 0 {
		i = p.w.rng.IntN(len(p.cands))
	}
	from := p.cands[i].from
	p.cands = slices.Delete(p.cands, i, i+1)
	p.fetching = true
	p.collect()
	p.step(Fetch{Space: p.w.space, Origin: from, Parts: StatePart})
}

func (p *hotPeer) announced(a Announced) {
	p.cands = slices.DeleteFunc(p.cands, func(r hotRoot) bool { return r.from == a.From })
	p.cands = append(p.cands, hotRoot{Folded: Folded{ID: a.ID}, from: a.From, at: p.w.now, chosen: !a.PassBy})
}

// fetched takes a part of a root. One that has nothing new is fetched no further.
func (p *hotPeer) fetched(f Fetched) {
	switch {
	case f.Err != nil:
		p.fetching = false
	case f.Parts < StatePart && p.coming().CoversAll(f.Vector):
		p.step(Drop{Space: p.w.space, Root: f.Root, Err: errors.New("nothing new")})
	case f.Parts == StatePart:
		p.fetching = false
		p.ready = &hotState{Fetched: f, blocks: p.foreign}
		p.foreign = map[memo.ID][]byte{}
		if p.state == nil {
			p.begin()
		}
	}
}

// coming is what is covered here once the root that is being merged is.
func (p *hotPeer) coming() memo.Vector {
	v := p.vec
	if p.state != nil {
		v = v.Clone()
		v.Join(p.state.Vector)
	}
	return v
}

// begin begins to merge a root whose blocks are here: the rows that it has and we have
// not are counted, and charged before anything of them is shown.
func (p *hotPeer) begin() {
	p.state, p.ready = p.ready, nil
	for d, err := range merge.Diff(p.w.params, p.getter(p.state.blocks), p.newest().Root.State, p.state.Made.State) {
		if err != nil {
			p.w.t.Fatal(err)
		}
		if d.New == nil {
			continue
		}
		said, err := merge.DecodeRow(d.New)
		if err != nil {
			p.w.t.Fatal(err)
		}
		if !p.rows[d.Key].Includes(said) {
			p.state.rows = append(p.state.rows, merge.KeyedRow{Key: d.Key, State: d.New})
		}
	}
	p.owed = len(p.state.rows)
}

// merged takes in what was paid for: a root of others, if there is one, and with it
// what was written and heard.
func (p *hotPeer) merged() {
	for _, r := range p.state.rows {
		said, err := merge.DecodeRow(r.State)
		if err != nil {
			p.w.t.Fatal(err)
		}
		p.rows[r.Key] = merge.Join(p.rows[r.Key], said)
		p.dirty[r.Key] = true
	}
	p.vec = p.coming()
	for _, s := range p.state.Seals {
		p.seals[s.Head] = s.Seal
	}
	p.state = nil
	p.stat.merges++
	p.fold()
	if p.ready != nil {
		p.begin()
	}
}

// hotResult is what came of a run.
type hotResult struct {
	drained time.Duration // from the last write until every effect was in every root
	most    int           // units of a peer in a second
	lag     float64       // seconds that the roots were behind at the end of the writing
	hotStats
	heard, passed, announced int
	cost                     float64 // units that merging a root took
	deaf                     int     // peers that took in at most hotDeaf of the others' memos one by one
}

// single is the share of what others wrote that came as memos, heard or by recon.
func (r hotResult) single() float64 {
	return float64(r.hotStats.heard+r.recon) / float64(r.own*(hotPeers-1))
}

// play has all peers write together multiple times one budget, and waits until all
// have everything.
func (w *hotWorld) play(multiple float64, length, patience time.Duration) (r hotResult, equal bool) {
	w.run(5*time.Second, nil) // they meet
	w.writing(multiple*float64(w.budget), length)
	w.run(length, nil)
	for _, p := range w.peers {
		r.lag += float64(count(w.all())-count(p.newest().Vector)) / multiple / float64(w.budget) / float64(len(w.peers))
	}
	end := w.now
	equal = w.run(patience, w.equal)
	r.drained = w.now - end
	for _, p := range w.peers {
		second := 0
		for i := range int(w.now/TickEvery) + 1 {
			second += p.perTick[i] - p.perTick[i-budgetSlots]
			r.most = max(r.most, second)
		}
		st := p.core.Stats()
		r.hotStats.add(p.stat)
		if float64(p.stat.heard+p.stat.recon) <= hotDeaf*float64(w.writes) {
			r.deaf++
		}
		r.heard += st.Hearing.Heard
		r.passed += st.Hearing.Coin + st.Hearing.Budget + st.Hearing.Gap
		r.announced += st.Roots.Announced
		r.cost += p.core.spaces[w.space].cost / float64(len(w.peers))
	}
	return r, equal
}

func (r hotResult) String() string {
	n := hotPeers
	return fmt.Sprintf("drained in %.1f s, lag %.1f s; a peer spent on own memos %d, heard %d, recon %d, blocks %d, rows %d, in %d merges of about %.0f units; "+
		"at most %d units in a second; %.1f %% of memos heard on the topic, %.1f %% taken in one by one, by %d peers at most 5 %%; %d roots announced", r.drained.Seconds(), r.lag, r.own/n, r.hotStats.heard/n, r.recon/n,
		r.blocks/n, r.rows/n, r.merges/n, r.cost, r.most, 100*float64(r.heard)/float64(r.heard+r.passed), 100*r.single(), r.deaf, r.announced/n)
}

// all is the cut of all that was written.
func (w *hotWorld) all() (v memo.Vector) {
	for _, p := range w.peers {
		if m, ok := p.vec.Get(p.id); ok {
			v.Set(m)
		}
	}
	return v
}

// equal reports whether all that was written is in the root of every peer.
func (w *hotWorld) equal() bool {
	for _, p := range w.peers {
		if p.newest().ID != w.peers[0].newest().ID {
			return false
		}
	}
	return w.peers[0].newest().Vector.CoversAll(w.all())
}

// truth folds all that was written, from the memos alone.
func (w *hotWorld) truth() (memo.ID, error) {
	rows := map[string]merge.Row{}
	for _, p := range w.peers {
		for _, r := range p.runs[p.id] {
			for _, m := range r.Memos {
				joinEdit(rows, m)
			}
		}
	}
	return merge.BuildState(w.params, func(yield func(merge.KeyedRow, error) bool) {
		for _, key := range slices.Sorted(maps.Keys(rows)) {
			state, err := rows[key].Encode()
			if !yield(merge.KeyedRow{Key: key, State: state}, err) {
				return
			}
		}
	}, nil)
}

// TestFig12Funnel: peers write together ten times what one of them can take in, each
// hears a few of their memos, and within a minute of the end every effect is in every
// root. No second takes more of anybody than the budget, own memos included. It is a
// fifth of the figure, by rows, budgets and writes alike; BenchmarkFig12 is all of it.
//
// What bounds it: 10,000 writes to 10,000 rows by Zipf's law with 1.1 change about 2,200.
// Each of them is merged once by everybody, and those that more than one wrote again on
// the way: roots are merged in pairs, so that what few wrote is in all roots after
// log₂(64 / few) merges. During the flood everybody hears the chains of about four others,
// as one unit is one memo then, and after it merges what the others have.
func TestFig12Funnel(t *testing.T) {
	w := newHotWorld(t, hotScale, 1)
	r, equal := w.play(hotMultiple, hotLength, hotPatience)
	t.Log(r)
	if !equal {
		t.Fatalf("%v after the last write not every effect is in every root", hotPatience)
	}
	if r.most > w.budget {
		t.Errorf("%d units in a second, the budget is %d", r.most, w.budget)
	}
	want, err := w.truth()
	if err != nil {
		t.Fatal(err)
	}
	if got := w.peers[0].newest().Root.State; got != want {
		t.Errorf("the roots show %s, the memos make %s", got, want)
	}
	if r.single() > 0.1 || r.deaf == 0 {
		t.Errorf("%.1f %% of memos came one by one, %d peers took in at most 5 %%: no need for the funnel", 100*r.single(), r.deaf)
	}
}

// BenchmarkFig12 is the figure at its full size, and what more writes, and more time of
// them, cost.
func BenchmarkFig12(b *testing.B) {
	for _, c := range []struct {
		multiple float64
		length   time.Duration
	}{{2, 10 * time.Second}, {2, 60 * time.Second}, {10, 10 * time.Second}, {10, 30 * time.Second}} {
		b.Run(fmt.Sprintf("%vx%v", c.multiple, c.length), func(b *testing.B) {
			for range b.N {
				w := newHotWorld(b, 1, 1)
				r, equal := w.play(c.multiple, c.length, 10*time.Minute)
				if r.most > w.budget {
					b.Errorf("%d units in a second, the budget is %d", r.most, w.budget)
				}
				b.Logf("equal %v; %v", equal, r)
				b.ReportMetric(r.drained.Seconds(), "drain-s")
			}
		})
	}
}
