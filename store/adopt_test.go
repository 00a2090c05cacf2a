package store

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/walfs"
)

// foldRows returns the encoded state of the rows that memos make, by key.
func foldRows(t tester, memos []*memo.Memo) map[string]string {
	t.Helper()
	rows := map[string]merge.Row{}
	for _, m := range memos {
		e, ok := m.Body.(*memo.Edit)
		if !ok {
			continue
		}
		for _, topic := range e.Topics {
			for _, r := range topic.Rows {
				delta, err := merge.Delta(merge.StampOf(m), r)
				if err != nil {
					t.Fatal(err)
				}
				key := merge.RowKey(topic.Topic, string(r.Row))
				rows[key] = merge.Join(rows[key], delta)
			}
		}
	}
	return encoded(t, rows)
}

func encoded(t tester, rows map[string]merge.Row) map[string]string {
	t.Helper()
	out := map[string]string{}
	for key, row := range rows {
		state, err := row.Encode()
		if err != nil {
			t.Fatal(err)
		}
		out[key] = string(state)
	}
	return out
}

// rowsFrom is what a projection has that replays s from an LSN on.
func rowsFrom(t tester, s *Store, space memo.SpaceID, after uint64) map[string]string {
	t.Helper()
	rows := map[string]merge.Row{}
	err := s.Replay(after, func(rec Record) error {
		if rec.Adopted != nil && rec.Adopted.Space() == space {
			for r, err := range rec.Adopted.Rows() {
				if err != nil {
					return err
				}
				state, err := merge.DecodeRow(r.State)
				if err != nil || r.LSN > rec.LSN {
					return fmt.Errorf("row %q at %d: %w", r.Key, r.LSN, err)
				}
				rows[r.Key] = merge.Join(rows[r.Key], state)
			}
		}
		for key, state := range foldRows(t, rec.Memos) {
			delta, err := merge.DecodeRow([]byte(state))
			if err != nil {
				return err
			}
			rows[key] = merge.Join(rows[key], delta)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return encoded(t, rows)
}

// memosIn returns the memos that a cut covers.
func (w *world) memosIn(v memo.Vector) (out []*memo.Memo) {
	for _, r := range w.runs {
		for _, m := range r.Memos {
			if v.Covers(m.Author, m.Seq) {
				out = append(out, m)
			}
		}
	}
	return out
}

// adoption is the whole state of a cut that ends at the heads of runs.
func (w *world) adoption(from int, cut memo.Vector) Adoption {
	a := Adoption{
		Space: w.space, Root: memo.ID{7}, From: w.author(from), Announcement: []byte("signed"),
		Rows: keyed(foldRows(w.t, w.memosIn(cut))),
	}
	for _, r := range w.runs {
		if mark, _ := cut.Get(r.Author()); mark.Head == r.Head() {
			a.Heads = append(a.Heads, SealedMark{mark, r.Seal})
		}
	}
	return a
}

func keyed(rows map[string]string) func(func(merge.KeyedRow, error) bool) {
	return func(yield func(merge.KeyedRow, error) bool) {
		for _, key := range slices.Sorted(maps.Keys(rows)) {
			if !yield(merge.KeyedRow{Key: key, State: []byte(rows[key])}, nil) {
				return
			}
		}
	}
}

func adopt(t tester, s *Store, a Adoption) (Adopted, Result) {
	t.Helper()
	out, res, err := s.Adopt(a)
	if err != nil {
		t.Fatal(err)
	}
	return out, res
}

// spot is everything that a view says of one place of a chain.
type spot struct {
	ID, Memo, Run, Seal, Next string
	From                      memo.Author
}

// inspect asks s everything about w's space, held or not.
func inspect(t tester, s *Store, w *world) (map[string]spot, []memo.Mark) {
	t.Helper()
	v, out := s.View(), map[string]spot{}
	said := func(ok bool, err error, what any) string {
		if err != nil && !errors.Is(err, ErrNoBody) && !errors.Is(err, ErrNoRun) {
			t.Fatal(err)
		}
		if ok {
			return fmt.Sprint(what)
		}
		return "none"
	}
	for mark := range v.All(w.space).All() {
		for seq := uint64(1); seq <= mark.Seq+1; seq++ {
			var h spot
			id, ok, err := v.ID(w.space, mark.Author, seq)
			h.ID = said(ok, err, id)
			m, ok, err := v.Memo(w.space, mark.Author, seq)
			if h.Memo = said(ok, err, ""); ok {
				h.Memo = m.ID().String()
			}
			raw, err := v.Run(w.space, mark.Author, seq)
			h.Run = said(err == nil, err, memo.Sum(raw))
			seal, ok, err := v.Seal(w.space, mark.Author, seq)
			h.Seal = said(ok, err, seal)
			order, last, ok, err := v.NextRun(w.space, mark.Author, seq-1)
			h.Next = said(true, err, []any{order, last, ok})
			who, _, err := v.Vouched(w.space, mark.Author, seq)
			if h.From = who.From; err != nil {
				t.Fatal(err)
			}
			out[fmt.Sprintf("%s %d", mark.Author, seq)] = h
		}
	}
	return out, marks(v.All(w.space))
}

// sameAfter fails unless a store opened on dir answers as it did.
func sameAfter(t tester, dir string, o Options, w *world, want map[string]spot, cut []memo.Mark, rows map[string]string) {
	t.Helper()
	s := open(t, dir, o)
	got, all := inspect(t, s, w)
	if diff := cmp.Diff(cut, all); diff != "" {
		t.Fatalf("vector (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("answers (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(rows, rowsFrom(t, s, w.space, 0)); diff != "" {
		t.Fatalf("rows (-want +got):\n%s", diff)
	}
	closeStore(t, s)
}

// gap makes a world of two chains and a store that has the first 3 memos of author
// 1 and adopted the next 4, with memos 8 and 9 pending.
func gap(t *testing.T, dir string, o Options) (w *world, s *Store, out Adopted, res Result) {
	w = newAdoptWorld(t, 3)
	first, second := w.run(1, 3), w.run(1, 4)
	w.run(2, 1, second.Memos[0])
	cut := w.vector()
	late := w.run(1, 2, w.runs[3].Memos[0])
	s = open(t, dir, o)
	s.AddSpace(w.space)
	attach(t, s, w.runs[0], first, late)
	out, res = adopt(t, s, w.adoption(2, cut))
	return w, s, out, res
}

func TestAdoptedStateStandsForMemos(t *testing.T) {
	eachIndex(t, func(t *testing.T, o Options) {
		dir := t.TempDir()
		w, s, out, res := gap(t, dir, o)
		if s.log.Durable() < out.LSN || out.LSN == 0 {
			t.Fatal("what was adopted is not synced")
		}
		if len(res.Runs) != 1 || res.Runs[0].Head() != w.runs[4].Head() {
			t.Fatalf("the pending run was not freed: %v", res)
		}
		v := s.View()
		if diff := cmp.Diff(marks(w.vector()), marks(v.Vector(w.space))); diff != "" {
			t.Fatal(diff)
		}
		one := w.author(1)
		if id, ok, err := v.ID(w.space, one, 7); err != nil || !ok || id != w.runs[2].Head().ID {
			t.Errorf("digest of the adopted head: %v %v %v", id, ok, err)
		}
		if _, ok, err := v.ID(w.space, one, 5); ok || !errors.Is(err, ErrNoBody) {
			t.Errorf("digest below it: %v %v", ok, err)
		}
		for _, seq := range []uint64{4, 7} {
			if _, ok, err := v.Memo(w.space, one, seq); ok || !errors.Is(err, ErrNoBody) {
				t.Errorf("memo %d: %v %v", seq, ok, err)
			}
			who, ok, err := v.Vouched(w.space, one, seq)
			if err != nil || !ok || who.From != w.author(2) || who.LSN != out.LSN || who.Head.Head != w.runs[2].Head() || who.Seal != w.runs[2].Seal {
				t.Errorf("memo %d is vouched for by %+v %v %v", seq, who, ok, err)
			}
		}
		if _, ok, err := v.Vouched(w.space, one, 3); ok || err != nil {
			t.Errorf("memo 3 is held: %v %v", ok, err)
		}
		if seal, ok, err := v.Seal(w.space, one, 7); !ok || err != nil || seal != w.runs[2].Seal {
			t.Errorf("the seal of the adopted head: %v %v", ok, err)
		}
		for after, want := range map[uint64][3]any{
			0: {uint64(2), uint64(3), true}, 3: {out.LSN, uint64(0), false}, 5: {out.LSN, uint64(0), false},
			7: {out.LSN + 1, uint64(9), true}, 9: {uint64(0), uint64(0), false},
		} {
			order, last, ok, err := v.NextRun(w.space, one, after)
			if got := [3]any{order, last, ok}; err != nil || got != want {
				t.Errorf("the run after %d: %v %v, want %v", after, got, err, want)
			}
		}
		if res := attach(t, s, w.runs[2]); res.Duplicates != 1 || len(res.Attached)+len(res.Refused) > 0 {
			t.Errorf("bodies that come later: %+v", res)
		}
		feedHas(t, s, w, out)
		want, cut := inspect(t, s, w)
		rows := foldRows(t, w.memosIn(w.vector()))
		if diff := cmp.Diff(rows, rowsFrom(t, s, w.space, 0)); diff != "" {
			t.Fatal(diff)
		}
		closeStore(t, s)
		sameAfter(t, dir, o, w, want, cut, rows)
		writeIndex(t, dir, &o, stateKey, []byte{99})
		sameAfter(t, dir, o, w, want, cut, rows)
	})
}

// feedHas checks that a feed shows the adoption, in order and again from its record.
func feedHas(t *testing.T, s *Store, w *world, out Adopted) {
	t.Helper()
	for _, from := range []uint64{1, out.LSN} {
		f, err := s.View().Feed(from)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for {
			rec, ok, err := f.Next(s.log.Last())
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			if rec.Adopted == nil {
				continue
			}
			got := map[string]string{}
			for r, err := range rec.Adopted.Rows() {
				if err != nil {
					t.Fatal(err)
				}
				got[r.Key] = string(r.State)
			}
			var cut memo.Vector
			for h, err := range rec.Adopted.Heads() {
				if err != nil {
					t.Fatal(err)
				}
				cut.Set(h.Mark)
			}
			cut.Set(memo.Mark{Head: w.genesis().Head()})
			found++
			if rec.LSN != out.LSN || rec.Adopted.From() != w.author(2) || string(rec.Adopted.Announcement()) != "signed" ||
				rec.Adopted.Root() != (memo.ID{7}) || rec.Adopted.Own || uint64(len(got)) != rec.Adopted.Len() {
				t.Errorf("the record says %+v", rec.Adopted)
			}
			if diff := cmp.Diff(foldRows(t, w.memosIn(cut)), got); diff != "" {
				t.Error(diff)
			}
		}
		if err := f.Close(); err != nil || found != 1 {
			t.Errorf("%d adoptions from %d on, %v", found, from, err)
		}
	}
}

func TestAdoptRefuses(t *testing.T) {
	verify, w := newWorld(t, 3), newAdoptWorld(t, 3)
	w.run(1, 2)
	other := w.next(2, 1)
	s := fresh(t, w, Options{WAL: smallSegments})
	whole := w.adoption(2, w.vector())
	try := func(what string, a Adoption, want error) {
		t.Helper()
		before, last := marks(s.View().All(a.Space)), s.log.Last()
		if _, _, err := s.Adopt(a); !errors.Is(err, want) {
			t.Errorf("%s: %v", what, err)
		}
		if diff := cmp.Diff(before, marks(s.View().All(a.Space))); diff != "" || s.log.Last() != last {
			t.Errorf("%s: it left %d records and %s", what, s.log.Last()-last, diff)
		}
	}
	try("without the genesis", whole, ErrNotAttachable)
	attach(t, s, w.runs[0])
	s.AddSpace(verify.space)
	attach(t, s, verify.runs[0])
	verify.run(1, 2)
	try("a space that trusts memos alone", verify.adoption(1, verify.vector()), ErrTrust)
	a := whole
	a.Space = memo.SpaceID{1}
	try("a space that is not here", a, ErrUnknownSpace)
	a = whole
	a.Heads = append(slices.Clone(a.Heads), a.Heads[len(a.Heads)-1])
	try("an author twice", a, ErrNotAttachable)
	a.Heads = []SealedMark{{}}
	try("no head", a, ErrNotAttachable)
	a = whole
	a.Announcement = make([]byte, maxAnnouncement+1)
	try("a long announcement", a, ErrNotAttachable)
	seal := w.sign(2, other[0])
	appendOwn(t, s, walfs.None, other, nil)
	longer := w.seal(2, append(slices.Clone(other), w.next(2, 1)...)...)
	mark := memo.Mark{Head: longer.Head(), Time: 9}
	try("a chain with own memos to be sealed", Adoption{Space: w.space, Heads: []SealedMark{{mark, longer.Seal}}, Rows: keyed(nil)}, ErrNotAttachable)
	if err := s.SealOwn(w.space, w.author(2), seal); err != nil {
		t.Fatal(err)
	}
	out, _ := adopt(t, s, Adoption{Space: w.space, Rows: keyed(nil), Heads: []SealedMark{
		{memo.Mark{Head: w.genesis().Head()}, seal}, {memo.Mark{Head: other[0].Head()}, seal},
	}})
	if out.LSN != 0 {
		t.Errorf("a root that is not ahead was written, record %d", out.LSN)
	}
}

// TestAdoptParts: heads and rows of any number and size are cut into parts, and an
// error in the middle leaves parts that mean nothing.
func TestAdoptParts(t *testing.T) {
	dir, o := t.TempDir(), Options{WAL: smallSegments}
	w := newAdoptWorld(t, 1)
	s := open(t, dir, o)
	s.AddSpace(w.space)
	attach(t, s, w.runs[0])
	rows := map[string]string{}
	for i := range 20 {
		rows[merge.RowKey("t", fmt.Sprint(i))] = string(make([]byte, 1+i*i*1000))
	}
	a := Adoption{Space: w.space, Rows: keyed(rows)}
	for i := range 1500 {
		id := memo.Sum([]byte{byte(i), byte(i >> 8)})
		a.Heads = append(a.Heads, SealedMark{Mark: memo.Mark{Head: memo.Head{Author: memo.Author(id), Seq: 1, ID: id}, Time: 5}})
	}
	bad := a
	bad.Rows = func(yield func(merge.KeyedRow, error) bool) {
		for r, err := range a.Rows {
			if !yield(r, err) {
				return
			}
		}
		yield(merge.KeyedRow{}, errors.New("torn"))
	}
	if _, _, err := s.Adopt(bad); err == nil || s.View().Vector(w.space).Len() != 1 {
		t.Fatal("adopted rows that were not all there", err)
	}
	left := s.log.Last()
	out, _ := adopt(t, s, a)
	if parts := out.LSN - left - 1; parts != out.commit.Parts || parts < 10 {
		t.Errorf("%d parts", parts)
	}
	for range 2 {
		if n := s.View().Vector(w.space).Len(); n != 1501 {
			t.Errorf("%d heads", n)
		}
		got, before := map[string]string{}, uint64(0)
		err := s.Replay(0, func(rec Record) error {
			if rec.Adopted == nil {
				return nil
			}
			for r, err := range rec.Adopted.Rows() {
				if err != nil {
					return err
				}
				if r.LSN < before || r.LSN > rec.LSN || r.LSN < rec.LSN-rec.Adopted.commit.Parts {
					t.Errorf("row %q at %d after %d", r.Key, r.LSN, before)
				}
				got[r.Key], before = string(r.State), r.LSN
			}
			return nil
		})
		if err != nil || before != out.LSN || !maps.Equal(got, rows) {
			t.Fatalf("%d rows of %d, the last at %d of %d, %v", len(got), len(rows), before, out.LSN, err)
		}
		closeStore(t, s)
		removeIndex(t, dir)
		s = open(t, dir, o)
	}
	closeStore(t, s)
}
