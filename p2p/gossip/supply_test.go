package gossip

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"lightcone/memo"
)

func (v *victim) fetchFrame() *fetch {
	return &fetch{Type: typeFetch, Version: wireVersion, Space: v.space, Proof: proof(testSecret, v.space, v.evil.id, v.me.id)}
}

// supplied takes a session that carries blocks up to a state. In the first two the
// partner opened it, in the others the victim did, to fetch a root of the
// partner's.
func (v *victim) supplied(state string) SessionID {
	v.t.Helper()
	root := memo.Sum([]byte("root"))
	switch state {
	case "new", "greeted", "streaming", "opened greeted":
		return v.session(state)
	case "served":
		v.next += 2
		v.frame(v.next, v.fetchFrame())
		return v.next
	}
	v.core.Know(v.now, v.space, v.evil.id)
	v.step(PeerUp{v.evil.id})
	if state == "asked the newest" {
		root = memo.ID{}
	}
	v.step(Fetch{Space: v.space, Root: root, Origin: v.evil.id, Parts: StatePart})
	for id, s := range v.core.sessions {
		if s.supply != nil {
			if state == "asking" {
				v.frame(id, v.fetchFrame())
			}
			return id
		}
	}
	v.t.Fatal("the victim asks nobody")
	return 0
}

func blockOf(data string) *memo.Bytes { b := memo.Bytes(data); return &b }

