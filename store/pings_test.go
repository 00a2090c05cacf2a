package store

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"lightcone/memo"
	"lightcone/walfs"
)

// ping makes the next memo of author i a ping.
func (w *world) ping(i int, refs ...memo.Head) *memo.Memo {
	w.t.Helper()
	m := memo.Memo{
		Space: w.space, Author: w.author(i), Seq: 1, Time: memo.Next(uint64(len(w.runs))),
		Deps: []memo.Head{w.genesis().Head()}, Body: &memo.Ping{VecRoot: memo.Sum([]byte{byte(i)}), Refs: refs},
	}
	if prev := w.heads[i]; prev != nil {
		m.Seq, m.Prev, m.Deps, m.Time = prev.Seq+1, prev.ID(), nil, memo.Next(0, prev.Time)
	}
	w.heads[i] = w.memo(m)
	return w.heads[i]
}

// The index has the latest ping of each beacon, own ones included, as they attach,
// after a restart and when it is built anew. Refs need not be held.
func TestPingsOfTheIndex(t *testing.T) {
	eachIndex(t, func(t *testing.T, o Options) {
		w := newWorld(t, 4)
		dir := t.TempDir()
		s := open(t, dir, o)
		s.AddSpace(w.space)
		nowhere := memo.Head{Author: w.author(3), Seq: 9, ID: memo.Sum([]byte("not here"))}
		first := w.seal(1, w.ping(1, nowhere))
		both := w.seal(2, append(w.next(2, 1), w.ping(2, first.Head()))...)
		again := w.seal(1, append(append(w.next(1, 1), w.ping(1)), w.next(1, 1)...)...)
		res, err := s.Attach([]*memo.Run{w.runs[0], first, both, again})
		if err != nil || len(res.Attached) != 7 {
			t.Fatalf("%d memos attached: %v", len(res.Attached), err)
		}
		own := w.ping(3)
		if _, err := s.AppendOwn(walfs.Group, []*memo.Memo{own}, nil); err != nil {
			t.Fatal(err)
		}
		want := map[memo.ID]bool{again.Memos[1].ID(): true, both.Memos[1].ID(): true, own.ID(): true}
		for _, moment := range []string{"as they attached", "after a restart", "built anew"} {
			pings, err := s.View().Pings(w.space)
			got := map[memo.ID]bool{}
			for _, m := range pings {
				got[m.ID()] = true
			}
			if diff := cmp.Diff(want, got); diff != "" || err != nil || len(pings) != len(want) {
				t.Errorf("%s: %d pings (%v):\n%s", moment, len(pings), err, diff)
			}
			closeStore(t, s)
			if moment == "after a restart" {
				removeIndex(t, dir)
				if o.KV != nil {
					o.KV = NewMemoryKV()
				}
			}
			s = open(t, dir, o)
		}
		closeStore(t, s)
	})
}
