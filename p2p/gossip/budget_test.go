package gossip

import (
	"crypto/ed25519"
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"lightcone/memo"
)

// TestEndlessStreamsEnd has a partner keep sessions going in every way; each
// ends within its budget.
func TestEndlessStreamsEnd(t *testing.T) {
	for _, c := range []struct {
		name   string
		state  string
		within time.Duration
		blame  bool
		more   func(v *victim, id SessionID) // once a second
	}{
		{"silence", "greeted", sessionIdle, false, func(*victim, SessionID) {}},
		{"silence of equals", "equal", sessionIdle, false, func(*victim, SessionID) {}},
		{"silence to our hello", "opened", sessionIdle, false, func(*victim, SessionID) {}},
		{"vectors of made up authors", "greeted", sessionLife, false, func(v *victim, id SessionID) {
			var a Peer
			binary.BigEndian.PutUint64(a[:], uint64(v.now.UnixNano()))
			v.frame(id, &vec{Type: typeVec, More: true, Heads: []vecHead{{Author: a, Seq: 1, ID: memo.ID{1}}}})
		}},
		{"a memo a second", "streaming", sessionLife, false, func(v *victim, id SessionID) {
			v.frame(id, runsOf(v.write(v.evil, 1)))
		}},
		{"runs whose causes are withheld", "streaming", 40 * time.Second, true, func(v *victim, id SessionID) {
			v.write(v.evil, 1) // never sent
			v.frame(id, runsOf(v.write(v.evil, 180_000)))
		}},
		{"more than the window", "streaming", 20 * time.Second, true, func(v *victim, id SessionID) {
			v.keep = true // nothing is attached
			v.frame(id, runsOf(v.write(v.evil, 180_000)))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := newVictim(t)
			id := v.session(c.state)
			begun := v.now
			for v.core.sessions[id] != nil {
				v.pass(time.Second)
				c.more(v, id)
				if took := v.now.Sub(begun); took > c.within+3*time.Second {
					t.Fatalf("still going after %v: %+v", took, v.core.sessions[id])
				}
			}
			if last := v.closes[len(v.closes)-1]; last.Blame != c.blame {
				t.Errorf("ended with %+v, want blame %v", last, c.blame)
			}
			if v.bytes > sessionBytes+memo.MaxForkProofRun {
				t.Errorf("%d bytes were let in", v.bytes)
			}
			v.healthy()
		})
	}
}

// TestSessionLimits has one peer, then many, open sessions without end.
func TestSessionLimits(t *testing.T) {
	v := newVictim(t)
	for range 5 {
		v.session("new")
		v.frame(v.next, v.hello())
	}
	if got := len(v.core.sessions); got != MaxPeerSessions {
		t.Errorf("%d sessions of one peer, want %d", got, MaxPeerSessions)
	}
	for _, a := range authors(2, 10) {
		v.next += 2
		h := v.hello()
		h.Proof = proof(testSecret, v.space, a.id, v.me.id)
		in := &Frame{Session: v.next, Peer: a.id, Data: encode(h)}
		if err := Prepare(in); err != nil {
			t.Fatal(err)
		}
		v.step(in)
	}
	if got, want := len(v.core.sessions), MaxSessions-keptSessions; got != want {
		t.Errorf("%d accepted sessions, want %d", got, want)
	}
	for _, c := range v.closes {
		if c.Blame {
			t.Errorf("blamed: %v", c.Err)
		}
	}
	v.healthy() // there is room left for our own
}

// TestPullsFromOne: while one session brings memos, those that others open
// serve and take nothing.
func TestPullsFromOne(t *testing.T) {
	v := newVictim(t)
	first, second := v.session("streaming"), v.session("streaming")
	grants := func(id SessionID) uint64 { return v.said[id][0].(*hello).Credit }
	if grants(first) != sessionCredit || grants(second) != 0 {
		t.Fatalf("granted %d and %d", grants(first), grants(second))
	}
	v.frame(second, runsOf(v.write(v.evil, 1)))
	if len(v.closes) != 1 || !v.closes[0].Blame {
		t.Fatalf("runs without credit: closes %v", v.closes)
	}
	// The first session stalls: the next may pull beside it.
	v.pass(pullStall + time.Second)
	if third := v.session("streaming"); grants(third) != sessionCredit {
		t.Errorf("granted %d after the first stalled", grants(third))
	}
}

// TestServesWithinCredit counts what an honest core sends to a partner that
// grants little and gives back slowly.
func TestServesWithinCredit(t *testing.T) {
	v := newVictim(t)
	for range 20 {
		v.shelf.put(v.write(v.me, 1000))
	}
	h := v.hello()
	h.Credit = 2500
	v.frame(1, h)
	v.frame(1, &vec{Type: typeVec, Heads: []vecHead{{Author: v.me.id}}})
	sent := func() (n int) {
		for _, m := range v.said[1] {
			if r, ok := m.(*runs); ok {
				for _, b := range r.Runs {
					n += len(b)
				}
			}
		}
		return n
	}
	for back := 0; back < 15_000; back += 1500 {
		limit := 2500 + back
		if got := sent(); got < limit-1 || got >= limit+1300 {
			t.Fatalf("sent %d bytes under a credit of %d", got, limit)
		}
		v.frame(1, &credit{Type: typeCredit, Bytes: 1500})
	}
}

