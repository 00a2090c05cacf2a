package merge_test

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/merge/mergetest"
)

// view is what a reader sees of the row of mergetest.Sessions, as text.
type view struct {
	Multi []string // ascending
	Count int64
	Set   []string
}

func viewOf(r merge.Row) (v view) {
	if c := r.Cell("m", memo.Multi); c != nil {
		for _, a := range c.Atoms.Values() {
			v.Multi = append(v.Multi, a.Value.String())
		}
		slices.Sort(v.Multi)
	}
	if c := r.Cell("n", memo.Counter); c != nil {
		v.Count = c.Counter.Value()
	}
	if c := r.Cell("s", memo.Set); c != nil {
		for _, e := range c.Atoms.Elements() {
			v.Set = append(v.Set, e.String())
		}
	}
	return v
}

// meant is what readers who know the given acts should see, by what the authors
// meant and knew; it knows nothing of dots, tallies and bases.
func meant(acts []mergetest.Act, known []int) (v view) {
	cleared := -1
	for _, i := range known {
		if acts[i].Edit.Tombstone && (cleared < 0 || acts[cleared].Stamp.Compare(acts[i].Stamp) < 0) {
			cleared = i
		}
	}
	// gone tells whether act i is older than the tombstone, or some act that knew
	// of it undid it.
	gone := func(i int, undoes func(mergetest.Act) bool) bool {
		return cleared >= 0 && acts[i].Stamp.Compare(acts[cleared].Stamp) < 0 || slices.ContainsFunc(known, func(j int) bool {
			return slices.Contains(acts[j].Knows, i) && undoes(acts[j])
		})
	}
	for _, i := range known {
		a := acts[i]
		if cleared < 0 || cleared == i || slices.Contains(a.Knows, cleared) {
			v.Count += a.Add // deletion beats concurrent increments
		}
		for _, p := range a.Put {
			if !gone(i, func(b mergetest.Act) bool { return len(b.Put) > 0 || b.Clear }) {
				v.Multi = append(v.Multi, p.String())
			}
		}
		for _, e := range a.Insert { // add wins: only a removal that knew of it counts
			removed := func(b mergetest.Act) bool {
				return slices.Contains(b.Remove, e) && !slices.Contains(b.Insert, e)
			}
			if !gone(i, removed) {
				v.Set = append(v.Set, e.String())
			}
		}
	}
	slices.Sort(v.Multi)
	slices.Sort(v.Set)
	v.Set = slices.Compact(v.Set)
	return v
}

// TestSessionsSeeWhatWasMeant: after every act, its author sees what all acts known
// there mean together, and whoever knows all acts sees what they mean.
func TestSessionsSeeWhatWasMeant(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		acts := mergetest.Sessions().Draw(t, "acts")
		check := func(known []int) {
			var ws []mergetest.Write
			for _, i := range known {
				ws = append(ws, acts[i].Write)
			}
			row := fold(t, ws)
			if diff := cmp.Diff(meant(acts, known), viewOf(row)); diff != "" {
				t.Fatalf("- meant, + seen, by %v:\n%s", known, diff)
			}
			for _, c := range row.Cells {
				if c.Atoms == nil {
					continue
				}
				for _, s := range c.Atoms.Seen { // a set costs one span an author, whatever happened to it
					if len(s.Spans) != 1 || s.Spans[0].From != 1 {
						t.Fatalf("field %q: %v has gaps though all memos are known", c.Field, s)
					}
				}
			}
		}
		for i, a := range acts {
			check(append(slices.Clone(a.Knows), i))
		}
		check(indices(len(acts)))
	})
}

