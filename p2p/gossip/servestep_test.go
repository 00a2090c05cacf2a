package gossip

import (
	"testing"

	"lightcone/memo"
)

// TestServesInSteps: however much credit a peer grants, one Step reads no more than
// serveStep of runs and asks for a Turn; the turns of two sessions alternate, and
// every run goes out once.
func TestServesInSteps(t *testing.T) {
	v := newVictim(t)
	for range 60 {
		v.shelf.put(v.write(v.me, 10_000))
	}
	sent := map[SessionID]int{} // bytes
	var e Effects
	step := func(in Input) (size int, by SessionID) {
		e = Effects{}
		if err := Prepare(in); err != nil {
			t.Fatal(err)
		}
		v.core.Step(v.now, in, &e)
		for _, s := range e.Send {
			m, err := decode(s.Data)
			if err != nil {
				t.Fatal(err)
			}
			if r, ok := m.(*runs); ok {
				for _, b := range r.Runs {
					size += len(b)
				}
				by = s.Session
			}
		}
		sent[by] += size
		if size >= serveStep+memo.MaxRunBytes {
			t.Errorf("%d bytes of runs in one step", size)
		}
		return size, by
	}
	for id := SessionID(1); id <= 3; id += 2 {
		for _, m := range []message{v.hello(), &vec{Type: typeVec, Heads: []vecHead{{Author: v.me.id}}}} {
			step(&Frame{Session: id, Peer: v.evil.id, Data: encode(m)})
		}
		if !e.Again {
			t.Fatal("no further turn is asked for")
		}
	}
	last := SessionID(0)
	for turns := 0; e.Again; turns++ {
		size, by := step(Turn{})
		if size == 0 || turns > 50 {
			t.Fatalf("turn %d sends %d bytes", turns, size)
		}
		if by == last && sent[1] < 600_000 && sent[3] < 600_000 {
			t.Errorf("session %d has two turns in a row", by)
		}
		last = by
	}
	if sent[1] != sent[3] || sent[1] < 60*10_000 {
		t.Errorf("sent %v", sent)
	}
}
