package store

import (
	"bytes"
	"errors"
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"lightcone/memo"
	"lightcone/walfs"
)

// branch seals memos of author i behind from, or from the start of its chain if
// that is nil: other memos each time.
func (w *world) branch(i int, from *memo.Memo, n int) *memo.Run {
	w.t.Helper()
	w.heads[i] = from
	var memos []*memo.Memo
	for k := range n {
		m := w.next(i, 1)[0]
		m = w.memo(memo.Memo{
			Space: m.Space, Author: m.Author, Seq: m.Seq, Prev: m.Prev, Deps: m.Deps, Time: m.Time, Body: edit(1000*len(w.runs) + k),
		})
		w.heads[i] = m
		memos = append(memos, m)
	}
	r := w.seal(i, memos...)
	w.runs = append(w.runs, r)
	return r
}

// prove has author i, who holds cause, prove that a and b contradict each other.
func (w *world) prove(i int, cause *memo.Memo, a, b *memo.Run) *memo.Run {
	w.t.Helper()
	p, err := memo.ProveFork(a, b)
	if err != nil {
		w.t.Fatal(err)
	}
	m := w.next(i, 1, cause)[0]
	m = w.memo(memo.Memo{Space: m.Space, Author: m.Author, Seq: m.Seq, Prev: m.Prev, Deps: m.Deps, Time: m.Time, Body: p})
	w.heads[i] = m
	r := w.seal(i, m)
	w.runs = append(w.runs, r)
	return r
}

// drawForks makes runs of authors of whom some fork, seal memos twice, and prove
// forks of each other.
func (w *world) drawForks(t *rapid.T) {
	proved := map[[2]memo.Author]bool{}
	for range rapid.IntRange(2, 20).Draw(t, "runs") {
		i := rapid.IntRange(1, len(w.keys)-1).Draw(t, "author")
		of := slices.DeleteFunc(slices.Clone(w.runs), func(r *memo.Run) bool { return r.Author() != w.author(i) })
		n := rapid.IntRange(1, 3).Draw(t, "memos")
		switch what := rapid.IntRange(0, 5).Draw(t, "what"); {
		case len(of) == 0 || what < 2:
			w.branch(i, w.heads[i], n)
		case what < 4: // from anywhere in its chain
			r := of[rapid.IntRange(0, len(of)-1).Draw(t, "run")]
			var from *memo.Memo
			if k := rapid.IntRange(-1, len(r.Memos)-1).Draw(t, "from"); k >= 0 {
				from = r.Memos[k]
			}
			w.branch(i, from, n)
		case what == 4: // the same memos again, with one more
			memos := of[rapid.IntRange(0, len(of)-1).Draw(t, "run")].Memos
			w.heads[i] = memos[len(memos)-1]
			w.runs = append(w.runs, w.seal(i, append(slices.Clone(memos), w.next(i, 1)...)...))
		default:
			w.accuse(t, i, proved)
		}
	}
}

// accuse has author i prove the first fork of another that it finds.
func (w *world) accuse(t *rapid.T, i int, proved map[[2]memo.Author]bool) {
	for x, a := range w.runs {
		for _, b := range w.runs[:x] {
			who := [2]memo.Author{w.author(i), a.Author()}
			if a.Author() != b.Author() || a.Author() == w.author(i) || proved[who] {
				continue
			}
			if _, err := memo.ProveFork(a, b); err == nil {
				proved[who] = true
				w.prove(i, a.Memos[0], a, b)
				return
			}
		}
	}
}

// having is what a store holds of a space, as far as peers can see it.
type having struct {
	Memos  []memo.ID
	Marks  []memo.Mark
	Root   memo.ID
	Forked []memo.Author
	Runs   map[memo.Author][]BranchRun
}

func heldBy(t tester, s *Store, w *world) (h having) {
	t.Helper()
	v, ids := s.View(), map[memo.ID]bool{}
	err := s.Replay(0, eachMemo(func(_ uint64, m *memo.Memo) error { ids[m.ID()] = true; return nil }))
	if err != nil {
		t.Fatal(err)
	}
	h = having{Memos: sorted(slices.Collect(maps.Keys(ids))), Marks: marks(v.Vector(w.space)), Forked: v.Forked(w.space), Runs: map[memo.Author][]BranchRun{}}
	if h.Root, err = v.VecRoot(w.space); err != nil {
		t.Fatal(err)
	}
	for _, a := range h.Forked {
		if h.Runs[a], err = v.BranchRuns(w.space, a); err != nil {
			t.Fatal(err)
		}
		for _, r := range h.Runs[a] {
			raw, err := v.RunByID(w.space, r.ID)
			if err != nil {
				t.Fatal(err)
			}
			run, err := memo.DecodeRun(raw)
			if err != nil || run.Head() != (memo.Head{Author: a, Seq: r.Seq, ID: r.ID}) || run.Verify() != nil {
				t.Fatalf("run %v: %v", r, err)
			}
		}
	}
	return h
}

