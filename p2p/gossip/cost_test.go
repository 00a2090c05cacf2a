package gossip

import (
	"errors"
	"testing"
	"time"

	"lightcone/merge"
)

// TestStateOrMemos: with the same rows held elsewhere, a state is fetched where many
// memos stand behind it, and left where few do; a reader who waits gets it anyway.
func TestStateOrMemos(t *testing.T) {
	for name, c := range map[string]struct {
		memos  uint64
		reader bool
		costly bool
	}{
		"many memos":             {50_000, false, false},
		"few memos":              {10, false, true},
		"few memos and a reader": {10, true, false},
		"whatever it costs":      {0, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(1, 2, faults{delay: 5 * time.Millisecond, noGossip: true})
			a, b := w.replicas[0], w.replicas[1]
			for range 200 {
				a.write(1, 100)
			}
			w.connect(a, b)
			if !w.run(calm, func() bool { return w.converged() && w.idle() }) {
				t.Fatal("no agreement")
			}
			for range 400 { // b learns of no root, and of these by it alone
				a.shelf.put(a.author.write(w.space, w.now, nil, 1, 100))
			}
			root := a.newRoot()
			b.step(Fetch{Space: w.space, Root: root.ID, Parts: StatePart, Memos: c.memos})
			if c.reader {
				b.step(Prefer{Space: w.space, Root: root.ID, Key: merge.RowKey("t", "row-000001")})
			}
			over := func() bool {
				n := len(b.fetched)
				return n > 0 && (b.fetched[n-1].Err != nil || b.fetched[n-1].Parts == StatePart)
			}
			if !w.run(calm, over) {
				t.Fatal("no end")
			}
			last := b.fetched[len(b.fetched)-1]
			if got := errors.Is(last.Err, ErrCostly); got != c.costly || last.Err != nil && !got {
				t.Errorf("ended with %v", last.Err)
			}
			if len(w.blamed) > 0 {
				t.Error(w.blamed)
			}
		})
	}
}

// TestStateCost: the estimate grows with what has to be fetched, never above all of it.
func TestStateCost(t *testing.T) {
	for _, c := range []struct{ rows, held, memos, want uint64 }{
		{1000, 0, 50_000, 1000 * rowBytes},
		{1_000_000, 1_000_000, 1000, 1000 * pathBytes},
		{1000, 1000, 1_000_000, 1000 * rowBytes},
		{10_000, 100, 10, 10_000 * rowBytes},
	} {
		if got := stateCost(c.rows, c.held, c.memos); got != c.want {
			t.Errorf("%d rows for who holds %d and lacks %d memos: %d bytes, want %d", c.rows, c.held, c.memos, got, c.want)
		}
	}
	var m meter
	if _, known := m.runsCost(1); known {
		t.Error("the size of memos is known before any came")
	}
	for range 10_000 {
		m.add(1<<20, 4096)
	}
	if got, _ := m.runsCost(10); got != 2560 || m.bytes > 2*meterBytes {
		t.Errorf("10 memos of 256 bytes cost %d, the meter counts %d bytes", got, m.bytes)
	}
}
