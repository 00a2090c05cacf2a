package gossip

import (
	"container/heap"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"lightcone/memo"
)

// world is k replicas of one space on a simulated network: the same seed and
// faults give the same history to the byte.
type world struct {
	faults   faults
	rng      *rand.Rand
	now      time.Duration
	events   events
	number   int // of the next event
	replicas []*replica
	space    memo.SpaceID
	genesis  *memo.Run
	links    map[[2]int]bool // connected pairs, lower index first
	streams  []*stream
	history  hash.Hash                        // of every effect
	blamed   []string                         // blames of honest peers: there must be none
	log      func(format string, args ...any) // nil: no trace
	dropNext int                              // publications on a link to lose, whatever faults says
	cutNext  int                              // frame at which the next stream breaks
	bytes    traffic
	half     int      // so many replicas and the others are apart; 0: none are
	kept     []func() // arrivals of frames between the halves
}

// faults says what goes wrong. The zero value is a perfect network without delay.
type faults struct {
	delay, jitter time.Duration // of a frame or message, one way
	lose, double  float64       // of publications, per link
	breaks        float64       // of streams, per frame
	attachLag     time.Duration // longest time a delivery waits for the owner
	foldLag       time.Duration // of a fold that the core asks for
	noGossip      bool
}

// traffic counts bytes and frames that were sent.
type traffic struct{ recon, frames, gossip, copies int }

type replica struct {
	*author
	w        *world
	index    int
	core     *Core
	shelf    *shelf
	lastOdd  SessionID
	streams  map[SessionID]*stream
	admitted map[Peer]bool
	seen     map[string]time.Duration // message ids, when they came first
	eff      Effects
	turning  bool          // it asked for a Turn
	busy     time.Duration // deliveries attach in order: not before
	opened   int           // streams
	sent     int           // bytes on them
	ended    time.Duration // when its last own session did
	fetched  []Fetched
	after    [][]byte                 // frames that a liar sends behind the next
	twist    func(data []byte) []byte // what a liar sends instead of a frame; nil: honest
	heard    []Announced
	words    []Told
}

// stream is one recon stream: ends[0] opened it.
type stream struct {
	ends   [2]*replica
	ids    [2]SessionID
	last   [2]time.Duration // arrival of the newest frame of each direction
	over   [2]bool          // Closed was reported
	frames int
	cutAt  int // breaks instead of sending this frame, counted from 1; 0: never
}

type event struct {
	at     time.Duration
	number int
	do     func()
}

type events []event

func (q events) Len() int { return len(q) }
func (q events) Less(i, j int) bool {
	if q[i].at != q[j].at {
		return q[i].at < q[j].at
	}
	return q[i].number < q[j].number
}
func (q events) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *events) Push(x any)   { *q = append(*q, x.(event)) }
func (q *events) Pop() any {
	old := *q
	x := old[len(old)-1]
	*q = old[:len(old)-1]
	return x
}

// epoch is when a world begins. Nothing depends on it but retries.
var epoch = time.Unix(1_700_000_000, 0)

var testSecret = Secret{1, 2, 3}

// newWorld makes replicas that know the space and, but the first, none of its
// memos. They are not connected.
func newWorld(seed uint64, k int, f faults) *world {
	w := &world{
		faults: f, rng: rand.New(rand.NewPCG(seed, 1)), history: sha256.New(),
		links: map[[2]int]bool{},
	}
	for i, a := range authors(seed, k) {
		if i == 0 {
			w.genesis = a.found()
			w.space = w.genesis.Space
		}
		r := &replica{
			author: a, w: w, index: i, shelf: newShelf(w.space), lastOdd: ^SessionID(0), streams: map[SessionID]*stream{},
			admitted: map[Peer]bool{}, seen: map[string]time.Duration{},
		}
		r.core = New(Config{Self: a.id, Holdings: r.shelf, Seed: seed, Sign: a.sign})
		r.core.AddSpace(w.space, testSecret)
		w.replicas = append(w.replicas, r)
		w.at(time.Duration(i)*time.Millisecond, r.tick)
	}
	w.replicas[0].shelf.put(w.genesis)
	return w
}

func (w *world) at(t time.Duration, do func()) {
	heap.Push(&w.events, event{max(t, w.now), w.number, do})
	w.number++
}

// run lets d pass, or less when until holds before.
func (w *world) run(d time.Duration, until func() bool) bool {
	end := w.now + d
	for len(w.events) > 0 && w.events[0].at <= end {
		if until != nil && until() {
			return true
		}
		ev := heap.Pop(&w.events).(event)
		w.now = ev.at
		ev.do()
	}
	w.now = end
	return until != nil && until()
}

// trace notes what happens; args that cost something are made by callers that
// asked for w.log first.
func (w *world) trace(format string, args ...any) {
	if w.log != nil {
		w.log(format, args...)
	}
}

func (w *world) lag() time.Duration {
	d := w.faults.delay
	if w.faults.jitter > 0 {
		d += time.Duration(w.rng.Int64N(int64(w.faults.jitter)))
	}
	return d
}

func pair(a, b *replica) [2]int { return [2]int{min(a.index, b.index), max(a.index, b.index)} }

// connect joins two replicas that know of each other.
func (w *world) connect(a, b *replica) {
	if w.links[pair(a, b)] {
		return
	}
	w.links[pair(a, b)] = true
	for _, x := range [][2]*replica{{a, b}, {b, a}} {
		x[0].core.Know(w.time(), w.space, x[1].id)
		x[0].step(PeerUp{x[1].id})
	}
}