// expected is the same by the rules alone, from all runs.
func (w *world) expected() (memos []memo.ID, cut []memo.Mark, forked []memo.Author) {
	var v memo.Vector
	ids, first, forks := map[memo.ID]bool{}, map[memo.Head]memo.ID{}, map[memo.Author]bool{}
	for _, r := range w.runs {
		for _, m := range r.Memos {
			ids[m.ID()] = true
			place := memo.Head{Author: m.Author, Seq: m.Seq}
			if id, ok := first[place]; ok && id != m.ID() {
				forks[m.Author] = true
			}
			first[place] = m.ID()
			var one memo.Vector
			one.Set(memo.Mark{Head: m.Head(), Time: m.Time})
			v.Join(one)
		}
	}
	for _, r := range w.runs {
		for _, m := range r.Memos {
			if p, ok := m.Body.(*memo.ForkProof); ok {
				mark, _ := v.Get(p.Author)
				mark.Forked = true
				v.Set(mark)
			}
		}
	}
	return sorted(slices.Collect(maps.Keys(ids))), marks(v), slices.SortedFunc(maps.Keys(forks), memo.Author.Compare)
}

// TestAnyOrderOfBranches: whatever order both branches and proofs come in, stores
// end with all memos, the same vector with the same authors marked, and the same
// sets of runs once they were offered again; also when they were closed in between, and with a new index.
func TestAnyOrderOfBranches(t *testing.T) {
	base := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, 4)
		w.drawForks(t)
		memos, cut, forked := w.expected()
		var first having
		for n := range 2 {
			dir := tempDir(t, base)
			s := open(t, dir, Options{WAL: smallSegments, KV: NewMemoryKV()})
			s.AddSpace(w.space)
			order := w.shuffle(t)
			stop := rapid.IntRange(0, len(order)).Draw(t, "stop")
			for _, r := range order[:stop] {
				attach(t, s, r)
			}
			closeStore(t, s) // the index and what waited are gone
			s = open(t, dir, Options{WAL: smallSegments, KV: NewMemoryKV()})
			s.AddSpace(w.space)
			attach(t, s, order[stop:]...)
			attach(t, s, order[:stop]...)
			got := heldBy(t, s, w)
			if diff := cmp.Diff(memos, got.Memos); diff != "" {
				t.Fatalf("memos:\n%s", diff)
			}
			if diff := cmp.Diff(cut, got.Marks); diff != "" {
				t.Fatalf("vector:\n%s", diff)
			}
			if diff := cmp.Diff(forked, got.Forked); diff != "" {
				t.Fatalf("forked:\n%s", diff)
			}
			// A run sealed over the end of another is of use only once its author is known to
			// have forked: then peers that compare their sets bring it again.
			attach(t, s, w.runs...)
			got = heldBy(t, s, w)
			if n == 0 {
				first = got
			} else if diff := cmp.Diff(first, got); diff != "" {
				t.Fatalf("two stores differ:\n%s", diff)
			}
			w.proves(t, s.View())
			served(t, s.View(), w)
			closeStore(t, s)
		}
	})
}

// proves makes sure that the evidence of every fork proves it.
func (w *world) proves(t tester, v *View) {
	t.Helper()
	for _, a := range v.Forked(w.space) {
		x, y, err := v.Evidence(w.space, a)
		if err != nil {
			t.Fatal(err)
		}
		if p, err := memo.ProveFork(x, y); err != nil || p.Author != a {
			t.Fatalf("author %s: %v", a, err)
		}
	}
}

