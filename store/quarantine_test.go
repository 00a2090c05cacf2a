package store

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"lightcone/memo"
	"lightcone/merge"
)

// lateRuns are runs that a test calls late, by their heads.
type lateRuns map[memo.ID]bool

func (l lateRuns) has(r *memo.Run) bool { return l[r.Head().ID] }

// accepted are the runs that attach in spite of a quarantine: those that are not late,
// and all that they stand on.
func (l lateRuns) accepted(w *world) (v memo.Vector) {
	for i := len(w.runs) - 1; i >= 0; i-- { // causes are before what they cause
		r := w.runs[i]
		if l.has(r) && !v.Covers(r.Author(), r.Head().Seq) {
			continue
		}
		head := r.Memos[len(r.Memos)-1]
		v.Add(memo.Mark{Head: head.Head(), Time: head.Time})
		for _, m := range r.Memos {
			for _, d := range m.Deps {
				for _, o := range w.runs { // a run attaches whole
					if o.Author() == d.Author && o.FirstSeq() <= d.Seq && d.Seq <= o.Head().Seq {
						v.Add(memo.Mark{Head: o.Head(), Time: o.Memos[len(o.Memos)-1].Time})
					}
				}
			}
		}
	}
	return v
}

// servedInOrder fails unless h serves all of w's runs, each behind its causes.
func (w *world) servedInOrder(t tester, h Had) {
	t.Helper()
	type served struct {
		order uint64
		run   *memo.Run
	}
	var all []served
	for m := range h.Vector().All() {
		for seq := uint64(0); seq < m.Seq; {
			order, last, ok, err := h.NextRun(m.Author, seq)
			if err != nil || !ok {
				t.Fatalf("no run behind memo %d of %s: %v", seq, m.Author, err)
			}
			raw, err := h.Run(m.Author, last)
			if err != nil {
				t.Fatal(err)
			}
			r, err := memo.DecodeRun(raw)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range r.Memos {
				if id, ok, err := h.ID(m.Author, m.Seq); id != m.ID() || !ok || err != nil {
					t.Fatalf("the id of %s is %s %v %v", m.Head(), id, ok, err)
				}
			}
			all, seq = append(all, served{order, r}), last
		}
	}
	slices.SortFunc(all, func(a, b served) int { return cmp.Compare(a.order, b.order) })
	var cut memo.Vector
	for _, o := range all {
		if mark, _ := cut.Get(o.run.Author()); o.run.FirstSeq() != mark.Seq+1 {
			t.Fatalf("run %s comes behind %s", o.run.Head(), mark.Head)
		}
		for _, m := range o.run.Memos {
			for _, d := range m.Deps {
				if !cut.Covers(d.Author, d.Seq) {
					t.Fatalf("run %s comes before its cause %s", o.run.Head(), d)
				}
			}
			cut.Add(memo.Mark{Head: m.Head(), Time: m.Time})
		}
	}
	if !slices.Equal(marks(cut), marks(w.vector())) {
		t.Fatalf("served %v\nwant %v", marks(cut), marks(w.vector()))
	}
}

// sameVector fails unless the store's attached cut is v, and its root that of v.
func sameVector(t tester, s *Store, w *world, v memo.Vector, what string) {
	t.Helper()
	if got := marks(s.View().Vector(w.space)); !slices.Equal(got, marks(v)) {
		t.Fatalf("%s:\nattached %v\nwant %v", what, got, marks(v))
	}
	want, err := merge.BuildVector(s.spaces[w.space].params(), v, nil)
	if got, bad := s.View().VecRoot(w.space); bad != nil || err != nil || got != want {
		t.Fatalf("%s: root %s %v, want %s %v", what, got, bad, want, err)
	}
}

