package store

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"lightcone/memo"
	"lightcone/walfs"
)

// BenchmarkRowMemos finds the memos of a row with 10 edits among 50,000 memos of
// other rows, a peer's in full runs or own ones: by the index, and by reading the
// log with a look for the row's key before anything is decoded.
func BenchmarkRowMemos(b *testing.B) {
	const memos, edits = 50_000, 10
	for _, by := range []string{"foreign", "own"} {
		w := newWorld(b, 2)
		s := open(b, b.TempDir(), Options{})
		s.AddSpace(w.space)
		attach(b, s, w.runs[0])
		for n := 0; n < memos; n += memo.MaxRunMemos {
			r := distinct(w, n, n%(memos/edits) < memo.MaxRunMemos)
			if by == "own" {
				appendOwn(b, s, walfs.None, r.Memos, &r.Seal)
			} else {
				attach(b, s, r)
			}
		}
		b.Run(by+"/index", func(b *testing.B) {
			for range b.N {
				if got := rowMemos(b, s.View(), w.space, "rare", Place{}, everywhere); len(got) != edits {
					b.Fatal(len(got))
				}
			}
		})
		b.Run(by+"/log", func(b *testing.B) {
			for range b.N {
				if got := rowMemosByLog(b, s, []byte("rare")); got != edits {
					b.Fatal(got)
				}
			}
		})
		closeStore(b, s)
	}
}

// distinct makes a full run by author 1 that edits rows from number n on, the
// first of them, if rare, by that name.
func distinct(w *world, n int, rare bool) *memo.Run {
	prev := w.heads[1]
	run := w.next(1, memo.MaxRunMemos)
	for i, m := range run {
		again := *m
		e := edit(n + i)
		if rare && i == 0 {
			e.Topics[0].Rows[0].Row = "rare"
		}
		again.Body = e
		if prev != nil {
			again.Prev = prev.ID()
		}
		run[i] = w.memo(again)
		prev = run[i]
	}
	w.heads[1] = prev
	return w.seal(1, run...)
}

func rowMemosByLog(b *testing.B, s *Store, row []byte) (found int) {
	err := s.records(0, func(e walfs.Entry) error {
		if !bytes.Contains(e.Data, row) {
			return nil
		}
		memos, err := memosIn(e)
		for _, m := range memos {
			if _, ok := m.Edits("t", string(row)); ok {
				found++
			}
		}
		return err
	})
	if err != nil && !errors.Is(err, walfs.ErrNoNewData) {
		b.Fatal(fmt.Errorf("read the log: %w", err))
	}
	return found
}
