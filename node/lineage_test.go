package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"lightcone/memo"
	"lightcone/memo/memotest"
	"lightcone/merge"
	"lightcone/store"
	"lightcone/walfs"
)

// drawn is a drawing held by a store, in some order of arrival.
type drawn struct {
	*memotest.DAG
	view  *store.View
	order []string // names, as they attached
}

// hold gives the runs of d to a new store in a drawn order.
func hold(t *rapid.T, d *memotest.DAG, dir string) *drawn {
	dir, err := os.MkdirTemp(dir, "store")
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(dir, store.Options{KV: store.NewMemoryKV(), WAL: walfs.Options{SegmentSize: store.MinSegmentSize}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	s.AddSpace(d.Space)
	out := &drawn{DAG: d}
	for _, r := range rapid.Permutation(d.Runs()).Draw(t, "arrival") {
		res, err := s.Attach([]*memo.Run{r})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range res.Attached {
			out.order = append(out.order, d.Name(p.Memo.ID()))
		}
	}
	if len(out.order) != len(d.Names()) {
		t.Fatalf("attached %v of %v", out.order, d.Names())
	}
	out.view = s.View()
	return out
}

func (d *drawn) history(topic, row string) *history {
	return &history{
		space: &Space{id: d.Space, node: &Node{}}, view: d.view, upTo: 1 << 40, topic: topic, row: row,
		kin: newLineage(d.view), seen: map[memo.Author]memo.Head{},
	}
}

// edits returns the names of memos that edit a row, as they attached.
func (d *drawn) edits(topic, row string) (names []string) {
	for _, name := range d.order {
		if _, ok := d.Memo(name).Edits(topic, row); ok {
			names = append(names, name)
		}
	}
	return names
}

// before tells exactly whether a is in the past of b.
func (d *drawn) before(a, b string) bool {
	m := d.Memo(a)
	return a != b && d.Cut(b).Covers(m.Author, m.Seq)
}

func (d *drawn) heads(names []string) (heads []memo.Head) {
	for _, n := range names {
		heads = append(heads, d.Memo(n).Head())
	}
	slices.SortFunc(heads, func(a, b memo.Head) int { return a.Author.Compare(b.Author) })
	return heads
}

// drawHistory draws memos of four authors with causes as they come, some of them
// in runs of two, and edits of two rows by clocks that say nothing of the causes.
func drawHistory(t *rapid.T) *memotest.DAG {
	var b strings.Builder
	authors, last, names := []string{"A", "B", "C", "D"}, map[string]string{}, []string{}
	arrows, edits := []string{}, []string{}
	for i := range rapid.IntRange(2, 30).Draw(t, "memos") {
		by := rapid.SampledFrom(authors).Draw(t, "author")
		name := fmt.Sprintf("%s%d", by, i)
		causes, arrow := []string{"G"}, "->"
		if prev := last[by]; prev != "" {
			causes = []string{prev}
		}
		if causes[0] != "G" && rapid.IntRange(0, 3).Draw(t, "same run") == 0 {
			arrow = "=>"
		} else if len(names) > 0 {
			causes = append(causes, rapid.SliceOfNDistinct(rapid.SampledFrom(names), 0, min(2, len(names)), rapid.ID[string]).Draw(t, "causes")...)
		}
		arrows = append(arrows, strings.Join(causes, ", ")+" "+arrow+" "+name)
		at := rapid.IntRange(1, 40).Draw(t, "clock")
		switch rapid.IntRange(0, 9).Draw(t, "edit") {
		case 0:
			edits = append(edits, fmt.Sprintf("%s at %d: t/r !", name, at))
		case 1:
			edits = append(edits, fmt.Sprintf("%s at %d: t/r ! x=%d", name, at, i))
		case 2:
			edits = append(edits, fmt.Sprintf("%s at %d: t/r -x", name, at))
		case 3, 4:
			edits = append(edits, fmt.Sprintf("%s at %d: t/other x=%d", name, at, i))
		case 5:
			edits = append(edits, fmt.Sprintf("%s at %d: t/r x=%d y=1 ; t/other x=1", name, at, i))
		default:
			edits = append(edits, fmt.Sprintf("%s at %d: t/r x=%d", name, at, i))
		}
		last[by], names = name, append(names, name)
	}
	b.WriteString(strings.Join(arrows, "\n") + "\n" + strings.Join(edits, "\n"))
	d, err := memotest.Parse(b.String())
	if err != nil {
		t.Skip(err) // a run of two among the causes of its first memo's effects
	}
	return d
}

// The history of a row is every memo that touched it, as it attached; what each
// had seen of those before it, and what not, is what the links say, whatever the
// clocks do, in one piece or in pages.
func TestHistoryIsWhatLinksSay(t *testing.T) {
	t.Parallel() // it waits for disks and links
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		d := hold(t, drawHistory(t), dir)
		size := rapid.SampledFrom([]int{1, 3, maxKin}).Draw(t, "remembered")
		limit := rapid.IntRange(1, 8).Draw(t, "limit")
		want := d.edits("t", "r")
		var got []HistoryEntry
		for q := (HistoryQuery{Limit: limit}); ; {
			h, n := d.history("t", "r"), len(got)
			h.kin.size = size
			h.run(context.Background(), q, func(e HistoryEntry, err error) bool {
				if err != nil && len(want) > 0 {
					t.Fatal(err)
				}
				if err == nil {
					got = append(got, e)
				}
				return true
			})
			if len(got)-n < limit {
				break
			}
			var err error
			if q.After, err = ParseHistoryCursor(got[len(got)-1].Cursor.String()); err != nil {
				t.Fatal(err)
			}
		}
		if len(got) != len(want) {
			t.Fatalf("%d entries, want %v", len(got), want)
		}
		for i, name := range want {
			d.checkEntry(t, got[i], name, want[max(0, i-size):i])
		}
	})
}

