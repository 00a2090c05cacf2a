package store

import (
	"crypto/ed25519"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"lightcone/memo"
)

// Any order of delivery, with duplicates, split into any batches, ends in the
// same cut and the same set of memos, with nothing left waiting.
func TestAnyDeliveryOrderAttachesTheSame(t *testing.T) {
	base := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, 4)
		w.draw(t)
		o := Options{WAL: smallSegments}
		if rapid.IntRange(0, 9).Draw(t, "index") > 0 { // pebble takes longer to open
			o.KV = NewMemoryKV()
		}
		s := open(t, tempDir(t, base), o)
		defer closeStore(t, s)
		s.AddSpace(w.space)
		order := w.shuffle(t)
		var attached []memo.ID
		for len(order) > 0 {
			n := rapid.IntRange(1, len(order)).Draw(t, "batch")
			res := attach(t, s, order[:n]...)
			if len(res.Refused) > 0 || res.Evicted > 0 || res.Held > 0 {
				t.Fatalf("refused %v, evicted %d, held %d", res.Refused, res.Evicted, res.Held)
			}
			for _, p := range res.Attached {
				attached = append(attached, p.Memo.ID())
			}
			order = order[n:]
		}
		if diff := cmp.Diff(marks(w.vector()), marks(s.View().Vector(w.space))); diff != "" {
			t.Fatalf("vector (-want +got):\n%s", diff)
		}
		if runs, bytes := s.Pending(); runs != 0 || bytes != 0 {
			t.Fatalf("%d runs, %d bytes still wait", runs, bytes)
		}
		for it := range scan(s.kv, []byte{prefixPending}) {
			t.Fatalf("pending entry %x was left in the index", it.Key)
		}
		log := replay(t, s, w.space)
		if !slices.Equal(log, attached) {
			t.Fatal("Attach did not report what it appended, in that order")
		}
		if diff := cmp.Diff(w.ids(), sorted(log)); diff != "" {
			t.Fatalf("memos (-want +got):\n%s", diff)
		}
	})
}

func TestOrphansNameTheirCause(t *testing.T) {
	eachIndex(t, func(t *testing.T, o Options) {
		w := newWorld(t, 3)
		a := w.run(0, 2)
		first := w.run(1, 1)
		b := w.run(1, 1, a.Memos[0])
		c := w.run(1, 3)
		s := fresh(t, w, o)
		res := attach(t, s, w.runs[0], first, c, b, b)
		want := []memo.Head{b.Head(), a.Memos[0].Head()}
		if diff := cmp.Diff(want, res.Orphans); diff != "" {
			t.Fatalf("orphans (-want +got):\n%s", diff)
		}
		if res.Duplicates != 1 || len(res.Attached) != 2 {
			t.Fatalf("duplicates %d, attached %d", res.Duplicates, len(res.Attached))
		}
		if runs, _ := s.Pending(); runs != 2 {
			t.Fatalf("%d runs wait", runs)
		}
		res = attach(t, s, a)
		if diff := cmp.Diff([]memo.Head{a.Head(), b.Head(), c.Head()}, headsOf(res.Runs)); diff != "" {
			t.Fatalf("runs (-want +got):\n%s", diff)
		}
	})
}

func headsOf(runs []*memo.Run) (heads []memo.Head) {
	for _, r := range runs {
		heads = append(heads, r.Head())
	}
	return heads
}

// A chain delivered back to front frees one run after the other: in a loop, at
// any depth the pending set allows.
func TestDeepOrphanChain(t *testing.T) {
	oneGoroutine(t)
	const depth = 10_000
	w := newWorld(t, 2)
	for range depth {
		w.run(1, 1)
	}
	s := fresh(t, w, Options{WAL: smallSegments})
	back := slices.Clone(w.runs[1:])
	slices.Reverse(back)
	if res := attach(t, s, back...); len(res.Attached) != 0 || res.Evicted != 0 {
		t.Fatalf("attached %d, evicted %d", len(res.Attached), res.Evicted)
	}
	if res := attach(t, s, w.runs[0]); len(res.Runs) != depth+1 {
		t.Fatalf("attached %d runs, want %d", len(res.Runs), depth+1)
	}
	if runs, bytes := s.Pending(); runs != 0 || bytes != 0 {
		t.Fatalf("%d runs, %d bytes still wait", runs, bytes)
	}
}

func TestPendingIsBounded(t *testing.T) {
	eachIndex(t, func(t *testing.T, o Options) {
		w := newWorld(t, 2)
		for range 20 {
			w.run(1, 1)
		}
		o.MaxPendingRuns = 5
		s := fresh(t, w, o)
		evicted := 0
		for _, r := range w.runs[2:] { // the run 1 is missing
			evicted += attach(t, s, r).Evicted
			if runs, _ := s.Pending(); runs > o.MaxPendingRuns {
				t.Fatalf("%d runs wait, the bound is %d", runs, o.MaxPendingRuns)
			}
		}
		if evicted != 14 {
			t.Fatalf("evicted %d, want 14", evicted)
		}
		// The oldest went: only the last five are there, and run 15 frees them.
		if res := attach(t, s, w.runs[:16]...); len(res.Runs) != len(w.runs) {
			t.Fatalf("attached %d runs, want %d", len(res.Runs), len(w.runs))
		}
	})
}

func TestPendingIsBoundedInBytes(t *testing.T) {
	w := newWorld(t, 2)
	w.run(1, 1)
	for range 200 {
		w.run(1, memo.MaxRunMemos)
	}
	s := fresh(t, w, Options{WAL: smallSegments, KV: NewMemoryKV(), MaxPendingBytes: memo.MaxRunBytes})
	res := attach(t, s, w.runs[2:]...)
	runs, bytes := s.Pending()
	if bytes > memo.MaxRunBytes || res.Evicted == 0 || runs+res.Evicted != 200 {
		t.Fatalf("%d runs and %d bytes wait, %d evicted", runs, bytes, res.Evicted)
	}
}