// What the writer makes is valid.
func TestSessionsAreValid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		for _, a := range mergetest.Sessions().Draw(t, "acts") {
			if _, err := memo.New(memo.Memo{
				Space: memo.SpaceID{1}, Author: a.Stamp.Author, Seq: a.Stamp.Seq + 1, Prev: memo.ID{1}, Time: a.Stamp.Time,
				Body: &memo.Edit{Topics: []memo.TopicEdit{{Topic: "t", Rows: []memo.RowEdit{a.Edit}}}},
			}); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// write joins into row what the n-th author's next memo does, at the given time.
func write(t testing.TB, row merge.Row, time memo.Time, n int, ds ...memo.Delta) merge.Row {
	t.Helper()
	return merge.Join(row, delta(t, stamp(time, n), false, ds...))
}

func by(row merge.Row, n int) merge.Writer {
	return merge.Writer{Author: mergetest.Author(n), Row: row, Own: row}
}

func add(t testing.TB, row merge.Row, n int, by int64) memo.Delta {
	t.Helper()
	d, err := merge.Writer{Author: mergetest.Author(n), Own: row}.Add("n", by)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Counters: an author's sums end at the largest int64, with an error that leaves
// the rest of the counter alone; the shown sum of all authors saturates both ways.
func TestCountersAtTheirLimits(t *testing.T) {
	count := func(r merge.Row) int64 { return r.Cell("n", memo.Counter).Counter.Value() }
	up := write(t, merge.Row{}, 1, 1, add(t, merge.Row{}, 1, math.MaxInt64))
	if count(up) != math.MaxInt64 {
		t.Errorf("one author counts to %d", count(up))
	}
	if _, err := by(up, 1).Add("n", 1); !errors.Is(err, merge.ErrCounterFull) {
		t.Errorf("beyond the largest int64: %v", err)
	}
	if _, err := by(up, 1).Add("n", math.MinInt64); !errors.Is(err, merge.ErrCounterFull) {
		t.Errorf("the smallest int64 at once: %v", err)
	}
	more := write(t, write(t, up, 2, 2, add(t, up, 2, math.MaxInt64)), 3, 3, add(t, up, 3, math.MaxInt64))
	if count(more) != math.MaxInt64 {
		t.Errorf("three authors count to %d", count(more))
	}
	for n := 1; n <= 3; n++ { // the sum is exact beyond what is shown
		more = write(t, more, memo.Time(3+n), n, add(t, more, n, -math.MaxInt64))
	}
	if count(more) != 0 {
		t.Errorf("there and back is %d", count(more))
	}
	down := write(t, merge.Row{}, 1, 1, add(t, merge.Row{}, 1, -math.MaxInt64))
	down = write(t, down, 2, 2, add(t, down, 2, -1))
	if count(down) != math.MinInt64 {
		t.Errorf("down to the smallest int64 is %d", count(down))
	}
	if down = write(t, down, 3, 3, add(t, down, 3, -1)); count(down) != math.MinInt64 {
		t.Errorf("below the smallest int64 is %d", count(down))
	}
	full := delta(t, stamp(1, 1), false, memo.Delta{Field: "n", Type: memo.Counter, Op: memo.Op{Operands: &memo.Count{K: memo.MaxCount}}})
	if _, err := by(full, 1).Add("n", 1); !errors.Is(err, merge.ErrCounterFull) {
		t.Errorf("after the last operation: %v", err)
	}
}

// Cells of one field and different types do not join: the last one written shows.
func TestShown(t *testing.T) {
	counted := write(t, merge.Row{}, 2, 1, add(t, merge.Row{}, 1, 5))
	both := write(t, counted, 3, 2, set("n", "five"))
	emptied := write(t, merge.Row{}, 1, 1, by(merge.Row{}, 1).Put("n", memo.Int(1)))
	clear, _ := by(emptied, 1).Clear("n")
	emptied = write(t, emptied, 2, 1, clear)
	for name, c := range map[string]struct {
		row    merge.Row
		field  string // "-" when none is shown
		shown  memo.CellType
		live   bool
		others []memo.CellType
	}{
		"nothing":                         {merge.Row{}, "-", 0, false, nil},
		"counter":                         {counted, "n", memo.Counter, true, nil},
		"register over counter":           {both, "n", memo.Register, true, []memo.CellType{memo.Counter}},
		"counter over register":           {write(t, both, 4, 1, add(t, both, 1, 1)), "n", memo.Counter, true, []memo.CellType{memo.Register}},
		"older register":                  {write(t, counted, 1, 2, set("n", "one")), "n", memo.Counter, true, []memo.CellType{memo.Register}},
		"deleted register over counter":   {write(t, both, 4, 2, del("n")), "n", memo.Register, false, []memo.CellType{memo.Counter}},
		"deleted register alone":          {write(t, merge.Row{}, 1, 1, del("n")), "-", 0, false, nil},
		"emptied multi alone":             {emptied, "-", 0, false, nil},
		"emptied multi after the counter": {merge.Join(counted, write(t, emptied, 9, 3, clear)), "n", memo.Multi, false, []memo.CellType{memo.Counter}},
	} {
		got := c.row.Shown()
		if c.field == "-" {
			if len(got) != 0 || c.row.Live() {
				t.Errorf("%s: shows %v, live %v", name, got, c.row.Live())
			}
			continue
		}
		if len(got) != 1 || got[0].Cell.Field != c.field || got[0].Cell.Type != c.shown || got[0].Cell.Live() != c.live || !slices.Equal(got[0].Others, c.others) {
			t.Errorf("%s: shows %+v", name, got)
		}
	}
}

// A multi's values come with the greatest stamp first; one more write resolves them.
func TestConcurrentValues(t *testing.T) {
	first := write(t, merge.Row{}, 1, 1, by(merge.Row{}, 1).Put("m", text("a")))
	one := write(t, first, 2, 1, by(first, 1).Put("m", text("b")))
	other := write(t, first, 3, 2, by(first, 2).Put("m", text("c")))
	both := merge.Join(one, other)
	values := both.Cell("m", memo.Multi).Atoms.Values()
	if len(values) != 2 || values[0].Value != text("c") || values[1].Value != text("b") || values[0].Stamp != stamp(3, 2) {
		t.Errorf("concurrent values are %v", values)
	}
	resolved := write(t, both, 4, 3, by(both, 3).Put("m", text("d")))
	values = resolved.Cell("m", memo.Multi).Atoms.Values()
	if len(values) != 1 || values[0].Value != text("d") {
		t.Errorf("resolved to %v", values)
	}
	if late := merge.Join(resolved, both); !resolved.Includes(both) || len(late.Cell("m", memo.Multi).Atoms.Live) != 1 {
		t.Error("what was resolved comes back")
	}
}

// A removal leaves no atom, and still it has been observed: its memo is part of
// the provenance, before and after others write on.
func TestProvenanceHasRemovals(t *testing.T) {
	row := write(t, merge.Row{}, 1, 1, change(t, merge.Row{}, 1, []memo.Value{text("x")}, nil))
	row = write(t, row, 2, 2, change(t, row, 2, nil, []memo.Value{text("x")}))
	if row.Live() {
		t.Fatal("the set still has an element")
	}
	want := []merge.Stamp{stamp(1, 1), stamp(2, 2)}
	slices.SortFunc(want, func(a, b merge.Stamp) int { return a.Author.Compare(b.Author) })
	if diff := cmp.Diff(want, row.Provenance()); diff != "" {
		t.Error(diff)
	}
	cleared := merge.Join(row, delta(t, stamp(3, 3), true))
	if n := len(cleared.Provenance()); n != 3 {
		t.Errorf("%d memos behind a cleared row, want 3", n)
	}
}

func change(t testing.TB, row merge.Row, n int, add, remove []memo.Value) memo.Delta {
	t.Helper()
	d, ok := by(row, n).Change("s", add, remove)
	if !ok {
		t.Fatal("the change does nothing")
	}
	return d
}

// An author who did not see all of what they wrote before, in another session, goes
// on counting and replaces what they saw alone.
func TestWriterOfAnOlderView(t *testing.T) {
	old := write(t, merge.Row{}, 1, 1, by(merge.Row{}, 1).Put("m", text("a")))
	row := write(t, old, 2, 1, merge.Writer{Author: mergetest.Author(1), Own: old}.Put("m", text("b")))
	row = write(t, row, 3, 1, merge.Writer{Author: mergetest.Author(1), Row: old, Own: row}.Put("m", text("c")))
	if diff := cmp.Diff([]string{"b", "c"}, viewOf(row).Multi); diff != "" {
		t.Error(diff)
	}
}

// Somebody who removes what an author has not added yet cannot keep the author from
// adding: numbers that were never used are left, whatever was removed.
func TestRemovalsInAdvance(t *testing.T) {
	of := mergetest.Author(1)
	remove := func(ks ...uint64) memo.Delta {
		return memo.Delta{Field: "s", Type: memo.Set, Op: memo.Op{Operands: &memo.Change{Remove: []memo.Dots{{Author: of, Ks: ks}}}}}
	}
	row := write(t, merge.Row{}, 1, 1, change(t, merge.Row{}, 1, []memo.Value{text("a")}, nil))
	row = write(t, row, 2, 2, remove(4, memo.MaxCount))
	var want []string
	for i, add := range [][]string{{"b", "c", "d"}, {"e"}, {"f", "g"}} { // 2 and 3 have no room for three
		var vs []memo.Value
		for _, s := range add {
			vs = append(vs, text(s))
		}
		want = append(want, add...)
		row = write(t, row, memo.Time(3+i), 1, change(t, row, 1, vs, nil))
	}
	if diff := cmp.Diff(append([]string{"a"}, want...), viewOf(row).Set); diff != "" {
		t.Error(diff)
	}
	var ks []uint64
	for _, a := range row.Cell("s", memo.Set).Atoms.Live {
		ks = append(ks, a.K)
	}
	if diff := cmp.Diff([]uint64{1, 2, 5, 6, 7, 8, 9}, ks); diff != "" {
		t.Error(diff)
	}
	row = write(t, row, 9, 1, change(t, row, 1, nil, []memo.Value{text("e")}))
	if got := viewOf(row).Set; len(got) != 6 {
		t.Errorf("after a removal: %v", got)
	}
}

// There is nothing to do where nothing is there.
func TestWriterOfNothing(t *testing.T) {
	empty := by(merge.Row{}, 1)
	if d, ok := empty.Clear("m"); ok {
		t.Errorf("clears an empty multi: %v", d)
	}
	if d, ok := empty.Change("s", nil, []memo.Value{text("x")}); ok {
		t.Errorf("removes from an empty set: %v", d)
	}
	full := write(t, merge.Row{}, 1, 1, change(t, merge.Row{}, 1, []memo.Value{text("x")}, nil))
	clearing := merge.Writer{Author: mergetest.Author(1), Row: full, Own: full, Clears: true}
	if d, ok := clearing.Change("s", nil, []memo.Value{text("x")}); ok {
		t.Errorf("removes what the same memo's tombstone drops: %v", d)
	}
}