// supplyLies are frames that a partner must not send in a state.
var supplyLies = []struct {
	name, state string
	frame       func(v *victim) message
	want        string // of the error
	innocent    bool
}{
	{"want first", "new", func(*victim) message { return &want{Type: typeWant, IDs: []memo.ID{{1}}} }, "unexpected WANT", false},
	{"want seals first", "new", func(*victim) message { return &wantSeals{Type: typeWantSeals, Heads: []vecHead{head(lo, 1)}} }, "unexpected WANTSEALS", false},
	{"blocks first", "new", func(*victim) message { return &blocks{Type: typeBlocks, Blocks: []*memo.Bytes{nil}} }, "unexpected BLOCKS", false},
	{"seals first", "new", func(*victim) message { return &seals{Type: typeSeals} }, "unexpected SEALS", false},
	{"wrong secret", "new", func(v *victim) message {
		f := v.fetchFrame()
		f.Proof = proof(Secret{6}, v.space, v.evil.id, v.me.id)
		return f
	}, "did not prove", true},
	{"another space", "new", func(v *victim) message { f := v.fetchFrame(); f.Space = memo.SpaceID{9}; return f }, "did not prove", true},
	{"our proof reflected", "new", func(v *victim) message {
		f := v.fetchFrame()
		f.Proof = proof(testSecret, v.space, v.me.id, v.evil.id)
		return f
	}, "did not prove", true},
	{"another version", "new", func(v *victim) message { f := v.fetchFrame(); f.Version = 2; return f }, "version 2", false},
	{"an opener's root", "new", func(v *victim) message { f := v.fetchFrame(); f.Root = &testLink; return f }, "unexpected FETCH", false},
	{"fetch after hello", "greeted", func(v *victim) message { return v.fetchFrame() }, "unexpected FETCH", false},
	{"fetch in our recon", "opened greeted", func(v *victim) message { return v.fetchFrame() }, "unexpected FETCH", false},
	{"want in recon", "streaming", func(*victim) message { return &want{Type: typeWant, IDs: []memo.ID{{1}}} }, "unexpected WANT", false},
	{"fetch twice", "served", func(v *victim) message { return v.fetchFrame() }, "unexpected FETCH", false},
	{"hello after fetch", "served", func(v *victim) message { return v.hello() }, "unexpected HELLO", false},
	{"vec after fetch", "served", func(*victim) message { return vecOf(false) }, "unexpected VEC", false},
	{"runs after fetch", "served", func(v *victim) message { return runsOf(v.write(v.evil, 1)) }, "unexpected RUNS", false},
	{"credit after fetch", "served", func(*victim) message { return &credit{Type: typeCredit, Bytes: 1} }, "unexpected CREDIT", false},
	{"want of nothing", "served", func(*victim) message { return &want{Type: typeWant} }, "unexpected WANT", false},
	{"want of no seals", "served", func(*victim) message { return &wantSeals{Type: typeWantSeals} }, "unexpected WANTSEALS", false},
	{"blocks to who serves", "served", func(*victim) message { return &blocks{Type: typeBlocks, Blocks: []*memo.Bytes{nil}} }, "unexpected BLOCKS", false},
	{"seals to who serves", "served", func(*victim) message { return &seals{Type: typeSeals, Seals: []*sealedHead{nil}} }, "unexpected SEALS", false},
	{"no proof in the answer", "asked", func(v *victim) message { f := v.fetchFrame(); f.Proof[0] ^= 1; return f }, "did not prove", true},
	{"blocks before the answer", "asked", func(*victim) message { return &blocks{Type: typeBlocks, Blocks: []*memo.Bytes{nil}} }, "unexpected BLOCKS", false},
	{"want to who asks", "asking", func(*victim) message { return &want{Type: typeWant, IDs: []memo.ID{{1}}} }, "unexpected WANT", false},
	{"want seals to who asks", "asking", func(*victim) message { return &wantSeals{Type: typeWantSeals, Heads: []vecHead{head(lo, 1)}} }, "unexpected WANTSEALS", false},
	{"seals not asked for", "asking", func(v *victim) message { return &seals{Type: typeSeals, Space: v.space} }, "unexpected SEALS", false},
	{"another root", "asking", func(*victim) message { return &blocks{Type: typeBlocks, Blocks: []*memo.Bytes{blockOf("x")}} }, "was asked for", false},
	{"two blocks for one", "asking", func(*victim) message { return &blocks{Type: typeBlocks, Blocks: []*memo.Bytes{nil, nil}} }, "unexpected BLOCKS", false},
	{"done by who serves", "asking", func(*victim) message { return &done{Type: typeDone} }, "unexpected DONE", false},
	{"word to who serves", "served", func(v *victim) message { return v.word(v.evil) }, "unexpected WORD", false},
	{"word before the answer", "asked", func(v *victim) message { return v.word(v.evil) }, "unexpected WORD", false},
	{"another's word", "asking", func(v *victim) message { return v.word(v.other) }, "unexpected WORD", false},
	{"want run first", "new", func(*victim) message { return wantRunOf(lo, 1) }, "unexpected WANTRUN", false},
	{"want run in recon", "streaming", func(*victim) message { return wantRunOf(lo, 1) }, "unexpected WANTRUN", false},
	{"want run to who asks", "asking", func(*victim) message { return wantRunOf(lo, 1) }, "unexpected WANTRUN", false},
	{"want run of memo 0", "served", func(*victim) message { return wantRunOf(lo, 0) }, "unexpected WANTRUN", false},
	{"runs to who fetches", "asking", func(v *victim) message { return runsOf(v.write(v.evil, 1)) }, "unexpected RUNS", false},
	{"hello to who fetches", "asking", func(v *victim) message { return v.hello() }, "unexpected HELLO", false},
}

// What a lie costs in a session that carries blocks: that session, and blame.
func TestHostileSupply(t *testing.T) {
	for _, c := range supplyLies {
		t.Run(c.name, func(t *testing.T) {
			v := newVictim(t)
			id := v.supplied(c.state)
			if err := v.frame(id, c.frame(v)); err != nil {
				t.Fatalf("did not pass Prepare: %v", err)
			}
			if len(v.closes) != 1 || v.closes[0].Err == nil || !strings.Contains(v.closes[0].Err.Error(), c.want) {
				t.Fatalf("closes %v, want one about %q", v.closes, c.want)
			}
			if got := v.closes[0].Blame; got == c.innocent {
				t.Errorf("blame is %v", got)
			}
			v.frame(id, v.fetchFrame()) // still on its way: must not begin a new session
			if v.core.sessions[id] != nil {
				t.Error("a late frame began the session anew")
			}
			v.step(Closed{Session: id, Err: v.closes[0].Err})
			v.healthy()
		})
	}
}

