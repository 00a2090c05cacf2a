package gossip

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"lightcone/memo"
)

// victim is one honest core in the hands of a partner who knows the secret and
// says what it likes.
type victim struct {
	t     testing.TB
	core  *Core
	shelf *shelf
	me    *author
	evil  *author // the partner
	other *author // an honest third
	space memo.SpaceID
	now   time.Time
	next  SessionID // of the streams the partner opens

	said   map[SessionID][]message // what the core sent since the last look
	closes []Close
	bytes  int // delivered
	held   int // Attached inputs kept back
	keep   bool

	expelled Peer // whom the owner turns away

	fetched []Fetched
	folds   int // asked for
}

func newVictim(t testing.TB) *victim {
	as := authors(1, 3)
	genesis := as[0].found()
	v := &victim{
		t: t, me: as[0], evil: as[1], other: as[2], space: genesis.Space, now: epoch, next: ^SessionID(0),
		shelf: newShelf(genesis.Space), said: map[SessionID][]message{},
	}
	v.shelf.put(genesis)
	v.core = New(Config{Self: v.me.id, Holdings: v.shelf, Seed: 1, Expelled: func(_ memo.SpaceID, p Peer) bool { return v.expelled == p }})
	v.core.AddSpace(v.space, testSecret)
	return v
}

func (v *victim) step(in Input) {
	var e Effects
	v.core.Step(v.now, in, &e)
	for _, d := range e.Deliver {
		v.bytes += d.Bytes
		a := v.shelf.attach(d)
		if v.keep {
			v.held++
			continue
		}
		v.step(a)
	}
	for _, k := range e.Keep {
		v.shelf.keep(k)
	}
	v.fetched, v.folds = append(v.fetched, e.Fetched...), v.folds+len(e.Fold)
	for _, s := range e.Send {
		m, err := decode(s.Data)
		if err != nil {
			v.t.Fatalf("the core sent what it cannot read: %v", err)
		}
		v.said[s.Session] = append(v.said[s.Session], m)
	}
	v.closes = append(v.closes, e.Close...)
}

// frame brings one frame of the partner's, if it passes Prepare.
func (v *victim) frame(id SessionID, m message) error { return v.raw(id, encode(m)) }

func (v *victim) raw(id SessionID, data []byte) error {
	in := &Frame{Session: id, Peer: v.evil.id, Data: data}
	if err := Prepare(in); err != nil {
		v.step(Closed{Session: id, Err: err}) // as the driver does
		return err
	}
	v.step(in)
	return nil
}

func (v *victim) pass(d time.Duration) {
	for end := v.now.Add(d); v.now.Before(end); v.now = v.now.Add(TickEvery) {
		v.step(Tick{})
	}
}

func (v *victim) hello() *hello {
	return &hello{
		Type: typeHello, Version: wireVersion, Space: v.space, Credit: sessionCredit,
		Proof: proof(testSecret, v.space, v.evil.id, v.me.id), VecRoot: memo.ID{1},
	}
}

// session opens a stream and takes it up to a state.
func (v *victim) session(state string) SessionID {
	v.next += 2
	id := v.next
	steps := map[string][]message{
		"new":       {},
		"greeted":   {v.hello()},
		"streaming": {v.hello(), &vec{Type: typeVec}},
		"done":      {v.hello(), &vec{Type: typeVec}, &done{Type: typeDone}},
	}
	if state == "equal" {
		h := v.hello()
		h.VecRoot, _ = v.shelf.VecRoot(v.space)
		v.frame(id, h)
		return id
	}
	if strings.HasPrefix(state, "opened") {
		return v.opened(state)
	}
	for _, m := range steps[state] {
		v.frame(id, m)
	}
	if v.core.sessions[id] == nil && state != "new" {
		v.t.Fatalf("no session in state %s: %v", state, v.closes)
	}
	return id
}

// opened makes the victim open a stream to the partner.
func (v *victim) opened(state string) SessionID {
	v.core.Know(v.now, v.space, v.evil.id)
	v.step(PeerUp{v.evil.id})
	v.pass(2 * time.Second)
	id := v.core.nextID
	if v.core.sessions[id] == nil {
		v.t.Fatal("the victim opened no session")
	}
	if state != "opened" {
		v.frame(id, v.hello())
	}
	if state == "opened streaming" {
		v.frame(id, &vec{Type: typeVec})
	}
	return id
}

var victimStates = []string{
	"new", "greeted", "streaming", "done", "equal", "opened", "opened greeted", "opened streaming",
}