// served makes sure that who lacks everything gets a prefix-closed part of each
// chain by its places alone, up to the head.
func served(t tester, v *View, w *world) {
	t.Helper()
	for m := range v.Vector(w.space).All() {
		for after := uint64(0); after < m.Seq; {
			_, last, ok, err := v.NextRun(w.space, m.Author, after)
			if err != nil || !ok || last <= after {
				t.Fatalf("after %d of %s: %d, %v, %v", after, m.Author, last, ok, err)
			}
			raw, err := v.Run(w.space, m.Author, last)
			if err != nil {
				t.Fatal(err)
			}
			if r, err := memo.DecodeRun(raw); err != nil || r.FirstSeq() > after+1 || r.Head().Seq != last {
				t.Fatalf("run after %d: %v", after, err)
			}
			after = last
		}
	}
}

// TestBranchOnTheIndexes: as TestAnyOrderOfBranches, one fork, on both indexes, with
// an index that was kept.
func TestBranchOnTheIndexes(t *testing.T) {
	eachIndex(t, func(t *testing.T, o Options) {
		w := newWorld(t, 3)
		one := w.branch(1, nil, 2)
		a, b := w.branch(1, one.Memos[1], 3), w.branch(1, one.Memos[1], 2)
		w.branch(1, b.Memos[1], 1)
		w.prove(2, one.Memos[0], a, b)
		s, dir := fresh(t, w, o), ""
		if o.KV == nil {
			dir = t.TempDir()
			s = open(t, dir, o)
			s.AddSpace(w.space)
		}
		res := attach(t, s, w.runs...)
		if len(res.Runs) != len(w.runs) || len(res.Refused) != 0 {
			t.Fatalf("attached %d of %d runs, refused %v", len(res.Runs), len(w.runs), res.Refused)
		}
		want := heldBy(t, s, w)
		f, ok := s.View().Fork(w.space, w.author(1))
		if !ok || f.Seq != 3 || f.Runs == 0 || s.View().Branched(w.space) != f.Last {
			t.Fatalf("the fork: %+v", f)
		}
		if m, ok := s.View().Proof(w.space, w.author(1)); !ok || m.Head != w.runs[len(w.runs)-1].Head() {
			t.Fatalf("the proof: %v %v", m, ok)
		}
		if dir == "" {
			return
		}
		for _, again := range []bool{false, true} {
			closeStore(t, s)
			if again {
				removeIndex(t, dir)
			}
			s = open(t, dir, o)
			if diff := cmp.Diff(want, heldBy(t, s, w)); diff != "" {
				t.Fatalf("opened again, new index %v:\n%s", again, diff)
			}
			if now, _ := s.View().Fork(w.space, w.author(1)); now != f {
				t.Fatalf("opened again, new index %v: %+v, was %+v", again, now, f)
			}
		}
		closeStore(t, s)
	})
}

// TestBranchWaits: a branch whose beginning is not held waits for it, by digest,
// though its place is covered.
func TestBranchWaits(t *testing.T) {
	w := newWorld(t, 2)
	one := w.branch(1, nil, 1)
	w.branch(1, one.Memos[0], 3)
	b := w.branch(1, one.Memos[0], 1)
	c := w.branch(1, b.Memos[0], 1)
	s := fresh(t, w, Options{KV: NewMemoryKV()})
	attach(t, s, w.runs[:3]...)
	res := attach(t, s, c)
	if len(res.Orphans) != 1 || res.Orphans[0] != b.Head() || len(res.Runs) != 0 {
		t.Fatalf("orphans %v, attached %d", res.Orphans, len(res.Runs))
	}
	if res := attach(t, s, b); len(res.Runs) != 2 {
		t.Fatalf("attached %d runs", len(res.Runs))
	}
	for _, m := range append(b.Memos, c.Memos...) {
		if ok, err := s.View().Holds(w.space, m.Head()); !ok || err != nil {
			t.Errorf("%s is not held: %v", m.Head(), err)
		}
	}
	if ok, _ := s.View().Holds(w.space, memo.Head{Author: w.author(1), Seq: 2, ID: memo.ID(w.space)}); ok {
		t.Error("what nobody wrote is held")
	}
}

// TestFeedOfBranches: who follows the log sees each memo once, those of branches too.
func TestFeedOfBranches(t *testing.T) {
	w := newWorld(t, 2)
	one := w.branch(1, nil, 1)
	w.branch(1, one.Memos[0], 3)
	b := w.branch(1, one.Memos[0], 2)
	w.heads[1] = b.Memos[1]
	w.runs = append(w.runs, w.seal(1, append(slices.Clone(b.Memos), w.next(1, 1)...)...)) // sealed twice
	s := fresh(t, w, Options{KV: NewMemoryKV()})
	attach(t, s, w.runs...)
	feed, err := s.View().Feed(1)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = feed.Close() }()
	var got []memo.ID
	for {
		rec, ok, err := feed.Next(math.MaxUint64)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			break
		}
		for _, m := range rec.Memos {
			got = append(got, m.ID())
		}
	}
	memos, _, _ := w.expected()
	if diff := cmp.Diff(memos, sorted(got)); diff != "" {
		t.Error(diff)
	}
}