// A stranger is not told whether a space is here, nor anything of it.
func TestStrangerGetsNoBlocks(t *testing.T) {
	answer := func(space memo.SpaceID) (string, int) {
		v := newVictim(t)
		f := v.fetchFrame()
		f.Space, f.Proof, f.Fresh = space, [proofSize]byte{1}, true
		v.frame(1, f)
		v.frame(1, &want{Type: typeWant, IDs: []memo.ID{v.me.head.ID}})
		if len(v.closes) != 1 || !errors.Is(v.closes[0].Err, ErrRefused) || v.folds > 0 {
			t.Fatalf("closes %v, %d folds, want ErrRefused alone", v.closes, v.folds)
		}
		return v.closes[0].Err.Error(), len(v.said)
	}
	here, saidHere := answer(newVictim(t).space)
	away, saidAway := answer(memo.SpaceID{9})
	if here != away || saidHere+saidAway != 0 {
		t.Errorf("answers differ: %q and %d frames, %q and %d frames", here, saidHere, away, saidAway)
	}
}

// twoShelves is a replica of two spaces.
type twoShelves struct {
	*shelf
	other *shelf
}

func (s twoShelves) of(space memo.SpaceID) *shelf {
	if space == s.other.space {
		return s.other
	}
	return s.shelf
}

func (s twoShelves) Block(space memo.SpaceID, id memo.ID) ([]byte, error) {
	return s.of(space).Block(space, id)
}

func (s twoShelves) Vector(space memo.SpaceID) memo.Vector { return s.of(space).Vector(space) }

// A member of one space gets blocks and seals of that space alone, even if he knows
// those of another by name.
func TestBlocksStayInTheirSpace(t *testing.T) {
	v := newVictim(t)
	foreign := v.other.found()
	other := newShelf(foreign.Space)
	other.put(foreign)
	v.core.cfg.Holdings = twoShelves{v.shelf, other}
	v.core.AddSpace(foreign.Space, Secret{9})
	ours, theirs := memo.Sum([]byte("ours")), memo.Sum([]byte("theirs"))
	v.shelf.blocks[ours], other.blocks[theirs] = []byte("ours"), []byte("theirs")

	id := v.supplied("served")
	v.frame(id, &want{Type: typeWant, IDs: []memo.ID{theirs, ours}})
	got, ok := v.last(id).(*blocks)
	if !ok || len(got.Blocks) != 2 || got.Blocks[0] != nil || got.Blocks[1] == nil || *got.Blocks[1] != "ours" {
		t.Errorf("answered %v", v.last(id))
	}
	h := foreign.Head()
	v.frame(id, &wantSeals{Type: typeWantSeals, Heads: []vecHead{{Author: h.Author, Seq: h.Seq, ID: h.ID}}})
	if got, ok := v.last(id).(*seals); !ok || len(got.Seals) != 1 || got.Seals[0] != nil {
		t.Errorf("answered %v", v.last(id))
	}
}

func (v *victim) last(id SessionID) message {
	v.t.Helper()
	said := v.said[id]
	if len(said) == 0 {
		v.t.Fatal("nothing was said")
	}
	return said[len(said)-1]
}

