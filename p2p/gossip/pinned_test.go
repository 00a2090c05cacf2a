package gossip

import (
	"testing"
	"time"

	"lightcone/memo"
)

// TestSybilsDoNotStarve: a member comes with hundreds of keys, all of which prove to
// know the secret, are always due, and answer that they have just what we have. The
// peer that was known before them is turned to all the same.
func TestSybilsDoNotStarve(t *testing.T) {
	v := newVictim(t)
	v.core.Know(v.now, v.space, v.other.id)
	sybils := authors(7, 300)
	for i, s := range sybils {
		id := SessionID(1 + 2*i)
		h := v.hello()
		h.Proof = proof(testSecret, v.space, s.id, v.me.id)
		h.VecRoot, _ = v.shelf.VecRoot(v.space)
		v.from(s.id, id, h)
		v.step(Closed{Session: id})
	}
	opened := map[Peer]int{}
	var step func(in Input)
	step = func(in Input) {
		var e Effects
		if err := Prepare(in); err != nil {
			t.Fatal(err)
		}
		v.core.Step(v.now, in, &e)
		for _, o := range e.Open { // the answer comes at once
			opened[o.Peer]++
			h := v.hello()
			h.Proof = proof(testSecret, v.space, o.Peer, v.me.id)
			h.VecRoot, _ = v.shelf.VecRoot(v.space)
			step(&Frame{Session: o.Session, Peer: o.Peer, Data: encode(h)})
			step(Closed{Session: o.Session})
		}
	}
	step(PeerUp{v.other.id})
	for _, s := range sybils {
		step(PeerUp{s.id})
	}
	v.now = v.now.Add(politeness)
	for range int(5 * time.Minute / TickEvery) {
		v.now = v.now.Add(TickEvery)
		step(Tick{})
	}
	if n := opened[v.other.id]; n < 4 || n > 20 {
		t.Errorf("%d sessions were opened with the honest peer, with %d others one at least", n, len(opened)-1)
	}
}

// from brings one frame of any peer.
func (v *victim) from(p Peer, id SessionID, m message) {
	v.t.Helper()
	in := &Frame{Session: id, Peer: p, Data: encode(m)}
	if err := Prepare(in); err != nil {
		v.t.Fatal(err)
	}
	v.step(in)
}

// TestPinnedAreFirst: the first peers that are known are pinned, no more.
func TestPinnedAreFirst(t *testing.T) {
	v := newVictim(t)
	all := authors(8, 3*maxPinned)
	for _, a := range all {
		v.core.Know(v.now, v.space, a.id)
	}
	for i, a := range all {
		if got := v.core.spaces[v.space].members[a.id].pinned; got != (i < maxPinned) {
			t.Errorf("peer %d is pinned: %v", i, got)
		}
	}
}

// TestWasteIsBlamedOnce: who withholds causes is blamed; who was slower than others, or
// whose runs found no room here, is not.
func TestWasteIsBlamedOnce(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(a *Attached)
		blame  bool
	}{
		"causes withheld":    {func(a *Attached) { a.Orphans = true }, true},
		"another was faster": {func(*Attached) {}, false},
		"no room here":       {func(a *Attached) { a.Orphans, a.Excused = true, true }, false},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVictim(t)
			v.keep = true
			id := v.session("streaming")
			for sent := 0; sent <= sessionWaste+memo.MaxRunBytes && len(v.closes) == 0; sent += 180_000 {
				before := v.bytes
				if err := v.frame(id, runsOf(v.write(v.evil, 180_000))); err != nil {
					t.Fatal(err)
				}
				a := &Attached{Space: v.space, From: v.evil.id, Session: id, Bytes: v.bytes - before}
				c.answer(a)
				v.step(a)
			}
			if len(v.closes) != 1 || v.closes[0].Blame != c.blame {
				t.Errorf("closes %v, want one with blame %v", v.closes, c.blame)
			}
		})
	}
}