// checkEntry compares an entry with what the drawing says of its memo and the
// edits it was compared with.
func (d *drawn) checkEntry(t *rapid.T, e HistoryEntry, name string, kin []string) {
	m := d.Memo(name)
	edit, _ := m.Edits("t", "r")
	var seen, causes, apart []string
	for _, k := range kin {
		if d.before(k, name) {
			seen = append(seen, k)
		} else {
			apart = append(apart, k)
		}
	}
	for _, k := range seen {
		if !slices.ContainsFunc(seen, func(o string) bool { return d.before(k, o) }) {
			causes = append(causes, k)
		}
	}
	want := HistoryEntry{
		Cursor: e.Cursor, Memo: m.Head(), Time: m.Time, Tombstone: edit.Tombstone, Deltas: edit.Deltas, Causes: d.heads(causes),
	}
	for i, k := range apart {
		if slices.ContainsFunc(apart[i+1:], func(o string) bool { return d.Memo(o).Author == d.Memo(k).Author }) {
			continue
		}
		edits := 0
		for _, o := range apart {
			if d.Memo(o).Author == d.Memo(k).Author {
				edits++
			}
		}
		want.Concurrent = append(want.Concurrent, Apart{d.Memo(k).Head(), edits})
	}
	byAuthor := func(a, b Apart) int { return a.Last.Author.Compare(b.Last.Author) }
	slices.SortFunc(want.Concurrent, byAuthor)
	slices.SortFunc(e.Concurrent, byAuthor)
	slices.SortFunc(e.Causes, func(a, b memo.Head) int { return a.Author.Compare(b.Author) })
	if diff := cmp.Diff(want, e, cmp.AllowUnexported(HistoryCursor{}, memo.Value{}), cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("%s after %v (-want +got):\n%s", name, kin, diff)
	}
}

// state is what the row shows: the join of all edits.
func (d *drawn) state(t *rapid.T, topic, row string) (state merge.Row) {
	for _, name := range d.edits(topic, row) {
		e, _ := d.Memo(name).Edits(topic, row)
		delta, err := merge.Delta(merge.StampOf(d.Memo(name)), e)
		if err != nil {
			t.Fatal(err)
		}
		state = merge.Join(state, delta)
	}
	return state
}

