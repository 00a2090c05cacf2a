package store

import (
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/walfs"
	"lightcone/walfs/walfstest"
)

// checkpoint is the own state of s.
func (w *world) checkpoint(s *Store) Checkpoint {
	rows := foldRows(w.t, w.memosIn(s.View().Vector(w.space)))
	return Checkpoint{Space: w.space, Root: memo.ID{9}, Self: w.author(0), Rows: keyed(rows)}
}

// TestAdoptGolden freezes the records.
func TestAdoptGolden(t *testing.T) {
	id := func(b byte) (out memo.ID) {
		for i := range out {
			out[i] = b
		}
		return out
	}
	var seal memo.Seal
	for i := range seal {
		seal[i] = 0x55
	}
	p := part{Version: adoptVersion, Space: memo.SpaceID(id(0x11)), Heads: []wireHead{
		{Author: memo.Author(id(0x22)), Seq: 300, ID: id(0x33), Time: 70_000, Seal: seal},
	}, Rows: []wireRow{{Key: "t\x00row", State: "\x82\x80\xf6"}}}
	c := adoptCommit{
		Version: adoptVersion, Space: memo.SpaceID(id(0x11)), Root: id(0x44), From: memo.Author(id(0x66)),
		Announcement: "signed", Parts: 2, Heads: 1, Rows: 1, Genesis: "run", Behind: 500,
	}
	x := func(b string) string { return strings.Repeat(b, 32) }
	for _, v := range []struct {
		what any
		want []string // version, space; then each field
	}{
		{p, []string{
			"84", "01", "5820" + x("11"),
			"81" + "86" + "5820" + x("22") + "19012c" + "5820" + x("33") + "1a00011170" + "5840" + x("5555") + "f4",
			"81" + "82" + "45" + hex.EncodeToString([]byte("t\x00row")) + "43" + "8280f6",
		}},
		{c, []string{
			"8a", "01", "5820" + x("11"), "5820" + x("44"), "5820" + x("66"), "46" + hex.EncodeToString([]byte("signed")),
			"02", "01", "01", "43" + hex.EncodeToString([]byte("run")), "1901f4",
		}},
	} {
		data, err := memo.Marshal(v.what)
		if got := hex.EncodeToString(data); err != nil || got != strings.Join(v.want, "") {
			t.Errorf("%T: %v\n%s\nwant\n%s", v.what, err, got, strings.Join(v.want, " "))
		}
	}
	if data, err := memo.Marshal(p.Heads[0]); err != nil || len(data)+6 > headBytes {
		t.Errorf("a head takes %d bytes, the bound is %d", len(data), headBytes)
	}
}