// TestMadeUpAuthors: what a peer claims to have is bounded.
func TestMadeUpAuthors(t *testing.T) {
	var m member
	for i := range uint64(maxHas + 1000) {
		var a Peer
		binary.BigEndian.PutUint64(a[:], i)
		m.note(memo.Head{Author: a, Seq: 1, ID: memo.ID{1}})
	}
	if m.has.Len() != maxHas {
		t.Errorf("%d authors are remembered, want %d", m.has.Len(), maxHas)
	}
}

// TestGarbage throws frames of every type, whole and damaged, at sessions in
// every state.
func TestGarbage(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		v := newVictim(t)
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 3))
		id := v.session(rapid.SampledFrom(victimStates).Draw(rt, "state"))
		for range rapid.IntRange(1, 40).Draw(rt, "frames") {
			data := encode(v.anything(rng))
			for range rng.IntN(3) {
				data[rng.IntN(len(data))] ^= 1 << rng.IntN(8)
			}
			if rng.IntN(8) == 0 {
				data = data[:rng.IntN(len(data))]
			}
			if rng.IntN(4) == 0 {
				id = v.session("new")
			}
			v.raw(id, data)
			if rng.IntN(8) == 0 {
				v.pass(time.Duration(rng.IntN(3000)) * time.Millisecond)
			}
			if n := len(v.core.sessions); n > MaxSessions {
				t.Fatalf("%d sessions", n)
			}
		}
		v.healthy()
	})
}

// anything is a message of any type, right or wrong.
func (v *victim) anything(rng *rand.Rand) message {
	author := Peer{byte(rng.IntN(4))}
	if rng.IntN(2) == 0 {
		author = []Peer{v.me.id, v.evil.id, v.other.id}[rng.IntN(3)]
	}
	switch rng.IntN(7) {
	case 0:
		return v.hello()
	case 1:
		return &vec{Type: typeVec, More: rng.IntN(4) == 0}
	case 2:
		return &vec{Type: typeVec, More: rng.IntN(4) == 0, Heads: []vecHead{{Author: author, Seq: rng.Uint64N(4), ID: memo.ID{byte(rng.IntN(3))}}}}
	case 3:
		return runsOf(v.write(v.evil, rng.IntN(3000)))
	case 4:
		other := &authorAt{*v.evil}
		return runsOf(other.write(v.space, time.Second, nil, 1+rng.IntN(3), 10))
	case 5:
		return &credit{Type: typeCredit, Bytes: rng.Uint64N(2000)}
	default:
		return &done{Type: typeDone}
	}
}

// authorAt is an author whose chain stays where it is: it forks.
type authorAt struct{ author }

func (a *authorAt) write(space memo.SpaceID, now time.Duration, deps []memo.Head, n, size int) *memo.Run {
	if a.head.Seq == 0 {
		a.head = memo.Head{Author: a.id, Seq: 1, ID: memo.ID{1}}
	}
	return a.author.write(space, now, deps, n, size)
}

// TestForgedRuns: what Prepare must not let pass.
func TestForgedRuns(t *testing.T) {
	v := newVictim(t)
	good := v.write(v.evil, 1)
	forged := *good
	forged.Seal = memo.Seal(ed25519.Sign(v.other.key, []byte("x")))
	for name, data := range map[string][]byte{
		"forged seal":    encode(runsOf(&forged)),
		"half a run":     encode(&runs{Type: typeRuns, Runs: []memo.Bytes{raw(good)[:40]}}),
		"empty run":      encode(&runs{Type: typeRuns, Runs: []memo.Bytes{""}}),
		"empty frame":    {},
		"unknown type":   {0x81, 0x06},
		"above MaxFrame": append(encode(&runs{Type: typeRuns}), make([]byte, MaxFrame)...),
	} {
		if err := Prepare(&Frame{Session: 1, Data: data}); err == nil {
			t.Errorf("%s: passed", name)
		}
	}
	for name, data := range map[string][]byte{
		"forged seal":   publication(1, []byte(raw(&forged))),
		"another space": publication(1, []byte(raw(v.other.found()))),
		"short":         {1, 2, 3},
		"version":       append([]byte{9}, make([]byte, 8)...),
		"above limit":   publication(1, make([]byte, MaxMessage)),
	} {
		if err := Prepare(&Heard{Space: v.space, Data: data}); err == nil {
			t.Errorf("publication, %s: passed", name)
		}
	}
}

// TestHeardOfStrangers: the topic is for members that proved it.
func TestHeardOfStrangers(t *testing.T) {
	v := newVictim(t)
	in := &Heard{Space: v.space, Peer: v.evil.id, Data: publication(1, []byte(raw(v.write(v.evil, 1))))}
	if err := Prepare(in); err != nil {
		t.Fatal(err)
	}
	v.core.Know(v.now, v.space, v.evil.id)
	v.step(in)
	if v.bytes > 0 {
		t.Fatal("a message of a peer without proof was delivered")
	}
	v.session("equal")
	v.step(in)
	if v.bytes == 0 {
		t.Fatal("a member's message was not delivered")
	}
}