// Seals are given of sealed heads that are held, of the branch that is held.
func TestSealsServed(t *testing.T) {
	v := newVictim(t)
	first := v.me.write(v.space, time.Second, nil, 2, 1)
	second := v.me.write(v.space, time.Second, nil, 1, 1)
	v.shelf.put(first)
	v.shelf.put(second)
	id := v.supplied("served")
	asked := []struct {
		memo.Head
		held bool
	}{
		{second.Head(), true},
		{first.Head(), true},
		{first.Memos[0].Head(), false}, // within a run
		{memo.Head{Author: v.me.id, Seq: second.Head().Seq, ID: memo.ID{1}}, false}, // another branch
		{memo.Head{Author: v.me.id, Seq: first.Head().Seq, ID: memo.ID{1}}, false},
		{memo.Head{Author: v.me.id, Seq: 99, ID: memo.ID{1}}, false},
		{memo.Head{Author: v.me.id}, false},
		{memo.Head{Author: v.evil.id, Seq: 1, ID: memo.ID{1}}, false},
	}
	m := &wantSeals{Type: typeWantSeals}
	for _, h := range asked {
		m.Heads = append(m.Heads, vecHead{Author: h.Author, Seq: h.Seq, ID: h.ID})
	}
	v.frame(id, m)
	got := v.last(id).(*seals)
	if _, err := verifySeals(got); err != nil {
		t.Fatal(err)
	}
	for i, h := range asked {
		if held := got.Seals[i] != nil; held != h.held {
			t.Errorf("seal of head %d, %s: given %v", i, h.Head, held)
		}
	}
}

// A peer that asks for the newest root gets one that covers what was held when it
// asked, or, when the fold takes too long or fails, the newest there is.
func TestAnswerWaitsForTheFold(t *testing.T) {
	fresh := func(v *victim) SessionID {
		f := v.fetchFrame()
		f.Fresh = true
		v.next += 2
		v.frame(v.next, f)
		return v.next
	}
	fold := func(v *victim) Folded {
		r := &replica{shelf: v.shelf, w: &world{space: v.space}}
		return r.newRoot()
	}
	t.Run("answers when it is done", func(t *testing.T) {
		v := newVictim(t)
		stale := fold(v)
		v.shelf.put(v.me.write(v.space, time.Second, nil, 1, 1))
		id := fresh(v)
		v.step(stale) // began before
		if len(v.said[id]) > 0 || v.folds != 1 {
			t.Fatalf("said %v, %d folds", v.said[id], v.folds)
		}
		done := fold(v)
		v.step(done)
		if got := v.last(id).(*fetch); got.Root == nil || memo.ID(*got.Root) != done.ID || got.Fresh {
			t.Errorf("answered %v, want root %s", got, done.ID)
		}
		v.step(done)
		if len(v.said[id]) != 1 {
			t.Error("answered twice")
		}
	})
	t.Run("needs none", func(t *testing.T) {
		v := newVictim(t)
		f := fold(v)
		v.shelf.root = &f.Root.Vector // what a real replica computes
		id := fresh(v)
		if got := v.last(id).(*fetch); v.folds > 0 || got.Root == nil || memo.ID(*got.Root) != f.ID {
			t.Errorf("answered %v after %d folds", got, v.folds)
		}
	})
	t.Run("takes too long", func(t *testing.T) {
		v := newVictim(t)
		id := fresh(v)
		v.pass(foldPatience - time.Second)
		if len(v.said[id]) > 0 {
			t.Fatal("answered early")
		}
		v.pass(2 * time.Second)
		if got := v.last(id).(*fetch); got.Root != nil {
			t.Errorf("answered %v", got)
		}
	})
	t.Run("fails", func(t *testing.T) {
		v := newVictim(t)
		id := fresh(v)
		v.step(Folded{Space: v.space, Err: errors.New("disk on fire")})
		if got := v.last(id).(*fetch); got.Root != nil {
			t.Errorf("answered %v", got)
		}
	})
}

