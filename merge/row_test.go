package merge_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/merge/mergetest"
)

// stamp returns the stamp of a memo written at the given time by the n-th author.
func stamp(time memo.Time, author int) merge.Stamp {
	return merge.Stamp{
		Time: time, Author: mergetest.Author(author), Seq: uint64(time),
		ID: memo.Sum([]byte{byte(time), byte(author)}),
	}
}

func text(s string) memo.Value {
	v, err := memo.Text(s)
	if err != nil {
		panic(err)
	}
	return v
}

func set(field, value string) memo.Delta {
	return memo.Delta{Field: field, Op: memo.Op{Set: true, Value: text(value)}}
}

func del(field string) memo.Delta { return memo.Delta{Field: field} }

func delta(t testing.TB, s merge.Stamp, tombstone bool, ds ...memo.Delta) merge.Row {
	t.Helper()
	row, err := merge.Delta(s, memo.RowEdit{Row: "r", Tombstone: tombstone, Deltas: ds})
	if err != nil {
		t.Fatal(err)
	}
	return row
}

// shown is what a reader sees of a row.
func shown(r merge.Row) map[string]string {
	out := map[string]string{}
	for _, c := range r.Cells {
		if c.Register.Set {
			out[c.Field] = c.Register.Value.String()
		}
	}
	return out
}

func TestJoinByExample(t *testing.T) {
	first := delta(t, stamp(1, 1), false, set("a", "Dog"), set("b", "Cat"))
	for name, c := range map[string]struct {
		with merge.Row
		want map[string]string
	}{
		"nothing":                             {merge.Row{}, map[string]string{"a": "Dog", "b": "Cat"}},
		"another field":                       {delta(t, stamp(2, 2), false, set("c", "Panda")), map[string]string{"a": "Dog", "b": "Cat", "c": "Panda"}},
		"a later write":                       {delta(t, stamp(2, 2), false, set("a", "Panda")), map[string]string{"a": "Panda", "b": "Cat"}},
		"an earlier write":                    {delta(t, stamp(0, 2), false, set("a", "Panda")), map[string]string{"a": "Dog", "b": "Cat"}},
		"a deleted field":                     {delta(t, stamp(2, 2), false, del("a")), map[string]string{"b": "Cat"}},
		"a deletion that came before":         {delta(t, stamp(0, 2), false, del("a")), map[string]string{"a": "Dog", "b": "Cat"}},
		"a deleted row":                       {delta(t, stamp(2, 2), true), map[string]string{}},
		"a row deleted before":                {delta(t, stamp(0, 2), true), map[string]string{"a": "Dog", "b": "Cat"}},
		"a row cleared and written by a memo": {delta(t, stamp(2, 2), true, set("b", "Woof")), map[string]string{"b": "Woof"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := merge.Join(first, c.with)
			if diff := cmp.Diff(c.want, shown(got)); diff != "" {
				t.Error(diff)
			}
			if got.Live() != (len(c.want) > 0) {
				t.Errorf("Live is %v", got.Live())
			}
			if diff := cmp.Diff(shown(merge.Join(c.with, first)), shown(got)); diff != "" {
				t.Error("the other way round:", diff)
			}
		})
	}
}

// Equal times are decided by the author, equal authors (a fork) by the digest.
func TestConcurrentWritesAreOrderedByStamp(t *testing.T) {
	a, b := stamp(1, 1), stamp(1, 2)
	if a.Author.Compare(b.Author) > 0 {
		a, b = b, a
	}
	a.ID, b.ID = memo.ID{0xff}, memo.ID{0x01} // the author comes before the digest
	fork := b
	fork.ID[0]++
	row := merge.Row{}
	for _, w := range []struct {
		s     merge.Stamp
		value string
	}{{b, "second"}, {fork, "third"}, {a, "first"}} {
		row = merge.Join(row, delta(t, w.s, false, set("f", w.value)))
	}
	if got := shown(row)["f"]; got != "third" {
		t.Errorf("%q won, want the write with the greatest (time, author, digest)", got)
	}
}

func TestDeltaRefusesUnknownCellTypes(t *testing.T) {
	edit := memo.RowEdit{Row: "r", Deltas: []memo.Delta{{Field: "f", Type: memo.TextCell}}}
	row, err := merge.Delta(stamp(1, 1), edit)
	if !errors.Is(err, merge.ErrUnknownCellType) || len(row.Cells) != 0 {
		t.Errorf("Delta = %v, %v", row, err)
	}
	row.Cells = []merge.Cell{{Field: "f", Type: memo.TextCell}}
	if _, err := row.Encode(); !errors.Is(err, merge.ErrUnknownCellType) {
		t.Errorf("Encode: %v", err)
	}
}

func TestStampOfIsTheMemosPlace(t *testing.T) {
	m, err := memo.New(memo.Memo{
		Author: mergetest.Author(1), Seq: 1, Time: 7,
		Body: &memo.Genesis{Name: "n", W: memo.DefaultW, M: memo.DefaultM, D: memo.DefaultD, Rho: memo.DefaultRho},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := merge.Stamp{Time: 7, Author: mergetest.Author(1), ID: m.ID(), Seq: 1}
	if got := merge.StampOf(m); got != want || got.IsZero() || !(merge.Stamp{}).IsZero() {
		t.Errorf("StampOf = %v, want %v", got, want)
	}
}

func TestProvenanceIsSortedAndUnique(t *testing.T) {
	row := merge.Join(
		delta(t, stamp(3, 2), false, set("a", "1"), set("c", "1")),
		merge.Join(delta(t, stamp(2, 1), true, set("b", "1")), delta(t, stamp(3, 1), false, set("d", "1"))),
	)
	got := row.Provenance()
	if len(got) != 3 {
		t.Fatalf("%d stamps, want 3: %v", len(got), got)
	}
	for i := 1; i < len(got); i++ {
		x, y := got[i-1], got[i]
		if c := x.Author.Compare(y.Author); c > 0 || c == 0 && x.Seq >= y.Seq {
			t.Errorf("not ascending by (author, seq): %v before %v", x, y)
		}
	}
}

// What a row holds already must cost nothing, and joining must never write into
// memory that another row still shows.
func TestJoinOfIncludedRowsDoesNotAllocate(t *testing.T) {
	row := delta(t, stamp(2, 1), false, set("a", "1"), set("b", "2"))
	old := delta(t, stamp(1, 1), false, set("a", "0"))
	if n := testing.AllocsPerRun(100, func() {
		merge.Join(row, merge.Row{})
		merge.Join(merge.Row{}, row)
		merge.Join(row, old)
		merge.Join(old, row)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestRowKeysKeepTheOrderOfTopicAndRow(t *testing.T) {
	ascending := [][2]string{{"a", ""}, {"a", "\x00"}, {"a", "\xff"}, {"a!", ""}, {"ab", "a"}, {"b", "a\x00b"}}
	prev := ""
	for _, tr := range ascending {
		k := merge.RowKey(tr[0], tr[1])
		if k <= prev {
			t.Errorf("key %q is not above %q", k, prev)
		}
		prev = k
		topic, row, ok := merge.SplitRowKey(k)
		if !ok || topic != tr[0] || row != tr[1] {
			t.Errorf("SplitRowKey(%q) = %q %q %v", k, topic, row, ok)
		}
	}
	for _, bad := range []string{"", "topic", "\x00row", string(make([]byte, merge.MaxKey+1))} {
		if topic, row, ok := merge.SplitRowKey(bad); ok {
			t.Errorf("SplitRowKey(%q) = %q %q", bad, topic, row)
		}
	}
}