// What lost, to what, and how the two relate is what links and stamps say.
func TestWhyIsWhatLinksAndStampsSay(t *testing.T) {
	t.Parallel() // it waits for disks and links
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		d := hold(t, drawHistory(t), dir)
		state := d.state(t, "t", "r")
		trial := newTrial(d.history("t", "r"), state, []string{"x"})
		if err := trial.run(context.Background()); err != nil {
			t.Fatal(err)
		}
		why := trial.verdicts()
		edits := d.edits("t", "r")
		if len(why) == 0 {
			for _, name := range edits {
				if e, _ := d.Memo(name).Edits("t", "r"); len(e.Deltas) > 0 {
					t.Fatalf("%s wrote x, and nothing is said", name)
				}
			}
			return
		}
		winner, written := state.Tombstone, false
		if c := state.Cell("x", memo.Register); c != nil {
			winner, written = c.Register.Stamp, true
		}
		if why[0].From[0].Stamp != winner {
			t.Fatalf("from %v, want %v", why[0].From, winner)
		}
		var want, got []string
		for _, name := range edits {
			want = append(want, d.lost(name, winner, state.Tombstone, written)...)
		}
		for _, l := range why[0].Lost {
			got = append(got, fmt.Sprintf("%s to %s: %s", d.Name(l.ID), d.Name(l.To.ID), l.Order))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("winner %s, tombstone %s (-want +got):\n%s", d.Name(winner.ID), d.Name(state.Tombstone.ID), diff)
		}
	})
}

// lost tells what of a memo's edit of t/r x lost; written tells whether the winner
// wrote x.
func (d *drawn) lost(name string, winner, tombstone merge.Stamp, written bool) (out []string) {
	e, _ := d.Memo(name).Edits("t", "r")
	stamp := merge.StampOf(d.Memo(name))
	relate := func(to merge.Stamp) (Order, string) {
		o, by := WasConcurrent, d.Name(to.ID)
		if d.before(name, by) {
			o = HappenedBefore
		} else if d.before(by, name) {
			o = HappenedAfter
		}
		return o, fmt.Sprintf("%s to %s: %s", name, by, o)
	}
	if slices.ContainsFunc(e.Deltas, func(d memo.Delta) bool { return d.Field == "x" }) && stamp != winner {
		to := winner
		if stamp.Compare(tombstone) < 0 {
			to = tombstone
		}
		_, text := relate(to)
		out = append(out, text)
	}
	if e.Tombstone && stamp.Compare(winner) < 0 && written {
		if o, text := relate(winner); o != HappenedBefore {
			out = append(out, text)
		}
	}
	return out
}