// A member that asks without end comes to the end of its session.
func TestEndlessWantsEnd(t *testing.T) {
	const left = 4 << 20 // the rest of the session was asked for before
	for name, m := range map[string]message{
		"blocks that are held":     &want{Type: typeWant, IDs: []memo.ID{memo.Sum(fill(50_000, 1))}},
		"blocks that are not held": &want{Type: typeWant, IDs: make([]memo.ID, wantChunk)},
		"seals":                    &wantSeals{Type: typeWantSeals, Heads: make([]vecHead, sealChunk)},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVictim(t)
			v.shelf.blocks[memo.Sum(fill(50_000, 1))] = fill(50_000, 1)
			id := v.supplied("served")
			v.core.sessions[id].supply.bytes = supplyBytes - left
			for n := 0; len(v.closes) == 0; n++ {
				v.said = map[SessionID][]message{}
				if v.frame(id, m); n > left/(answerCost*wantChunk) { // what the cheapest of the three costs
					t.Fatal("no end")
				}
			}
			if last := v.closes[0]; !errors.Is(last.Err, errFull) || last.Blame {
				t.Errorf("ended with %+v", last)
			}
			v.healthy()
		})
	}
}

// Blocks go out in frames of a bounded size, each alone if it must; one that no
// frame can hold is not held.
func TestBlocksFrames(t *testing.T) {
	v := newVictim(t)
	var ids []memo.ID
	for i, n := range []int{100_000, 100_000, 100_000, blocksFrame + 1, 10, maxBlock, maxBlock + 1, 10} {
		data := fill(n, byte(i))
		ids = append(ids, memo.Sum(data))
		v.shelf.blocks[memo.Sum(data)] = data
	}
	id := v.supplied("served")
	v.said[id] = nil
	v.frame(id, &want{Type: typeWant, IDs: ids})
	var got []string
	for _, m := range v.said[id] {
		h, err := hashBlocks(m.(*blocks))
		if err != nil {
			t.Fatal(err)
		}
		for i, b := range h.blocks {
			got = append(got, fmt.Sprintf("%d:%d", i, len(b.Data)))
		}
	}
	want := fmt.Sprintf("0:100000 1:100000 0:100000 0:%d 0:10 0:%d 0:0 1:10", blocksFrame+1, maxBlock)
	if all := strings.Join(got, " "); all != want {
		t.Errorf("frames of %s, want %s", all, want)
	}
}

// Whoever is asked and does not answer is left, in time; the fetch ends.
func TestSilentPeerIsLeft(t *testing.T) {
	for _, state := range []string{"asked", "asked the newest", "asking"} {
		v := newVictim(t)
		v.supplied(state)
		begun := v.now
		for len(v.fetched) == 0 {
			v.pass(time.Second)
			switch waited := v.now.Sub(begun); {
			case waited > 2*(answerPatience+fetchPatience):
				t.Fatalf("%s: no end", state)
			case waited > answerPatience+2*time.Second && len(v.closes) == 0:
				t.Fatalf("%s: it is asked still, and nobody else", state)
			}
		}
		if err := v.fetched[0].Err; !errors.Is(err, ErrUnavailable) || v.fetched[0].From != v.evil.id {
			t.Errorf("%s: %+v", state, v.fetched[0])
		}
		for _, c := range v.closes {
			if c.Blame {
				t.Errorf("%s: silence is blamed", state)
			}
		}
		v.healthy()
	}
}

// A failing disk is not the peer's fault.
func TestFetchOnABrokenDisk(t *testing.T) {
	v := newVictim(t)
	v.core.cfg.Holdings = brokenShelf{v.shelf}
	v.step(Fetch{Space: v.space, Root: memo.ID{1}, Parts: StatePart})
	if len(v.fetched) != 1 || !errors.Is(v.fetched[0].Err, errNoRun) {
		t.Errorf("ended with %+v", v.fetched)
	}
	v.core.cfg.Holdings = v.shelf
	id := v.supplied("served")
	v.core.cfg.Holdings = brokenShelf{v.shelf}
	v.frame(id, &want{Type: typeWant, IDs: []memo.ID{{1}}})
	if len(v.closes) != 1 || v.closes[0].Blame || !errors.Is(v.closes[0].Err, errLocal) {
		t.Errorf("closes %v", v.closes)
	}
}

type brokenShelf struct{ *shelf }

func (brokenShelf) Block(memo.SpaceID, memo.ID) ([]byte, error) { return nil, errNoRun }