func TestPendingSurvivesReopening(t *testing.T) {
	eachIndex(t, func(t *testing.T, o Options) {
		w := newWorld(t, 2)
		w.run(1, 2)
		w.run(1, 2)
		dir := t.TempDir()
		s := open(t, dir, o)
		s.AddSpace(w.space)
		attach(t, s, w.runs[2])
		closeStore(t, s)
		s = open(t, dir, o)
		defer closeStore(t, s)
		if runs, _ := s.Pending(); runs != 1 {
			t.Fatalf("%d runs wait", runs)
		}
		// The log does not know the space yet: the run must wait for it.
		attach(t, s)
		s.AddSpace(w.space)
		if res := attach(t, s, w.runs[:2]...); len(res.Runs) != 3 {
			t.Fatalf("attached %d runs", len(res.Runs))
		}
	})
}

func TestRefusedRuns(t *testing.T) {
	w := newWorld(t, 3)
	good := w.run(1, 2, w.genesis())
	// A first memo that hangs on something else than the genesis.
	rootless := w.memo(memo.Memo{
		Space: w.space, Author: w.author(2), Seq: 1, Deps: []memo.Head{good.Head()}, Time: memo.Next(9), Body: edit(0),
	})
	elsewhere := newWorldOf(t, 1, memo.Members).runs[0]

	eachIndex(t, func(t *testing.T, o Options) {
		for name, c := range map[string]struct {
			run  *memo.Run
			want error
		}{
			"no genesis dep": {w.seal(2, rootless), memo.ErrInvalid},
			"other space":    {elsewhere, ErrUnknownSpace},
		} {
			t.Run(name, func(t *testing.T) {
				if o.KV != nil {
					o.KV = NewMemoryKV()
				}
				s := fresh(t, w, o)
				attach(t, s, w.runs...)
				before := s.View().Vector(w.space)
				res := attach(t, s, c.run)
				if len(res.Refused) != 1 || !errors.Is(res.Refused[0], c.want) {
					t.Fatalf("refused %v, want %v", res.Refused, c.want)
				}
				if diff := cmp.Diff(marks(before), marks(s.View().Vector(w.space))); diff != "" {
					t.Fatalf("the cut moved:\n%s", diff)
				}
			})
		}
	})
}

func TestUnknownKindsAreHeld(t *testing.T) {
	eachIndex(t, func(t *testing.T, o Options) {
		w := newWorld(t, 2)
		w.run(1, 1)
		raw, err := memo.Marshal([]uint64{7})
		if err != nil {
			t.Fatal(err)
		}
		last := w.heads[1]
		m := w.memo(memo.Memo{
			Space: w.space, Author: last.Author, Seq: 2, Prev: last.ID(), Time: memo.Next(0, last.Time),
			Body: &memo.Opaque{Kind: 77, Raw: raw},
		})
		s := fresh(t, w, o)
		res := attach(t, s, append(slices.Clone(w.runs), w.seal(1, m))...)
		if res.Held != 1 || len(res.Refused) != 0 || len(res.Runs) != 2 {
			t.Fatalf("held %d, refused %v, attached %d", res.Held, res.Refused, len(res.Runs))
		}
		if runs, _ := s.Pending(); runs != 1 {
			t.Fatalf("%d runs wait", runs)
		}
	})
}

// Whoever knows a space of members sends runs that will never attach, under as many
// names as it likes: all of them together have a quarter of the pending set, by number
// and by bytes, and those of a member stay.
func TestStrangersHaveAQuarterOfPending(t *testing.T) {
	const names, runs = 40, 256
	w := newCouncil(t)
	for i := range names {
		seed := memo.Sum([]byte{byte(i), 1})
		w.keys, w.heads = append(w.keys, ed25519.NewKeyFromSeed(seed[:])), append(w.heads, nil)
	}
	known := len(w.runs)
	first := w.say(rootA, edit(0))
	member := w.say(rootA, edit(1))
	var theirs []*memo.Run
	size := 0
	for i := range names {
		w.say(councilSize+i, edit(0), w.genesis()) // kept back: what follows waits for it
		for n := range 4 {
			large := edit(n)
			large.Topics[0].Rows[0].Deltas[0].Op.Value = memo.Blob(make([]byte, 2000))
			r := w.say(councilSize+i, large)
			raw, err := r.Encode()
			if err != nil {
				t.Fatal(err)
			}
			theirs, size = append(theirs, r), max(size, len(raw))
		}
	}
	for name, c := range map[string]struct {
		o    Options
		most int
	}{
		"runs":  {Options{MaxPendingRuns: runs}, runs / strangersShare},
		"bytes": {Options{MaxPendingBytes: memo.MaxRunBytes}, memo.MaxRunBytes / strangersShare / size},
	} {
		t.Run(name, func(t *testing.T) {
			c.o.KV = NewMemoryKV()
			s := fresh(t, w, c.o)
			attach(t, s, w.runs[:known]...)
			attach(t, s, member)
			res := attach(t, s, theirs...)
			if got, _ := s.Pending(); got > 1+c.most || got < c.most/2 || res.Evicted == 0 {
				t.Errorf("%d runs wait, want one and %d of strangers; %d were dropped", got, c.most, res.Evicted)
			}
			if res := attach(t, s, first); len(res.Runs) != 2 {
				t.Errorf("%d runs of a member attached, want 2", len(res.Runs))
			}
		})
	}
}