// Whatever runs are late and in whatever order they come: what is not late attaches with
// all it stands on, the rest is held, nothing of it is asked for again or attached by
// itself, it is served to who lacks it, outlives the store, and attaches when released.
func TestQuarantineHoldsWhatIsLateAlone(t *testing.T) {
	o := Options{WAL: smallSegments, KV: NewMemoryKV()}.withDefaults()
	s := open(t, t.TempDir(), o)
	t.Cleanup(func() { closeStore(t, s) })
	spaces := 0
	rapid.Check(t, func(t *rapid.T) {
		spaces++
		w := begin(&world{t: t, heads: make([]*memo.Memo, 4), name: fmt.Sprint(spaces)})
		w.draw(t)
		late := lateRuns{}
		for _, r := range w.runs[1:] {
			late[r.Head().ID] = rapid.Float64().Draw(t, "late") < 0.7
		}
		s.AddSpace(w.space)
		s.HoldBack(late.has)
		for _, r := range w.shuffle(t) {
			attach(t, s, r)
		}
		sameVector(t, s, w, late.accepted(w), "all came")
		if runs, _ := s.Pending(); runs > 0 {
			t.Fatalf("%d runs wait", runs)
		}
		if got := marks(s.View().Had(w.space).Vector()); !slices.Equal(got, marks(w.vector())) {
			t.Fatalf("had %v\nwant %v", got, marks(w.vector()))
		}
		if res := attach(t, s, w.runs...); res.Duplicates != len(w.runs) {
			t.Fatalf("of %d runs that came again %d are known", len(w.runs), res.Duplicates)
		}
		w.servedInOrder(t, s.View().Had(w.space))
		held := s.View().Had(w.space).Held()
		reopened(t, s, o)
		sameVector(t, s, w, late.accepted(w), "reopened")
		if again := s.View().Had(w.space).Held(); fmt.Sprint(again) != fmt.Sprint(held) {
			t.Fatalf("held %v\nbefore %v", again, held)
		}
		if _, err := s.Release(w.space); err != nil {
			t.Fatal(err)
		}
		sameVector(t, s, w, w.vector(), "released")
		w.servedInOrder(t, s.View().Had(w.space))
		if n := len(s.View().Had(w.space).Held()); n > 0 || s.quarantine.runs != 0 || s.quarantine.bytes != 0 {
			t.Fatalf("%d authors are held, %+v", n, s.quarantine)
		}
		if reopened(t, s, o); len(s.View().Had(w.space).Held()) > 0 {
			t.Fatalf("%v are held again", s.View().Had(w.space).Held())
		}
	})
}

// reopened brings a store to where its log and index are, as Open does.
func reopened(t tester, s *Store, o Options) {
	t.Helper()
	if err := s.recover(o); err != nil {
		t.Fatal(err)
	}
}

// An author beyond its share of the quarantine is accepted, others stay held; beyond
// what all may have it is who has the most.
func TestQuarantineIsBounded(t *testing.T) {
	w := newWorld(t, 4)
	all := lateRuns{}
	s := fresh(t, w, Options{WAL: smallSegments, KV: NewMemoryKV()})
	s.quarantine.most = heldBounds{authorRuns: 4, authorBytes: 1 << 20, runs: 7, bytes: 1 << 20}
	s.HoldBack(all.has)
	attach(t, s, w.runs[0])
	write := func(author int) {
		t.Helper()
		r := w.run(author, 1)
		all[r.Head().ID] = true
		attach(t, s, r)
	}
	held := func(author int) int { return len(s.View().Had(w.space).Held()[w.author(author)]) }
	write(2)
	for range 4 {
		write(1)
	}
	if held(1) != 4 || held(2) != 1 {
		t.Fatalf("held %d and %d", held(1), held(2))
	}
	write(1)
	if last, _ := s.View().Vector(w.space).Get(w.author(1)); held(1) != 0 || last.Seq != 5 || held(2) != 1 {
		t.Fatalf("held %d and %d, of the first %d memos are attached", held(1), held(2), last.Seq)
	}
	for i := range 4 {
		if write(3); i < 2 {
			write(2)
		}
	}
	if held(2) != 3 || held(3) != 4 {
		t.Fatalf("held %d and %d", held(2), held(3))
	}
	write(1)
	if last, _ := s.View().Vector(w.space).Get(w.author(3)); held(1) != 1 || held(2) != 3 || held(3) != 0 || last.Seq != 4 {
		t.Fatalf("held %d, %d and %d", held(1), held(2), held(3))
	}
	s.quarantine.most = heldBounds{authorRuns: 100, authorBytes: 1 << 20, runs: 100, bytes: s.quarantine.bytes + 1}
	if write(1); s.quarantine.bytes > s.quarantine.most.bytes || held(2) != 0 {
		t.Fatalf("%d bytes are held, of the second %d runs", s.quarantine.bytes, held(2))
	}
}