// TestCompact: the bodies go, and nothing else does.
func TestCompact(t *testing.T) {
	eachIndex(t, func(t *testing.T, o Options) {
		dir := t.TempDir()
		w, s, _, _ := gap(t, dir, o)
		for s.log.Size() < 3*MinSegmentSize {
			attach(t, s, w.bigRun())
		}
		before := marks(s.View().All(w.space))
		done, err := s.Compact([]Checkpoint{w.checkpoint(s)})
		if err != nil || done.First == 1 || done.After > MinSegmentSize || done.Before < 3*MinSegmentSize {
			t.Fatalf("%+v %v", done, err)
		}
		v, one := s.View(), w.author(1)
		if diff := cmp.Diff(before, marks(v.Vector(w.space))); diff != "" {
			t.Fatal(diff)
		}
		head, _ := v.Vector(w.space).Get(one)
		if _, ok, err := v.Memo(w.space, one, head.Seq); ok || !errors.Is(err, ErrNoBody) {
			t.Errorf("a body that was pruned: %v %v", ok, err)
		}
		if _, err := v.Run(w.space, one, head.Seq); !errors.Is(err, ErrNoRun) {
			t.Errorf("a run that was pruned: %v", err)
		}
		if m, ok, err := v.Memo(w.space, w.author(0), 1); !ok || err != nil || m.ID() != w.genesis().ID() {
			t.Errorf("the genesis: %v %v", ok, err)
		}
		order, last, ok, err := v.NextRun(w.space, w.author(0), 0)
		gapAt, _, _, _ := v.NextRun(w.space, one, 0)
		raw, err2 := v.Run(w.space, w.author(0), last)
		want, _ := w.runs[0].Encode()
		if !ok || errors.Join(err, err2) != nil || string(raw) != string(want) || order >= gapAt {
			t.Errorf("the run with the genesis, at %d of %d: %v %v %v", order, gapAt, ok, err, err2)
		}
		if found := rowMemos(t, v, w.space, "row 0", Place{}, everywhere); len(found) != 0 {
			t.Errorf("%d memos of a row", len(found))
		}
		if _, err := v.Feed(1); !errors.Is(err, ErrPruned) {
			t.Errorf("a feed from the beginning: %v", err)
		}
		if err := s.Replay(0, func(rec Record) error {
			if rec.LSN < done.LSN {
				return fmt.Errorf("record %d is below the floor", rec.LSN)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
		attach(t, s, w.run(1, 2), w.run(2, 1))
		own := w.next(0, 1)
		seal := w.sign(0, own[0])
		appendOwn(t, s, walfs.Group, own, &seal)
		w.runs = append(w.runs, w.seal(0, own...))
		answers, cut := inspect(t, s, w)
		rows := foldRows(t, w.memosIn(w.vector()))
		closeStore(t, s)
		sameAfter(t, dir, o, w, answers, cut, rows)
		writeIndex(t, dir, &o, stateKey, []byte{99})
		sameAfter(t, dir, o, w, answers, cut, rows)
		s = open(t, dir, o)
		defer closeStore(t, s)
		if again, err := s.Compact([]Checkpoint{w.checkpoint(s)}); err != nil || again.LSN <= done.LSN {
			t.Errorf("compacted again: %+v %v", again, err)
		}
		if diff := cmp.Diff(rows, rowsFrom(t, s, w.space, 0)); diff != "" {
			t.Error(diff)
		}
	})
}

// TestCompactRefuses: what a compaction would lose keeps it from beginning.
func TestCompactRefuses(t *testing.T) {
	w, verify := newAdoptWorld(t, 3), newWorld(t, 1)
	other := *w
	other.space = memo.SpaceID{1}
	s := fresh(t, w, Options{WAL: smallSegments})
	try := func(what string, want error, cs ...Checkpoint) {
		t.Helper()
		last := s.log.Last()
		if _, err := s.Compact(cs); !errors.Is(err, want) || s.log.Last() != last {
			t.Errorf("%s: %v, and %d records", what, err, s.log.Last()-last)
		}
	}
	try("nothing", ErrNotAttachable)
	try("a space without memos", ErrNoRun, w.checkpoint(s))
	attach(t, s, w.runs[0], w.run(1, 2))
	try("a space that is not here", ErrUnknownSpace, other.checkpoint(s))
	try("a space twice", ErrUnknownSpace, w.checkpoint(s), w.checkpoint(s))
	s.AddSpace(other.space) // without memos it is in nobody's way
	appendOwn(t, s, walfs.None, w.next(2, 1), nil)
	try("unsealed memos", ErrNotAttachable, w.checkpoint(s))
	if err := s.SealOwn(w.space, w.author(2), w.sign(2, w.heads[2])); err != nil {
		t.Fatal(err)
	}
	s.AddSpace(verify.space)
	attach(t, s, verify.runs[0])
	try("a space that keeps bodies", ErrTrust, w.checkpoint(s))
	try("that space itself", ErrTrust, w.checkpoint(s), verify.checkpoint(s))
}

// onDisk runs a store over a disk in memory, with an index that every opening loses.
func onDisk(disk *walfstest.Disk, dir string) Options {
	full := func(string) (uint64, uint64, error) { return 1 << 40, 1 << 40, nil }
	return Options{WAL: walfs.Options{FS: disk, SegmentSize: MinSegmentSize, Go: func(f func()) { f() }}, KV: NewMemoryKV(), Usage: full}
}

// TestPowerCutAnywhere: before every step of the disk during an adoption and a
// compaction of several parts each, the power fails: what is there afterwards is all
// of it or nothing, and all once it was acknowledged.
func TestPowerCutAnywhere(t *testing.T) {
	oneGoroutine(t)
	dir := t.TempDir()
	w := newAdoptWorld(t, 3)
	rows := map[string]string{}
	for i := range 5 {
		rows[merge.RowKey("t", fmt.Sprint("big", i))] = bigRow(t, w, i)
	}
	first, cut := w.run(1, 3), w.vector()
	w.run(1, 2)
	whole := w.adoption(2, w.vector())
	for key, state := range foldRows(t, w.memosIn(w.vector())) {
		rows[key] = state
	}
	whole.Rows = keyed(rows)
	disk := walfstest.NewDisk()
	s := open(t, dir, onDisk(disk, dir))
	s.AddSpace(w.space)
	attach(t, s, w.runs[0], first)
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	var after []*walfstest.Disk // a power cut before each step
	disk.Watch(func(walfstest.Call) {
		after = append(after, disk.PowerCut(walfstest.Nothing), disk.PowerCut(walfstest.Everything))
	})
	out, _ := adopt(t, s, whole)
	done := len(after) // those from it on must have it
	if _, err := s.Compact([]Checkpoint{{Space: w.space, Self: w.author(0), Rows: keyed(rows)}}); err != nil {
		t.Fatal(err)
	}
	disk.Watch(nil)
	closeStore(t, s)
	seen := map[string]int{}
	for i, d := range after {
		c := open(t, dir, onDisk(d, dir))
		v := c.View().Vector(w.space)
		switch head, _ := v.Get(w.author(1)); {
		case head.Seq == 5:
			if diff := cmp.Diff(rows, rowsFrom(t, c, w.space, 0)); diff != "" {
				t.Fatalf("cut %d: %s", i, diff)
			}
			seen["adopted"]++
		case i >= done:
			t.Fatalf("cut %d: an acknowledged adoption is lost", i)
		default:
			if diff := cmp.Diff(marks(cut), marks(v)); diff != "" {
				t.Fatalf("cut %d: %s", i, diff)
			}
			if diff := cmp.Diff(foldRows(t, w.memosIn(cut)), rowsFrom(t, c, w.space, 0)); diff != "" {
				t.Fatalf("cut %d: %s", i, diff)
			}
			seen["not adopted"]++
		}
		if _, ok, err := c.View().Memo(w.space, w.author(1), 1); errors.Is(err, ErrNoBody) {
			seen["compacted"]++
		} else if !ok || err != nil {
			t.Fatalf("cut %d: %v", i, err)
		}
		attach(t, c, w.seal(2, nextOf(w)...)) // it goes on
		closeStore(t, c)
	}
	if n := seen["compacted"]; out.commit.Parts < 3 || seen["adopted"] == 0 || seen["not adopted"] == 0 || n == 0 || n == len(after) {
		t.Errorf("%d parts, %v of %d cuts", out.commit.Parts, seen, len(after))
	}
	t.Logf("%d parts, %v of %d cuts", out.commit.Parts, seen, len(after))
}

// bigRun extends the chain of author 1 by a memo of 150 KB.
func (w *world) bigRun() *memo.Run {
	w.t.Helper()
	prev := w.heads[1]
	v, err := memo.Text(strings.Repeat("x", 150_000))
	if err != nil {
		w.t.Fatal(err)
	}
	e := edit(0)
	e.Topics[0].Rows[0].Deltas[0].Op.Value = v
	m := w.memo(memo.Memo{
		Space: w.space, Author: prev.Author, Seq: prev.Seq + 1, Prev: prev.ID(), Time: memo.Next(0, prev.Time), Body: e,
	})
	w.heads[1] = m
	w.runs = append(w.runs, w.seal(1, m))
	return w.runs[len(w.runs)-1]
}

// nextOf is a memo that begins the chain of author 2.
func nextOf(w *world) []*memo.Memo {
	w.heads[2] = nil
	return w.next(2, 1)
}

// bigRow is a state of 150 KB.
func bigRow(t tester, w *world, i int) string {
	t.Helper()
	v, err := memo.Text(strings.Repeat("x", 150_000))
	if err != nil {
		t.Fatal(err)
	}
	e := memo.RowEdit{Row: "big", Deltas: []memo.Delta{{Field: "f", Op: memo.Op{Set: true, Value: v}}}}
	id := memo.Sum([]byte{byte(i)})
	row, err := merge.Delta(merge.Stamp{Time: 1, Author: w.author(1), Seq: 5, ID: id}, e)
	if err != nil {
		t.Fatal(err)
	}
	state, err := row.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return string(state)
}

// TestAdoptions: memos, adopted states, compactions, restarts and lost indexes in
// any order: vector and rows are those of the union of everything that came.
func TestAdoptions(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		x := &exercise{t: t, w: newAdoptWorld(t, 4), dir: dir}
		x.w.draw(t)
		x.o = onDisk(walfstest.NewDisk(), dir)
		x.s = open(t, dir, x.o)
		x.s.AddSpace(x.w.space)
		x.attach(x.w.runs[0])
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			x.step()
			x.check()
		}
		x.adopt(len(x.w.runs))
		x.check()
		closeStore(t, x.s)
	})
}

