package store

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lightcone/memo"
)

// everywhere is from the first place to the last.
var everywhere = Place{LSN: 1 << 40}

// rowsOf returns, by row, the memos that the log has of it, in its order.
func rowsOf(t tester, s *Store) map[string][]memo.ID {
	t.Helper()
	out := map[string][]memo.ID{}
	err := s.Replay(0, eachMemo(func(_ uint64, m *memo.Memo) error {
		if e, ok := m.Body.(*memo.Edit); ok {
			for _, topic := range e.Topics {
				for _, r := range topic.Rows {
					key := topic.Topic + "/" + string(r.Row)
					if !slices.Contains(out[key], m.ID()) { // given back, it is in the log twice
						out[key] = append(out[key], m.ID())
					}
				}
			}
		}
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func rowMemos(t tester, v *View, space memo.SpaceID, row string, from, to Place) (found []Found) {
	t.Helper()
	for f, err := range v.RowMemos(space, "t", row, from, to) {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, f)
	}
	return found
}

// The memos of a row are those of the log that edit it, in its order, whether the
// index was kept or built anew; and any stretch of them is that stretch.
func TestRowMemosAreThoseOfTheLog(t *testing.T) {
	eachIndex(t, func(t *testing.T, o Options) {
		w := newWorld(t, 4)
		dir := t.TempDir()
		s := open(t, dir, o)
		fill(t, s, w, rand.New(rand.NewPCG(5, 6)), func(uint64) {})
		for _, rebuilt := range []bool{false, true} {
			want := rowsOf(t, s)
			if len(want) < 3 {
				t.Fatalf("%d rows", len(want))
			}
			for n := range len(want) {
				row := fmt.Sprintf("row %d", n)
				found := rowMemos(t, s.View(), w.space, row, Place{}, everywhere)
				var got []memo.ID
				for i, f := range found {
					got = append(got, f.Memo.ID())
					if part := rowMemos(t, s.View(), w.space, row, f.Place, found[len(found)-1].Place); len(part) != len(found)-i {
						t.Errorf("rebuilt %v: %s from %v: %d memos, want %d", rebuilt, row, f.Place, len(part), len(found)-i)
					}
				}
				if diff := cmp.Diff(want["t/"+row], got); diff != "" {
					t.Errorf("rebuilt %v: %s (-want +got):\n%s", rebuilt, row, diff)
				}
			}
			closeStore(t, s)
			removeIndex(t, dir)
			if o.KV != nil {
				o.KV = NewMemoryKV()
			}
			s = open(t, dir, o)
		}
		closeStore(t, s)
	})
}

// More memos of a row than one page of the index, in runs of many.
func TestRowMemosByPages(t *testing.T) {
	w := newWorld(t, 2)
	s := fresh(t, w, Options{KV: NewMemoryKV()})
	attach(t, s, w.runs[0])
	const runs = 2*touchedPage + 1 // each edits every row of it once
	for range runs {
		attach(t, s, w.run(1, 2))
	}
	found := rowMemos(t, s.View(), w.space, "row 1", Place{}, everywhere)
	for i, f := range found {
		if f.Index != 1 || f.Memo.Seq != uint64(2*i+2) {
			t.Fatalf("memo %d is %s at %v", i, f.Memo.Head(), f.Place)
		}
	}
	if len(found) != runs {
		t.Fatalf("%d memos, want %d", len(found), runs)
	}
	if none := rowMemos(t, s.View(), w.space, "row 2", Place{}, everywhere); none != nil {
		t.Fatalf("of a row that nobody edited: %v", none)
	}
}

// Two rows of one digest: each shows its own memos only.
func TestRowsOfOneDigest(t *testing.T) {
	w := newWorld(t, 2)
	s := fresh(t, w, Options{KV: NewMemoryKV()})
	attach(t, s, w.runs[0], w.run(1, 2))
	for it, err := range s.kv.Scan(touchedKey(w.space, "t", "row 0"), afterAll(touchedKey(w.space, "t", "row 0"))) {
		if err != nil {
			t.Fatal(err)
		}
		at := placeOf(it.Key)
		s.set(at.appendTo(touchedKey(w.space, "t", "row 1")), slices.Clone(it.Value))
	}
	if err := s.commit(); err != nil {
		t.Fatal(err)
	}
	found := rowMemos(t, s.View(), w.space, "row 1", Place{}, everywhere)
	if len(found) != 1 || found[0].Memo.Seq != 2 {
		t.Fatalf("got %v", found)
	}
}