// raw returns the encoded run.
func raw(r *memo.Run) memo.Bytes {
	b, err := r.Encode()
	if err != nil {
		panic(err)
	}
	return memo.Bytes(b)
}

func runsOf(rs ...*memo.Run) *runs {
	m := &runs{Type: typeRuns}
	for _, r := range rs {
		m.Runs = append(m.Runs, raw(r))
	}
	return m
}

// write makes the partner's next run; its first one depends on the genesis.
func (v *victim) write(a *author, size int) *memo.Run {
	var deps []memo.Head
	if a.head.Seq == 0 {
		deps = []memo.Head{v.me.head}
	}
	return a.write(v.space, time.Second, deps, 1, size)
}

// healthy checks that an honest peer still gets and gives everything.
func (v *victim) healthy() {
	v.t.Helper()
	w := newWorld(1, 3, faults{delay: time.Millisecond, noGossip: true})
	a, c := w.replicas[0], w.replicas[2]
	a.core, a.shelf, w.space = v.core, v.shelf, v.space
	a.head = v.me.head
	w.now = v.now.Sub(epoch)
	w.connect(a, c)
	if !w.run(calm, func() bool { a, _ := a.shelf.VecRoot(w.space); c, _ := c.shelf.VecRoot(w.space); return a == c }) {
		v.t.Fatal("the victim does not serve an honest peer any more")
	}
}

var lo, hi = Peer{1}, Peer{2}

func head(a Peer, seq uint64) vecHead { return vecHead{Author: a, Seq: seq, ID: memo.ID{1}} }

func vecOf(more bool, hs ...vecHead) *vec { return &vec{Type: typeVec, Heads: hs, More: more} }

// lies are frames that a partner must not send in a state.
var lies = []struct {
	name, state string
	frame       func(v *victim) message
	want        string // of the error; "" when the session goes on
	innocent    bool   // no blame
}{
	{"vec first", "new", func(*victim) message { return vecOf(false) }, "unexpected VEC", false},
	{"runs first", "new", func(v *victim) message { return runsOf(v.write(v.evil, 1)) }, "unexpected RUNS", false},
	{"credit first", "new", func(*victim) message { return &credit{Type: typeCredit, Bytes: 1} }, "unexpected CREDIT", false},
	{"done first", "new", func(*victim) message { return &done{Type: typeDone} }, "unexpected DONE", false},
	{"wrong secret", "new", func(v *victim) message {
		h := v.hello()
		h.Proof = proof(Secret{6}, v.space, v.evil.id, v.me.id)
		return h
	}, "did not prove", true},
	{"another space", "new", func(v *victim) message {
		h := v.hello()
		h.Space = memo.SpaceID{9}
		return h
	}, "did not prove", true},
	{"our proof reflected", "new", func(v *victim) message {
		h := v.hello()
		h.Proof = proof(testSecret, v.space, v.me.id, v.evil.id)
		return h
	}, "did not prove", true},
	{"another version", "new", func(v *victim) message { h := v.hello(); h.Version = 2; return h }, "version 2", false},
	{"second hello", "greeted", func(v *victim) message { return v.hello() }, "unexpected HELLO", false},
	{"runs before vec", "greeted", func(v *victim) message { return runsOf(v.write(v.evil, 1)) }, "unexpected RUNS", false},
	{"authors descend", "greeted", func(*victim) message { return vecOf(false, head(hi, 1), head(lo, 1)) }, "do not ascend", false},
	{"author twice", "greeted", func(*victim) message { return vecOf(false, head(lo, 1), head(lo, 2)) }, "do not ascend", false},
	{"seq without digest", "greeted", func(*victim) message { return vecOf(false, vecHead{Author: lo, Seq: 1}) }, "VEC with seq", false},
	{"digest without seq", "greeted", func(*victim) message { return vecOf(false, head(lo, 0)) }, "VEC with seq", false},
	{"empty vec, more to come", "greeted", func(*victim) message { return vecOf(true) }, "empty VEC", false},
	{"vec twice", "streaming", func(*victim) message { return vecOf(false) }, "unexpected VEC", false},
	{"vec when equal", "equal", func(*victim) message { return vecOf(false) }, "unexpected VEC", false},
	{"opener's entry in an answer", "opened greeted", func(*victim) message { return vecOf(false, vecHead{Author: lo}) }, "VEC with seq", false},
	{"greatest seq", "greeted", func(v *victim) message { return vecOf(false, head(v.me.id, math.MaxUint64)) }, "", true},
	{"nodes of no tree", "opened greeted", func(*victim) message { return &vecNodes{Type: typeVecNodes, Nodes: []memo.Bytes{"x"}} }, "without the root", false},
	{"nodes to who lists", "greeted", func(*victim) message { return &vecNodes{Type: typeVecNodes, Nodes: []memo.Bytes{"x"}} }, "unexpected VECNODES", false},
	{"nodes behind the list", "opened streaming", func(*victim) message { return &vecNodes{Type: typeVecNodes, Nodes: []memo.Bytes{"x"}} }, "unexpected VECNODES", false},
	{"nodes of a list", "greeted", func(*victim) message { return &vecWant{Type: typeVecWant} }, "unexpected VECWANT", false},
	{"no runs in runs", "streaming", func(*victim) message { return runsOf() }, "unexpected RUNS", false},
	{"runs after done", "done", func(v *victim) message { return runsOf(v.write(v.evil, 1)) }, "unexpected RUNS", false},
	{"done twice", "done", func(*victim) message { return &done{Type: typeDone} }, "unexpected DONE", false},
	{"run we have", "streaming", func(v *victim) message {
		return &runs{Type: typeRuns, Runs: []memo.Bytes{memo.Bytes(v.shelf.runs[v.me.id][0].raw)}}
	}, "not asked for", false},
	{"run twice", "streaming", func(v *victim) message { r := v.write(v.evil, 1); return runsOf(r, r) }, "sent twice", false},
	{"run of another space", "streaming", func(v *victim) message { return runsOf(v.other.found()) }, "another space", false},
	{"a chain that does not hold", "streaming", func(v *victim) message {
		first := v.write(v.evil, 1)
		v.evil.head.ID = memo.ID{7}
		return runsOf(first, v.write(v.evil, 1))
	}, "", true},
	{"credit of nothing", "streaming", func(*victim) message { return &credit{Type: typeCredit} }, "CREDIT of 0", false},
	{"credit for more than came", "streaming", func(*victim) message { return &credit{Type: typeCredit, Bytes: math.MaxUint64} }, "unexpected CREDIT", false},
	{"greatest credit in hello", "new", func(v *victim) message { h := v.hello(); h.Credit = math.MaxUint64; return h }, "", true},
	{"answer about another space", "opened", func(v *victim) message { h := v.hello(); h.Space = memo.SpaceID{9}; return h }, "did not prove", true},
}