// exercise is a store and, beside it, what it should have.
type exercise struct {
	t    *rapid.T
	w    *world
	dir  string
	o    Options
	s    *Store
	came []*memo.Run
	cut  memo.Vector
}

// step does something to the store.
func (x *exercise) step() {
	switch rapid.SampledFrom([]string{"attach", "attach", "attach", "adopt", "adopt", "compact", "reopen", "rebuild"}).Draw(x.t, "step") {
	case "attach":
		x.attach(rapid.SliceOfN(rapid.SampledFrom(x.w.runs), 1, 6).Draw(x.t, "runs")...)
	case "adopt":
		x.adopt(rapid.IntRange(1, len(x.w.runs)).Draw(x.t, "upTo"))
	case "compact":
		if _, err := x.s.Compact([]Checkpoint{x.w.checkpoint(x.s)}); err != nil {
			x.t.Fatal(err)
		}
	case "rebuild":
		x.o.KV, x.came = NewMemoryKV(), nil // what waited is wanted again
		fallthrough
	case "reopen":
		want, cut := inspect(x.t, x.s, x.w)
		closeStore(x.t, x.s)
		sameAfter(x.t, x.dir, x.o, x.w, want, cut, foldRows(x.t, x.w.memosIn(cutOf(cut))))
		x.s = open(x.t, x.dir, x.o)
		x.s.AddSpace(x.w.space)
	}
}