func (w *world) connectAll() {
	for i, a := range w.replicas {
		for _, b := range w.replicas[:i] {
			w.connect(b, a)
		}
	}
}

// disconnect parts two replicas; their streams break.
func (w *world) disconnect(a, b *replica) {
	if !w.links[pair(a, b)] {
		return
	}
	delete(w.links, pair(a, b))
	for _, s := range slices.Clone(w.streams) {
		if pair(s.ends[0], s.ends[1]) == pair(a, b) {
			w.breakStream(s, errors.New("connection lost"))
		}
	}
	a.step(PeerDown{b.id})
	b.step(PeerDown{a.id})
}

func (w *world) time() time.Time { return epoch.Add(w.now) }

func (w *world) breakStream(s *stream, err error) {
	for i := range s.ends {
		w.end(s, i, err)
	}
}

// end reports the end of a stream to one side, once.
func (w *world) end(s *stream, side int, err error) {
	if s.over[side] {
		return
	}
	s.over[side] = true
	r, id := s.ends[side], s.ids[side]
	delete(r.streams, id)
	if s.over[0] && s.over[1] {
		w.streams = slices.DeleteFunc(w.streams, func(o *stream) bool { return o == s })
	}
	w.at(w.now, func() { r.step(Closed{Session: id, Err: err}) })
}

// converged reports whether all replicas hold the same.
func (w *world) converged() bool {
	first, _ := w.replicas[0].shelf.VecRoot(w.space)
	for _, r := range w.replicas[1:] {
		if root, _ := r.shelf.VecRoot(w.space); root != first {
			return false
		}
	}
	return true
}

// idle reports whether no session is under way anywhere.
func (w *world) idle() bool {
	for _, r := range w.replicas {
		if len(r.core.sessions)+len(r.core.ended) > 0 {
			return false
		}
	}
	return len(w.streams) == 0
}

func (w *world) replica(p Peer) *replica {
	for _, r := range w.replicas {
		if r.id == p {
			return r
		}
	}
	return nil
}

func (r *replica) String() string { return string(rune('a' + r.index)) }

func (r *replica) tick() {
	r.step(Tick{})
	r.w.at(r.w.now+TickEvery, r.tick)
}

// write appends and publishes one run of n memos that depends on what the
// replica holds, at random.
func (r *replica) write(n, size int) {
	var deps []memo.Head
	for m := range r.shelf.vec.All() {
		if m.Author != r.id && (r.head.Seq == 0 && m.Author == r.w.replicas[0].id || r.w.rng.IntN(3) == 0) && len(deps) < memo.MaxDeps {
			deps = append(deps, m.Head)
		}
	}
	run := r.author.write(r.w.space, r.w.now, deps, n, size)
	r.shelf.put(run)
	r.step(&Attached{Space: r.w.space, Own: []*memo.Run{run}})
}

// canWrite reports whether the replica holds the genesis.
func (r *replica) canWrite() bool { return r.shelf.vec.Len() > 0 }

func (r *replica) step(in Input) {
	e := &r.eff
	r.core.Step(r.w.time(), in, e)
	fmt.Fprintf(r.w.history, "%v %v %T %s\n", r.w.now, r, in, describe(e))
	out := *e
	r.eff = Effects{}
	if n := len(r.core.sessions); n > MaxSessions {
		panic(fmt.Sprintf("%d sessions", n))
	}
	for _, d := range out.Deliver {
		r.deliver(d)
	}
	r.words = append(r.words, out.Told...)
	for _, k := range out.Keep {
		r.shelf.keep(k)
	}
	for _, f := range out.Fetched {
		r.w.traceFetched(r, f)
		r.fetched = append(r.fetched, f)
	}
	for _, q := range out.Inquired {
		r.w.traceInquired(r, q)
	}
	for range out.Fold {
		r.w.at(r.w.now+r.w.faults.foldLag, func() { r.step(r.newRoot()) })
	}
	for _, a := range out.Admit {
		r.admitted[a.Peer] = true
	}
	for _, a := range out.Heard {
		r.told(a)
	}
	if out.Again && !r.turning {
		r.turning = true
		r.w.at(r.w.now, func() { r.turning = false; r.step(Turn{}) })
	}
	for _, o := range out.Open {
		r.open(o)
	}
	for _, o := range out.Send {
		r.send(o)
	}
	for _, o := range out.Close {
		r.close(o)
	}
	for _, o := range out.Publish {
		r.publish(o)
	}
}

// describe writes effects out: what is sent by its digest, runs by their heads.
func describe(e *Effects) string {
	var b strings.Builder
	for _, o := range e.Publish {
		fmt.Fprintf(&b, "publish %x ", memo.Sum(o.Data))
	}
	for _, o := range e.Send {
		fmt.Fprintf(&b, "send %d %x ", o.Session, memo.Sum(o.Data))
	}
	for _, o := range e.Deliver {
		fmt.Fprintf(&b, "deliver %d %d ", o.Session, o.Bytes)
		for _, r := range o.Runs {
			fmt.Fprintf(&b, "%x ", r.Head().ID)
		}
	}
	for _, k := range e.Keep {
		fmt.Fprintf(&b, "keep %d ", len(k.Blocks))
	}
	for _, f := range e.Fetched {
		fmt.Fprintf(&b, "fetched %x %d %d %v ", f.Root, f.Parts, len(f.Seals), f.Err)
	}
	for _, o := range e.Heard {
		fmt.Fprintf(&b, "heard %x %x ", o.ID, o.Unequal)
	}
	fmt.Fprintf(&b, "%v %v %v %v", e.Fold, e.Open, e.Close, e.Admit)
	return b.String()
}
