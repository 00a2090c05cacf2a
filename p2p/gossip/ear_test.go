package gossip

import (
	"encoding/binary"
	"testing"
	"time"
	"unsafe"

	"lightcone/memo"
)

// earAuthors are the authors of these tests.
func earAuthors(n int) (all []memo.Author) {
	for i := range n {
		var a memo.Author
		binary.BigEndian.PutUint64(a[:], uint64(i+1)<<32)
		all = append(all, a)
	}
	return all
}

// TestEarIsSmall: simulations have a million of them, of a handful of authors each.
func TestEarIsSmall(t *testing.T) {
	const most = 600
	size := unsafe.Sizeof(Ear{}) + unsafe.Sizeof(Budget{})
	if all := size + 3*unsafe.Sizeof(voice{}); all > most {
		t.Errorf("an Ear and a Budget take %d B, with 3 authors %d, more than %d", size, all, most)
	}
}

// TestEarFitsLines: an Ear is whole lines of the cache, and hearing finds what it needs
// of any in the first.
func TestEarFitsLines(t *testing.T) {
	const line = 64
	var e Ear
	if size := unsafe.Sizeof(e); size%line != 0 {
		t.Errorf("an Ear takes %d B, which is no multiple of %d", size, line)
	}
	if end := unsafe.Offsetof(e.voices) + unsafe.Sizeof(e.voices); end > line {
		t.Errorf("what hearing needs ends after %d B", end)
	}
}

// TestEarAllocatesNothing: but where an author is new.
func TestEarAllocatesNothing(t *testing.T) {
	var e Ear
	var b Budget
	b.Bound(4, 0)
	terms, authors, now, seq := &Terms{Adopts: true}, earAuthors(8), epoch, uint64(1)
	step := func() {
		for _, a := range authors {
			e.Hear(now, &b, terms, Offer{Author: a, First: seq, Last: seq})
		}
		e.Worth(&b, 3)
		b.Tick()
		e.Tick(now, &b, terms)
		now, seq = now.Add(TickEvery), seq+1
	}
	step()
	if n := testing.AllocsPerRun(500, step); n > 0 {
		t.Errorf("a step allocates %v times", n)
	}
}

// TestSmallBudgets: a replica that can take in one unit a second hears, and it merges:
// what is kept for own memos and for hearing is no part of that unit.
func TestSmallBudgets(t *testing.T) {
	for rate := 1; rate < 20; rate++ {
		var e Ear
		var b Budget
		b.Bound(rate, 0)
		terms, a, heard, merged := &Terms{Adopts: true}, earAuthors(1)[0], 0, 0
		for now := epoch; now.Before(epoch.Add(10 * time.Second)); now = now.Add(TickEvery) {
			b.Tick()
			e.Tick(now, &b, terms)
			switch early := now.Before(epoch.Add(2 * time.Second)); {
			case !early:
				merged += b.Grant(now, 1)
			case e.Hear(now, &b, terms, Offer{Author: a, First: 1, Last: 1, Must: true}) == Hears:
				heard++
			}
			if n := b.Lately(now); n > rate {
				t.Fatalf("%d units in a second, of %d", n, rate)
			}
		}
		if heard == 0 || merged == 0 {
			t.Errorf("of %d units a second %d memos are heard, %d units merged", rate, heard, merged)
		}
	}
}