func (x *exercise) attach(runs ...*memo.Run) {
	if res := attach(x.t, x.s, runs...); len(res.Refused) > 0 {
		x.t.Fatal(errors.Join(res.Refused...))
	}
	x.came = append(x.came, runs...)
	x.settle()
}

// adopt adopts the state of the first runs: closed under causes.
func (x *exercise) adopt(runs int) {
	var cut memo.Vector
	for _, r := range x.w.runs[:runs] {
		cut.Set(memo.Mark{Head: r.Head(), Time: r.Memos[len(r.Memos)-1].Time})
	}
	adopt(x.t, x.s, x.w.adoption(1, cut))
	x.cut.Join(cut)
	x.settle()
}

// settle adds to the expected cut what came and can be attached.
func (x *exercise) settle() {
	for again := true; again; {
		again = false
		for _, r := range x.came {
			mark, _ := x.cut.Get(r.Author())
			ready := r.FirstSeq() == mark.Seq+1
			for _, m := range r.Memos {
				for _, d := range m.Deps {
					ready = ready && x.cut.Covers(d.Author, d.Seq)
				}
			}
			if ready {
				x.cut.Set(memo.Mark{Head: r.Head(), Time: r.Memos[len(r.Memos)-1].Time})
				again = true
			}
		}
	}
}

// check compares the vector with the expected one, rows with those of all memos of
// it, and looks whether every head has its seal.
func (x *exercise) check() {
	v := x.s.View()
	cut := v.Vector(x.w.space)
	if diff := cmp.Diff(marks(x.cut), marks(cut)); diff != "" {
		x.t.Fatalf("vector (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(foldRows(x.t, x.w.memosIn(cut)), rowsFrom(x.t, x.s, x.w.space, 0)); diff != "" {
		x.t.Fatalf("rows (-want +got):\n%s", diff)
	}
	for m := range cut.All() {
		seal, ok, err := v.Seal(x.w.space, m.Author, m.Seq)
		if err != nil || !ok || memo.VerifySeal(x.w.space, m.Head, seal) != nil {
			x.t.Fatalf("seal of %s: %v %v", m.Head, ok, err)
		}
	}
}

func cutOf(marks []memo.Mark) (v memo.Vector) {
	for _, m := range marks {
		v.Set(m)
	}
	return v
}

// TestIndexOlderThanAdoptions: an index that lacks the last adoption and the last
// compaction is brought up to them.
func TestIndexOlderThanAdoptions(t *testing.T) {
	dir, old := t.TempDir(), t.TempDir()
	o := Options{WAL: smallSegments}
	w := newAdoptWorld(t, 3)
	w.run(1, 3)
	s := open(t, dir, o)
	s.AddSpace(w.space)
	attach(t, s, w.runs[0])
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	copyDir(t, filepath.Join(dir, "kv"), old)
	adopt(t, s, w.adoption(2, w.vector()))
	for i := range 2 {
		want, cut := inspect(t, s, w)
		closeStore(t, s)
		removeIndex(t, dir)
		copyDir(t, old, filepath.Join(dir, "kv"))
		sameAfter(t, dir, o, w, want, cut, foldRows(t, w.memosIn(w.vector())))
		s = open(t, dir, o)
		if i == 0 {
			if _, err := s.Compact([]Checkpoint{w.checkpoint(s)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	closeStore(t, s)
}

// TestFloorBeforeTheSweep: what is below the floor is not held, whether its index
// entries were swept away yet or not.
func TestFloorBeforeTheSweep(t *testing.T) {
	w, s, _, _ := gap(t, t.TempDir(), Options{WAL: smallSegments})
	defer closeStore(t, s)
	first := s.log.Last() + 1
	done, err := s.writeCheckpoint(walfs.Group, w.checkpoint(s), first)
	if err == nil {
		err = errors.Join(s.tookCompaction(first, []taken{done}), s.commit())
	}
	if err != nil {
		t.Fatal(err)
	}
	before, cut := inspect(t, s, w)
	if found := rowMemos(t, s.View(), w.space, "row 0", Place{}, everywhere); len(found) != 0 {
		t.Errorf("%d memos of a row are held", len(found))
	}
	if err := s.dropBelow(); err != nil {
		t.Fatal(err)
	}
	after, same := inspect(t, s, w)
	if diff := cmp.Diff(before, after) + cmp.Diff(cut, same); diff != "" {
		t.Errorf("the sweep changed (-before +after):\n%s", diff)
	}
}