// TestHostilePartner says what a lie costs: which session ends, and whether the
// liar is blamed.
func TestHostilePartner(t *testing.T) {
	for _, c := range lies {
		t.Run(c.name, func(t *testing.T) {
			v := newVictim(t)
			id := v.session(c.state)
			if err := v.frame(id, c.frame(v)); err != nil {
				t.Fatalf("did not pass Prepare: %v", err)
			}
			if c.want == "" {
				if len(v.closes) > 0 {
					t.Fatalf("the session ended: %v", v.closes)
				}
				v.healthy()
				return
			}
			if len(v.closes) != 1 || v.closes[0].Err == nil || !strings.Contains(v.closes[0].Err.Error(), c.want) {
				t.Fatalf("closes %v, want one about %q", v.closes, c.want)
			}
			if got := v.closes[0].Blame; got == c.innocent {
				t.Errorf("blame is %v", got)
			}
			v.frame(id, v.hello()) // still on its way: must not begin a new session
			if v.core.sessions[id] != nil {
				t.Error("a late frame began the session anew")
			}
			v.step(Closed{Session: id, Err: v.closes[0].Err})
			v.healthy()
		})
	}
}

// TestStrangerLearnsNothing compares the answers about a space that is here and
// one that is not.
func TestStrangerLearnsNothing(t *testing.T) {
	answer := func(space memo.SpaceID) (string, int) {
		v := newVictim(t)
		h := v.hello()
		h.Space, h.Proof = space, [proofSize]byte{1}
		v.frame(1, h)
		if len(v.closes) != 1 || !errors.Is(v.closes[0].Err, ErrRefused) {
			t.Fatalf("closes %v, want ErrRefused", v.closes)
		}
		return v.closes[0].Err.Error(), len(v.said)
	}
	here, saidHere := answer(newVictim(t).space)
	away, saidAway := answer(memo.SpaceID{9})
	if here != away || saidHere+saidAway != 0 {
		t.Errorf("answers differ: %q and %d frames, %q and %d frames", here, saidHere, away, saidAway)
	}
}