// A fork of an author who is held ends the hold: both branches attach, and the fork is
// known. A revocation is never held, and an adopted state ends the hold of what it
// covers.
func TestWhatEndsAHold(t *testing.T) {
	always := func(*memo.Run) bool { return true }
	t.Run("fork", func(t *testing.T) {
		w := newWorld(t, 2)
		s := fresh(t, w, Options{WAL: smallSegments, KV: NewMemoryKV()})
		s.HoldBack(always)
		one := w.run(1, 1)
		attach(t, s, w.runs[0], one)
		left := w.run(1, 2)
		right := w.branch(1, one.Memos[0], 1)
		attach(t, s, left)
		if n := len(s.View().Had(w.space).Held()[w.author(1)]); n != 2 {
			t.Fatalf("%d runs are held", n)
		}
		attach(t, s, right)
		if _, forked := s.View().Fork(w.space, w.author(1)); !forked || len(s.View().Had(w.space).Held()) > 0 {
			t.Fatalf("forked: %v, held: %v", forked, s.View().Had(w.space).Held())
		}
		if last, _ := s.View().Vector(w.space).Get(w.author(1)); last.Head != left.Head() {
			t.Fatalf("the head is %s", last.Head)
		}
	})
	t.Run("adopted", func(t *testing.T) {
		w := newAdoptWorld(t, 3)
		s := fresh(t, w, Options{WAL: smallSegments, KV: NewMemoryKV()})
		s.HoldBack(always)
		attach(t, s, w.runs[0], w.run(1, 2), w.run(1, 2), w.run(2, 1))
		covered, beyond := w.runs[1], w.runs[2]
		head := covered.Memos[1]
		_, res, err := s.Adopt(Adoption{
			Space: w.space, Root: memo.Sum(nil), From: w.author(0),
			Heads: []SealedMark{{Mark: memo.Mark{Head: head.Head(), Time: head.Time}, Seal: covered.Seal}},
			Rows:  func(func(merge.KeyedRow, error) bool) {},
		})
		if err != nil {
			t.Fatal(err)
		}
		held := s.View().Had(w.space).Held()
		if len(res.Runs) != 1 || res.Runs[0] != beyond || len(held) != 1 || len(held[w.author(2)]) != 1 {
			t.Fatalf("attached %v, held %v", res.Runs, held)
		}
		sameVector(t, s, w, func() (v memo.Vector) {
			for _, r := range []*memo.Run{w.runs[0], beyond} {
				last := r.Memos[len(r.Memos)-1]
				v.Set(memo.Mark{Head: last.Head(), Time: last.Time})
			}
			return v
		}(), "adopted")
	})
	t.Run("pings", func(t *testing.T) {
		w := newWorld(t, 2)
		s := fresh(t, w, Options{WAL: smallSegments, KV: NewMemoryKV()})
		late := lateRuns{}
		s.HoldBack(late.has)
		one := w.run(1, 1)
		late[one.Head().ID] = true
		attach(t, s, w.runs[0], one, w.seal(1, w.ping(1)))
		if n := len(s.View().Had(w.space).Held()[w.author(1)]); n != 2 {
			t.Fatalf("%d runs are held: a ping says nothing that depends on what was written before", n)
		}
		attach(t, s, w.run(1, 1))
		if last, _ := s.View().Vector(w.space).Get(w.author(1)); last.Seq != 3 || len(s.View().Had(w.space).Held()) > 0 {
			t.Fatalf("attached up to %d", last.Seq)
		}
	})
}

// A grant and a revocation are never held. A revoked author's runs that are held wait
// when they are released, as they would have had they come then.
func TestQuarantineAndRevocation(t *testing.T) {
	w := newWorldOf(t, 2, memo.Members)
	s := fresh(t, w, Options{WAL: smallSegments, KV: NewMemoryKV()})
	s.HoldBack(func(*memo.Run) bool { return true })
	grant := w.grant(0, 1, memo.Writer)
	first := w.say(1, edit(1), grant)
	attach(t, s, w.runs...)
	if last, _ := s.View().Vector(w.space).Get(w.author(0)); last.Seq != 2 || len(s.View().Had(w.space).Held()[w.author(1)]) != 1 {
		t.Fatalf("attached %v, held %v", last, s.View().Had(w.space).Held())
	}
	w.revoke(0, 1, nil)
	attach(t, s, w.runs[len(w.runs)-1])
	if last, _ := s.View().Vector(w.space).Get(w.author(0)); last.Seq != 3 {
		t.Fatalf("the revocation is not attached, but %v", last)
	}
	res, err := s.Release(w.space, w.author(1))
	if err != nil || len(res.Runs) > 0 || len(s.View().Had(w.space).Held()) > 0 {
		t.Fatalf("attached %v, held %v: %v", res.Runs, s.View().Had(w.space).Held(), err)
	}
	if runs, _ := s.Pending(); runs != 1 || !s.pending.holds(first.Head().ID) {
		t.Fatalf("%d runs wait", runs)
	}
	reopened(t, s, Options{WAL: smallSegments}.withDefaults())
	if held := s.View().Had(w.space).Held(); len(held) > 0 || !s.pending.holds(first.Head().ID) {
		t.Fatalf("held again: %v", held)
	}
}
