package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"lightcone/memo"
	"lightcone/merge"
)

// fullOf starts a replica with n rows of so many bytes, each written by a memo of its
// own.
func fullOf(t testing.TB, n, size int) *linked {
	t.Helper()
	r := startLinked(t, t.TempDir(), Options{Durability: None})
	var err error
	if r.space, err = r.CreateSpace("default", Policy{}); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		fields := Fields{"i": memo.Int(int64(i)), "data": memo.Blob(bytes.Repeat([]byte{byte(i)}, size))}
		if _, err := r.space.Put(context.Background(), "t", rowName(i), fields); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.space.fold(context.Background()); err != nil { // as it does at rest
		t.Fatal(err)
	}
	return r
}

func rowName(i int) string { return fmt.Sprintf("row%05d", i) }

// layerOf returns what status says of a replica's layer, nil when it has none.
func layerOf(t testing.TB, r *linked) *LayerStatus {
	t.Helper()
	st, err := r.Status(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return st.Spaces[0].Layer
}

// lateRows are the rows of the tests below: enough memos that a state is fetched, and
// so many bytes that most are not here when the first rows of the state are. A megabyte
// of memos is on its way when that is asked for, so a slower link alone does not help.
const lateRows = 5000

// Over a slow link a late joiner shows rows long before their memos came, with the
// name of the peer that vouches for them; at the end everything is its own.
func TestLateJoinerShowsVouchedRows(t *testing.T) {
	t.Parallel() // it waits for its link
	ctx := context.Background()
	a := fullOf(t, lateRows, 600)
	var b *linked
	var link *slowLink
	var began time.Time
	slower(t, 1_000_000, func(rate int) bool {
		b = startLinked(t, t.TempDir(), Options{})
		began = time.Now()
		link = joinOver(t, a, b, rate)
		wrong := showsBeforeMemos(t, a, b)
		if b.Spaces()[0].Memos > lateRows { // what was seen may be of after they came
			b.stop(t)
			return false
		}
		for _, w := range wrong {
			t.Error(w)
		}
		return true
	})
	n, labelled := 0, 0
	for row, err := range b.space.Session(Read{Mode: Local, Wait: patience}).Scan(ctx, Query{Topic: "t"}) {
		if n == 100 {
			link.widen()
		}
		if err != nil {
			t.Fatal(err)
		}
		if row.Fields["i"] != memo.Int(int64(n)) {
			t.Fatalf("row %d: %v", n, row.Fields)
		}
		if n++; row.VouchedBy != (PeerID{}) {
			labelled++
		}
	}
	t.Logf("a scan of %d rows after %v, %d of them vouched for", n, time.Since(began), labelled)
	if n != lateRows {
		t.Errorf("a scan shows %d rows", n)
	}
	a.converge(t, b)
	t.Logf("equal after %v, %d bytes received", time.Since(began), b.server.Traffic().Received)
	if row, err := b.space.Session(Read{Mode: Local}).Get(ctx, "t", rowName(5)); err != nil || row.VouchedBy != (PeerID{}) {
		t.Errorf("at the end: %+v, %v", row, err)
	}
	waitUntil(t, "the layer is dropped", func() bool {
		st, err := b.Status(ctx)
		return err == nil && st.Spaces[0].Layer == nil && len(st.Spaces[0].Liars) == 0
	})
}

// slower tries something over slower and slower links, so many bytes a second, until it
// says that the link was slow enough: on a busy machine what must come first may not.
func slower(t *testing.T, rate int, try func(rate int) bool) {
	t.Helper()
	for ; !try(rate); rate /= 2 {
		if rate < 30_000 {
			t.Fatalf("even at %d bytes/s all memos came first", rate)
		}
	}
}

// showsBeforeMemos reads rows of a late joiner in every way, and returns what is wrong
// with what it sees if not all memos came meanwhile.
func showsBeforeMemos(t *testing.T, a, b *linked) (wrong []string) {
	t.Helper()
	ctx := t.Context()
	says := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	for _, i := range []int{lateRows - 1, lateRows / 2} {
		row, err := b.space.Session(Read{Mode: Local, Wait: patience}).Get(t.Context(), "t", rowName(i))
		if err != nil {
			t.Fatal(err)
		}
		here := b.Spaces()[0].Memos
		t.Logf("row %d with %d of %d memos here, vouched for by %v", i, here, lateRows+1, row.VouchedBy)
		if row.Fields["i"] != memo.Int(int64(i)) {
			t.Errorf("row %d: %v", i, row.Fields["i"])
		}
		if row.VouchedBy != a.ID() && here <= uint64(i) {
			t.Errorf("row %d is shown without its memo and vouched for by %v", i, row.VouchedBy)
		}
	}
	if l := layerOf(t, b); l == nil || l.Peer != a.ID() || l.Memos != lateRows+1 {
		says("the layer: %+v", l)
	}
	if _, err := b.space.Session(Read{Wait: -1}).Get(ctx, "t", rowName(lateRows-1)); !errors.Is(err, ErrNotFound) {
		says("another read shows what a peer vouches for: %v", err)
	}
	x := b.space.Session(Read{Vouched: true, Wait: patience})
	if row, err := x.Get(ctx, "t", rowName(lateRows-1)); err != nil || row.VouchedBy != a.ID() {
		says("a vouched read is vouched for by %v; %v", row.VouchedBy, err)
	}
	var behind *BehindError
	if _, err := b.space.Session(From(x.Token()), Read{Wait: -1}).Get(ctx, "t", rowName(0)); !errors.As(err, &behind) {
		says("the session un-knows what it was vouched: %v", err)
	}
	return wrong
}

// A fetch that a restart broke off goes on where it was: no block comes twice.
func TestFetchGoesOnAfterARestart(t *testing.T) {
	ctx := context.Background()
	t.Parallel() // it waits for its link
	a := fullOf(t, lateRows, 600)
	var b *linked
	var link *slowLink
	var before int
	slower(t, 500_000, func(rate int) bool {
		dir, all := t.TempDir(), func() bool { return b.Spaces()[0].Memos > lateRows }
		b = startLinked(t, dir, Options{})
		link = joinOver(t, a, b, rate)
		waitUntil(t, "some of the state is here, or all memos", func() bool {
			l := layerOf(t, b)
			return l != nil && l.Ready && l.Blocks > 600 || all()
		})
		b.stop(t)
		if b.Spaces()[0].Memos >= lateRows-coldAfter { // the state is not fetched again
			return false
		}
		before = b.owner.core.Stats().BlocksGot // the owner ended
		b = startLinked(t, dir, Options{})
		var err error
		if b.space, err = b.OpenSpace("default"); err != nil {
			t.Fatal(err)
		}
		again := false
		waitUntil(t, "blocks come again, or all memos", func() bool {
			st, err := b.Status(ctx)
			again = err == nil && st.Protocol.BlocksGot > 0
			return again || all()
		})
		if !again {
			b.stop(t)
		}
		return again
	})
	row, err := b.space.Session(Read{Mode: Local, Wait: patience}).Get(ctx, "t", rowName(lateRows-1))
	if err != nil || row.Fields["i"] != memo.Int(lateRows-1) {
		t.Errorf("%v, %v", row.Fields["i"], err)
	}
	link.widen()
	a.converge(t, b)
	st, err := b.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	all := map[memo.ID]bool{}
	last, _ := a.folder.latest(a.space.id)
	if err := merge.Reach(a.store.Blocks(a.space.id), last.root, func(id memo.ID) bool {
		all[id] = true
		return true
	}); err != nil {
		t.Fatal(err)
	}
	after := st.Protocol.BlocksGot
	t.Logf("of %d blocks %d came before the restart and %d after it", len(all)+1, before, after)
	if after == 0 || before+after > len(all)+1 {
		t.Error("blocks came twice, or none came")
	}
}

// A peer that lies to a real late joiner is found out, and the joiner ends up with
// what the memos say, whatever it was told.
func TestLiarsOnTheNetwork(t *testing.T) {
	const rows = coldAfter + 200
	for _, lie := range []struct {
		name string
		tell func(t *testing.T, s *Space, f folded) folded
		out  bool // it is found out; else the fetch fails
	}{
		{"an altered row", func(t *testing.T, s *Space, f folded) folded {
			return forge(t, s, f, func(all map[string]merge.Row) { alter(all, rowName(rows-1)) })
		}, true},
		{"rows beyond the vector", func(t *testing.T, s *Space, f folded) folded {
			if _, err := s.Put(context.Background(), "t", "later", Fields{"i": memo.Int(1)}); err != nil {
				t.Fatal(err)
			}
			s.node.folder.forget(s)
			now := wordOf(t, s).folded // what it takes for the newest is the new state under the old vector
			now.root.Vector = f.root.Vector
			return forge(t, s, now, func(map[string]merge.Row) {})
		}, true},
		{"memos that were never written", func(t *testing.T, s *Space, f folded) folded {
			m, _ := f.vector.Get(s.node.id)
			m.Seq, m.ID = m.Seq+1000, memo.Sum([]byte("?"))
			f.vector = f.vector.Clone()
			f.vector.Set(m)
			blocks := s.node.store.Blocks(s.id)
			if err := blocks.Write(func(put merge.BlockPutter) (err error) {
				f.root.Vector, err = merge.BuildVector(f.root.Params, f.vector, put)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			return forge(t, s, f, func(map[string]merge.Row) {})
		}, false},
		{"a damaged block", func(t *testing.T, s *Space, f folded) folded {
			blocks := s.node.store.Blocks(s.id)
			data, err := blocks.Block(f.root.State)
			if err != nil {
				t.Fatal(err)
			}
			data = append([]byte{}, data...)
			data[len(data)/2] ^= 1
			if err := blocks.Write(func(put merge.BlockPutter) error { return put.PutBlock(f.root.State, data) }); err != nil {
				t.Fatal(err)
			}
			return f
		}, false},
	} {
		t.Run(lie.name, func(t *testing.T) {
			t.Parallel() // they wait for their links
			a := fullOf(t, rows, 2500)
			f, err := a.space.fold(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			f = lie.tell(t, a.space, f)
			a.folder.mu.Lock()
			a.folder.last[a.space.id] = f
			a.folder.mu.Unlock()
			meet(t, a, rows, lie.out)
		})
	}
}

// meet lets replicas join a liar, over slower and slower links, until one finds it out,
// if it can be: on a busy machine all memos may come before the state that lies.
func meet(t *testing.T, liar *linked, rows int, out bool) {
	t.Helper()
	for rate := 1_000_000; ; rate /= 2 {
		b := startLinked(t, t.TempDir(), Options{})
		joinOver(t, liar, b, rate)
		checkLies(t, liar, b, rows)
		liars := spaceStatus(t, b.space).Liars
		if found := len(liars) == 1 && liars[0] == liar.id; found == out && found == (len(liars) > 0) {
			return
		}
		if len(liars) > 0 || rate < 100_000 {
			t.Fatalf("at %d bytes/s the liars are %v", rate, liars)
		}
		b.stop(t)
	}
}

// checkLies reads until the memos of all rows are here. What is not so is labelled,
// and nowhere at the end.
func checkLies(t *testing.T, a, b *linked, rows int) {
	t.Helper()
	labelled := 0
	for done := false; !done; time.Sleep(10 * time.Millisecond) {
		done = b.Spaces()[0].Memos >= uint64(rows)+1
		for _, read := range []Read{{Mode: Local, Wait: 100 * time.Millisecond}, {Wait: -1}} {
			if row, err := b.space.Session(read).Get(context.Background(), "t", "later"); err == nil && row.VouchedBy != (PeerID{}) {
				t.Fatal("a row beyond the vector is shown")
			}
			row, err := b.space.Session(read).Get(context.Background(), "t", rowName(rows-1))
			switch {
			case err != nil && !errors.Is(err, ErrNotFound):
				t.Fatal(err)
			case row.VouchedBy == a.id:
				labelled++
				if read.Mode != Local {
					t.Fatal("another read shows what a peer vouches for")
				}
			case err == nil && row.Fields["i"] != memo.Int(int64(rows-1)):
				t.Fatalf("%v is shown as if it were so", row.Fields["i"])
			}
		}
	}
	t.Logf("%d reads were labelled", labelled)
	waitUntil(t, "the layer is dropped", func() bool { return layerOf(t, b) == nil })
	for r, err := range b.space.Scan(context.Background(), Query{Topic: "t", Prefix: "row"}) {
		if err != nil || rowName(int(r.Fields["i"].Int())) != r.Key {
			t.Errorf("%s has %v; %v", r.Key, r.Fields["i"], err)
		}
	}
	// Found out by comparing the two, beside the owner: a fold waits for it.
	if _, err := b.space.fold(context.Background()); err != nil {
		t.Error(err)
	}
}