// Behind more memos than the bound the answer is that it is not known, not a
// guess; what was met before the bound is known all the same.
func TestBoundOfTheWalk(t *testing.T) {
	s, ctx := newSpace(t), t.Context()
	far := foreign(t, s, 1, "r")
	deliver(t, s.node, far)
	a := newAuthor(1)
	for range maxWalk/memo.MaxRunMemos + 1 {
		deliver(t, s.node, a.run(t, s, memo.MaxRunMemos))
	}
	near := foreign(t, s, 2, "r")
	deliver(t, s.node, near)
	x := s.Session()
	x.saw(a.last.Head, near.Head()) // and not far
	if _, err := x.Put(ctx, "t", "r", Fields{"by": memo.Int(0)}); err != nil {
		t.Fatal(err)
	}
	var last HistoryEntry
	for e, err := range s.History(ctx, "t", "r", HistoryQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		last = e
	}
	if !last.Undecided || !slices.Equal(last.Causes, []memo.Head{near.Head()}) {
		t.Errorf("undecided %v, causes %v", last.Undecided, last.Causes)
	}
	if diff := cmp.Diff([]Apart{{far.Head(), 1}}, last.Concurrent); diff != "" {
		t.Errorf("concurrent (-want +got):\n%s", diff)
	}
	// What rests on that is not known either.
	if _, err := x.Put(ctx, "t", "r", Fields{"other": memo.Int(0)}); err != nil {
		t.Fatal(err)
	}
	for e, err := range s.History(ctx, "t", "r", HistoryQuery{After: last.Cursor}) {
		if err != nil || !e.Undecided || len(e.Concurrent) != 1 {
			t.Errorf("the next edit: undecided %v, concurrent %v, %v", e.Undecided, e.Concurrent, err)
		}
	}
	for left, want := range map[int]Order{maxTrial: WasConcurrent, maxWalk: OrderUnknown} {
		m, _, err := x.newest(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		state, _, err := m.snap.Get(s.id, "t", "r")
		if err != nil {
			t.Fatal(err)
		}
		trial := newTrial(&history{space: s, view: m.view.store, upTo: m.snap.LSN(), topic: "t", row: "r"}, state, []string{"by"})
		trial.order.left = left
		if err := trial.run(ctx); err != nil {
			t.Fatal(err)
		}
		if lost := trial.verdicts()[0].Lost; len(lost) != 2 || lost[0].Order != want || lost[1].Order != HappenedBefore {
			t.Errorf("with %d memos to read: %+v, want %s and before", left, lost, want)
		}
	}
}

// An explanation lists as many losers as its bound says, and keeps those that
// what won had not seen.
func TestBoundOfTheLost(t *testing.T) {
	s, ctx := newSpace(t), t.Context()
	apart := foreign(t, s, 1, "r")
	deliver(t, s.node, apart)
	for i := range maxLost + 2 {
		if _, err := s.Put(ctx, "t", "r", Fields{"by": memo.Int(int64(i))}); err != nil {
			t.Fatal(err)
		}
	}
	e, err := s.Why(ctx, "t", "r", "by")
	if err != nil {
		t.Fatal(err)
	}
	f := e.Fields[0]
	if len(f.Lost) != maxLost || f.More != 2 || f.Lost[0].ID != apart.Head().ID || f.Lost[0].Order != WasConcurrent {
		t.Errorf("%d lost and %d more, the first is %+v", len(f.Lost), f.More, f.Lost[0])
	}
}

// What a session read of a history, and of an explanation, it has seen.
func TestHistoryAndWhyAreSeen(t *testing.T) {
	s, ctx := newSpace(t), t.Context()
	one, two := foreign(t, s, 1, "r"), foreign(t, s, 2, "r")
	deliver(t, s.node, one, two)
	if _, err := s.Delete(ctx, "t", "r", "by"); err != nil {
		t.Fatal(err)
	}
	x, y := s.Session(), s.Session()
	for _, err := range x.History(ctx, "t", "r", HistoryQuery{Limit: 1}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := y.Why(ctx, "t", "r"); err != nil {
		t.Fatal(err)
	}
	if !x.qc.Covers(one.Head()) || x.qc.Covers(two.Head()) {
		t.Errorf("the history's session has %v", x.qc.Loose)
	}
	if !y.qc.Covers(one.Head()) || !y.qc.Covers(two.Head()) || !y.qc.Covers(memo.Head{Author: s.node.id, Seq: 2}) {
		t.Errorf("the explanation's session has %v", y.qc.Loose)
	}
	if _, err := ParseHistoryCursor("AAAA"); !errors.Is(err, ErrBadCursor) {
		t.Errorf("a bad cursor: %v", err)
	}
	stale := s.Session(From(stale(s)), Read{Wait: -1})
	for _, err := range stale.History(ctx, "t", "r", HistoryQuery{}) {
		var behind *BehindError
		if !errors.As(err, &behind) {
			t.Errorf("a history under a context that is not covered: %v", err)
		}
	}
	if _, err := stale.Why(ctx, "t", "r"); err == nil {
		t.Error("an explanation under a context that is not covered")
	}
}