// TestBranchesAreBounded: beyond the limit of an author's branches nothing of them
// attaches, nobody is blamed, and the chain goes on, as do those of others.
func TestBranchesAreBounded(t *testing.T) {
	w := newWorld(t, 3)
	one := w.branch(1, nil, 1)
	main := w.branch(1, one.Memos[0], 2)
	w.branch(1, one.Memos[0], 1)
	s := fresh(t, w, Options{KV: NewMemoryKV()})
	attach(t, s, w.runs...)
	sp := s.spaces[w.space]
	f := sp.forks[w.author(1)]
	f.Bytes = MaxBranchBytes // as if there were so many
	s.setFork(sp, f)
	over := w.branch(1, one.Memos[0], 1)
	res := attach(t, s, over)
	if res.Beyond != 1 || len(res.Runs) != 0 || len(res.Refused) != 0 {
		t.Fatalf("beyond %d, attached %d, refused %v", res.Beyond, len(res.Runs), res.Refused)
	}
	if runs, _ := s.Pending(); runs != 0 {
		t.Fatalf("%d runs wait", runs)
	}
	if res := attach(t, s, w.branch(1, main.Memos[1], 1), w.branch(2, nil, 1)); len(res.Runs) != 2 {
		t.Fatalf("attached %d runs of the chain itself and of another", len(res.Runs))
	}
}

// TestOwnFork: who finds that another replica writes with its key writes no more,
// loses nothing, and seals what it has.
func TestOwnFork(t *testing.T) {
	for _, how := range []string{"branch", "proof"} {
		t.Run(how, func(t *testing.T) {
			dir, o := t.TempDir(), Options{WAL: smallSegments}
			w := newWorld(t, 3)
			s := open(t, dir, o)
			s.AddSpace(w.space)
			attach(t, s, w.runs[0])
			one := w.next(1, 1)
			seal := w.sign(1, one[0])
			appendOwn(t, s, walfs.None, one, &seal)
			tail := w.next(1, 2)
			appendOwn(t, s, walfs.None, tail, nil)
			theirs := w.branch(1, one[0], 2) // by the copy
			if how == "branch" {
				attach(t, s, theirs)
			} else {
				attach(t, s, w.prove(2, one[0], theirs, w.branch(1, one[0], 2)))
			}
			w.heads[1] = tail[1]
			more := w.next(1, 1)
			if _, err := s.AppendOwn(walfs.None, more, nil); !errors.Is(err, ErrOwnFork) {
				t.Fatalf("wrote on: %v", err)
			}
			if how == "proof" {
				closeStore(t, s)
				return
			}
			closeStore(t, s)
			s = open(t, dir, o)
			defer closeStore(t, s)
			if diff := cmp.Diff(idsOf(tail), idsOf(s.Unsealed(w.space, w.author(1)))); diff != "" {
				t.Fatalf("unsealed after a restart:\n%s", diff)
			}
			if err := s.SealOwn(w.space, w.author(1), w.sign(1, tail[1])); err != nil {
				t.Fatal(err)
			}
			if _, err := s.AppendOwn(walfs.None, more, nil); !errors.Is(err, ErrOwnFork) {
				t.Fatalf("wrote on after a restart: %v", err)
			}
			w.ownRuns(t, s.View(), theirs, w.seal(1, tail...))
		})
	}
}

// ownRuns makes sure that both branches of author 1 are offered to peers.
func (w *world) ownRuns(t *testing.T, v *View, want ...*memo.Run) {
	t.Helper()
	for _, r := range want {
		raw, err := v.RunByID(w.space, r.Head().ID)
		enc, _ := r.Encode()
		if err != nil || !bytes.Equal(raw, enc) {
			t.Errorf("run %s is not served as it was sealed: %v", r.Head(), err)
		}
	}
}

func idsOf(memos []*memo.Memo) (ids []memo.ID) {
	for _, m := range memos {
		ids = append(ids, m.ID())
	}
	return ids
}
