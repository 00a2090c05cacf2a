package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	causal "lightcone/context"
	"lightcone/memo"
	"lightcone/merge"
	"lightcone/p2p/gossip"
)

// latecomer makes a space with rows row0 to row19 and a node that holds those up to
// row9, each written by a memo of its own.
func latecomer(t *testing.T, o Options) (maker, late *Space) {
	t.Helper()
	maker = newSpace(t)
	late = enter(t, openNode(t, t.TempDir(), o), maker)
	for i := range 20 {
		if _, err := maker.Put(t.Context(), "t", fmt.Sprint("row", i), Fields{"v": memo.Int(int64(i))}); err != nil {
			t.Fatal(err)
		}
		if i == 9 {
			copyMemos(t, maker, late, 100)
		}
	}
	return maker, late
}

// forge makes another state of the rows of f, under the same vector.
func forge(t *testing.T, s *Space, f folded, change func(rows map[string]merge.Row)) folded {
	t.Helper()
	blocks, all := s.node.store.Blocks(s.id), map[string]merge.Row{}
	for r, err := range merge.StateRows(f.root.Params, blocks, f.root.State, "") {
		if err != nil {
			t.Fatal(err)
		}
		all[r.Key] = r.Row
	}
	change(all)
	keys := []string{}
	for k := range all {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	err := blocks.Write(func(put merge.BlockPutter) (err error) {
		f.root.State, err = merge.BuildState(f.root.Params, func(yield func(merge.KeyedRow, error) bool) {
			for _, k := range keys {
				state, err := all[k].Encode()
				if !yield(merge.KeyedRow{Key: k, State: state}, err) {
					return
				}
			}
		}, put)
		if err == nil {
			f.id, err = putRoot(f.root, put)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// alter gives a row another value than its memos do.
func alter(rows map[string]merge.Row, key string) {
	r := rows[merge.RowKey("t", key)]
	r.Cells = slices.Clone(r.Cells)
	r.Cells[0].Register.Value = memo.Int(666)
	rows[merge.RowKey("t", key)] = r
}

// lies are what a peer may say that is not so.
var lies = []struct {
	name  string
	tell  func(t *testing.T, maker *Space) word
	early bool // found out before the memos came
}{
	{"a seal is missing", func(t *testing.T, s *Space) word {
		w := wordOf(t, s)
		w.seals = nil
		return w
	}, true},
	{"memos that were never written", func(t *testing.T, s *Space) word {
		w := wordOf(t, s)
		w.vector = w.vector.Clone()
		m, _ := w.vector.Get(s.node.id)
		m.Seq, m.ID = m.Seq+1000, memo.Sum([]byte("?"))
		w.vector.Set(m)
		return w
	}, true},
	{"rows beyond the vector", func(t *testing.T, s *Space) word {
		old := wordOf(t, s)
		if _, err := s.Put(t.Context(), "t", "row20", Fields{"v": memo.Int(20)}); err != nil {
			t.Fatal(err)
		}
		f := old.folded
		f.root.State = wordOf(t, s).root.State
		return s.wordFor(t, forge(t, s, f, func(map[string]merge.Row) {}))
	}, true},
	{"other parameters", func(t *testing.T, s *Space) word {
		f := wordOf(t, s).folded
		blocks := s.node.store.Blocks(s.id)
		vector := f.vector
		f.root.Params.W /= 2
		err := blocks.Write(func(put merge.BlockPutter) (err error) {
			f.root.Vector, err = merge.BuildVector(f.root.Params, vector, put)
			if err == nil {
				f.root.State, err = merge.BuildState(f.root.Params, func(func(merge.KeyedRow, error) bool) {}, put)
			}
			if err == nil {
				f.id, err = putRoot(f.root, put)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return s.wordFor(t, f)
	}, true},
	{"a row that is held is altered", func(t *testing.T, s *Space) word {
		return s.wordFor(t, forge(t, s, wordOf(t, s).folded, func(rows map[string]merge.Row) { alter(rows, "row3") }))
	}, true},
	{"a row that is not held is altered", func(t *testing.T, s *Space) word {
		return s.wordFor(t, forge(t, s, wordOf(t, s).folded, func(rows map[string]merge.Row) { alter(rows, "row13") }))
	}, false},
	{"a row is left out", func(t *testing.T, s *Space) word {
		return s.wordFor(t, forge(t, s, wordOf(t, s).folded, func(rows map[string]merge.Row) { delete(rows, merge.RowKey("t", "row13")) }))
	}, false},
}

// Whatever a peer says that is false is never shown without its name, never in other
// reads, and nowhere once the memos are here; then at the latest it is found out.
func TestLiars(t *testing.T) {
	for _, lie := range lies {
		t.Run(lie.name, func(t *testing.T) {
			maker, late := latecomer(t, Options{})
			own := shown(t, late, atOnce)
			lie.tell(t, maker).say(t, late, gossip.StatePart)
			for _, read := range []Read{local, vouches} {
				for k, r := range shown(t, late, read) {
					if cmp.Diff(own[k], r, differ) != "" && r.VouchedBy != maker.node.id {
						t.Errorf("%s is shown without saying whose word it is: %+v", k, r)
					}
				}
			}
			if diff := cmp.Diff(own, shown(t, late, atOnce), differ); diff != "" {
				t.Errorf("other reads changed:\n%s", diff)
			}
			if lie.early {
				waitUntil(t, "the lie is found out", func() bool { return len(spaceStatus(t, late).Liars) == 1 })
			}
			copyMemos(t, maker, late, 100)
			truth := shown(t, maker, atOnce)
			for _, read := range []Read{atOnce, local, vouches} {
				if diff := cmp.Diff(truth, shown(t, late, read), differ); diff != "" {
					t.Errorf("with all memos here:\n%s", diff)
				}
			}
			waitUntil(t, "the lie is found out", func() bool {
				return slices.Equal(spaceStatus(t, late).Liars, []PeerID{maker.node.id})
			})
			waitGone(t, late)
			if a, err := late.Digest(t.Context()); err != nil {
				t.Error(err)
			} else if b, _ := maker.Digest(t.Context()); a != b {
				t.Error("the digests differ")
			}
		})
	}
}

// A row that stands on memos beyond the vector is found without anybody reading it.
func TestFalseRowsAreFoundUnread(t *testing.T) {
	for _, lie := range lies {
		if lie.name != "rows beyond the vector" {
			continue
		}
		maker, late := latecomer(t, Options{})
		lie.tell(t, maker).say(t, late, gossip.StatePart)
		waitUntil(t, "the lie is found out", func() bool { return len(spaceStatus(t, late).Liars) == 1 })
	}
}

// A liar's next state is not asked for.
func TestLiarsAreNotAskedAgain(t *testing.T) {
	maker, late := latecomer(t, Options{})
	w := wordOf(t, maker)
	w.seals = nil
	w.say(t, late, gossip.SealsPart)
	late.node.onOwner(t, func(o *owner) {
		c := o.coldOf(late.id)
		if o.ahead(late.id, PeerID{1}, coldAfter); len(o.todo) > 0 || c.again.IsZero() {
			t.Error("another state is fetched at once, or never")
		}
		c.again = time.Time{}
		o.ahead(late.id, maker.node.id, 10*coldAfter)
		if len(o.todo) > 0 || late.layer.Load().peer != (PeerID{}) {
			t.Error("the liar's state is fetched again")
		}
		o.ahead(late.id, PeerID{1}, coldAfter-1)
		if len(o.todo) > 0 {
			t.Error("a state is fetched for a few memos")
		}
		o.ahead(late.id, PeerID{1}, coldAfter)
		o.ahead(late.id, PeerID{2}, coldAfter)
		if len(o.todo) != 1 {
			t.Errorf("%d fetches for one layer", len(o.todo))
		}
		o.todo = nil
	})
}

// A replica that is told to takes memos alone.
func TestMemosOnly(t *testing.T) {
	for _, only := range []bool{false, true} {
		_, late := latecomer(t, Options{MemosOnly: only})
		late.node.onOwner(t, func(o *owner) {
			o.ahead(late.id, PeerID{1}, coldAfter)
			if fetches := len(o.todo) > 0; fetches == only {
				t.Errorf("memos only %v, a state is fetched %v", only, fetches)
			}
			o.todo = nil
		})
	}
}

// Rows are read as they come: who waits for one gets it, and who does not is told
// that more is known to exist.
func TestRowsOfALayerAreWaitedFor(t *testing.T) {
	ctx := t.Context()
	maker, late := latecomer(t, Options{})
	w := wordOf(t, maker)
	late.node.onOwner(t, func(*owner) { late.put(newLayer(w.peer, time.Now(), 10)) })
	for range 2 { // before the root is known, and after
		var behind *BehindError
		if _, err := late.Session(vouches).Get(ctx, "t", "row15"); !errors.As(err, &behind) || behind.Lag.Memos != 10 || !slices.Equal(behind.Holders, []PeerID{w.peer}) {
			t.Errorf("a vouched read: %v", err)
		}
		row, err := late.Session(local).Get(ctx, "t", "row15")
		if !errors.Is(err, ErrNotFound) || !errors.As(err, &behind) || row.Behind == nil || row.Behind.Lag.Memos != 10 {
			t.Errorf("a local read: %v, %+v", err, row.Behind)
		}
		stale := vouches
		stale.Stale = StaleReturn
		if row, err = late.Session(stale).Get(ctx, "t", "row3"); err != nil || row.Behind == nil || row.VouchedBy != (PeerID{}) {
			t.Errorf("a stale read: %v, %+v", err, row)
		}
		if _, err := late.Session(atOnce).Get(ctx, "t", "row3"); err != nil {
			t.Errorf("another read: %v", err)
		}
		for row, err := range late.Session(local).Scan(ctx, Query{}) {
			if err != nil || row.Behind == nil {
				t.Errorf("a local scan: %v", err)
			}
		}
		for _, err := range late.Session(vouches).Scan(ctx, Query{}) {
			if !errors.As(err, &behind) {
				t.Errorf("a vouched scan: %v", err)
			}
		}
		w.say(t, late, gossip.SealsPart)
	}
	type answer struct {
		row Row
		err error
	}
	answers := make(chan answer, 3)
	patient := Read{Mode: Local, Wait: patience}
	go func() {
		row, err := late.Session(patient).Get(context.Background(), "t", "row15")
		answers <- answer{row, err}
	}()
	go func() {
		for row, err := range late.Session(patient).Scan(context.Background(), Query{Topic: "t", From: "row15", Limit: 1}) {
			answers <- answer{row, err}
		}
	}()
	time.Sleep(50 * time.Millisecond) // they may wait now; the answer is the same if not
	w.say(t, late, gossip.StatePart)
	for range 2 {
		a := <-answers
		if a.err != nil || a.row.Key != "row15" || a.row.VouchedBy != w.peer || a.row.Fields["v"] != memo.Int(15) {
			t.Errorf("%+v, %v", a.row, a.err)
		}
	}
}

// Own rows before, among and behind those of a layer are shown, in either direction.
func TestScansOfALayerShowOwnRows(t *testing.T) {
	maker, late := latecomer(t, Options{})
	for _, key := range []string{"a", "row15a", "z"} {
		if _, err := late.Put(t.Context(), "t", key, Fields{"v": memo.Int(1)}); err != nil {
			t.Fatal(err)
		}
	}
	wordOf(t, maker).say(t, late, gossip.StatePart)
	for _, q := range []Query{{}, {Reverse: true}} {
		rows := listed(t, late, local, q)
		for _, key := range []string{"t/a", "t/row15a", "t/z", "t/row3", "t/row15"} {
			if r, ok := rows[key]; !ok || (r.VouchedBy != PeerID{}) != (key == "t/row15") {
				t.Errorf("%s: there %v, vouched for by %v", key, ok, r.VouchedBy)
			}
		}
		if len(rows) != 23 {
			t.Errorf("%d rows", len(rows))
		}
		q.Limit = 22
		if rows := listed(t, late, local, q); len(rows) != 22 {
			t.Errorf("%d rows with a limit of 22", len(rows))
		}
	}
}

// A session that took in what a peer vouches for does not un-know it: it waits for the
// memos in every other read, and writes nothing before they are here.
func TestSessionsKeepWhatTheyWereVouched(t *testing.T) {
	ctx := t.Context()
	maker, late := latecomer(t, Options{})
	w := wordOf(t, maker)
	w.say(t, late, gossip.StatePart)
	sessions := []*Session{late.Session(local), late.Session(vouches), late.Session(local)}
	for i, x := range sessions {
		if i < 2 {
			if _, err := x.Get(ctx, "t", "row15"); err != nil {
				t.Fatal(err)
			}
		} else {
			for _, err := range x.Scan(ctx, Query{}) {
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		var behind *BehindError
		if r, err := x.Put(ctx, "t", "mine", Fields{"v": memo.Int(1)}); !errors.As(err, &behind) || r.Outcome != NotCommitted {
			t.Fatalf("session %d wrote behind what it was told: %v", i, err)
		}
		for _, read := range []Read{atOnce, vouches} {
			_, err := late.Session(From(x.Token()), read).Get(ctx, "t", "row3")
			if errors.As(err, &behind) == read.Vouched {
				t.Errorf("session %d, read %+v under its token: %v", i, read, err)
			}
		}
	}
	copyMemos(t, maker, late, 100)
	for i, x := range sessions {
		if _, err := late.Session(From(x.Token()), atOnce).Get(ctx, "t", "row3"); err != nil {
			t.Error(err)
		}
		r, err := x.Put(ctx, "t", fmt.Sprint("mine", i), Fields{"v": memo.Int(1)})
		if err != nil {
			t.Fatal(err)
		}
		own, _ := late.node.view.Load().store.All(late.id).Get(late.node.id)
		past, err := late.tail(ctx, memo.Vector{}, []memo.Head{own.Head})
		if theirs, _ := past.vector.Get(maker.node.id); err != nil || own.ID != r.ID || theirs.Seq < 15 {
			t.Errorf("session %d: its memo happened after %d of the memos it was told of; %v", i, theirs.Seq, err)
		}
	}
}

// A context of more authors than a token holds is gathered into a memo, but not while
// it has memos that are not here. What was seen as a whole is named by the layer's root.
func TestTokensOfWhatIsVouchedFor(t *testing.T) {
	ctx := t.Context()
	maker, late := latecomer(t, Options{})
	for i := range 30 {
		deliver(t, maker.node, foreign(t, maker, i, fmt.Sprint("row", 20+i)))
	}
	w := wordOf(t, maker)
	w.say(t, late, gossip.StatePart)
	rowwise, whole := late.Session(local), late.Session(local)
	for i := range 30 {
		if _, err := rowwise.Get(ctx, "t", fmt.Sprint("row", 20+i)); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range whole.Scan(ctx, Query{}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if tok := rowwise.Token(); !tok.IsZero() {
		t.Errorf("a token of %d heads for %d authors", len(tok.Heads), 31)
	}
	if m, ok := late.node.view.Load().store.All(late.id).Get(late.node.id); ok {
		t.Errorf("memo %d was written behind memos that are not here", m.Seq)
	}
	tok := whole.Token()
	if tok.Root != w.id {
		t.Errorf("the token names root %s, want the layer's, %s", tok.Root, w.id)
	}
	var behind *BehindError
	if _, err := late.Session(From(tok), atOnce).Get(ctx, "t", "row3"); !errors.As(err, &behind) {
		t.Errorf("a read under the layer's root: %v", err)
	}
	if _, err := late.Session(From(tok), vouches).Get(ctx, "t", "row3"); err != nil {
		t.Errorf("a vouched read under the layer's root: %v", err)
	}
	m, _ := w.vector.Get(maker.node.id)
	other := causal.Token{Space: tok.Space, Origin: tok.Origin, Root: memo.ID{9}, Heads: []causal.TokenHead{{
		Author: [8]byte(m.Author[:8]), Seq: m.Seq, Digest: [8]byte(m.ID[:8]),
	}}}
	if _, err := late.Session(From(other), vouches).Get(ctx, "t", "row3"); !errors.As(err, &behind) {
		t.Errorf("a vouched read under a root that covers nobody knows what: %v", err)
	}
	if _, err := late.Session(From(tok), Read{Mode: Exact, Wait: -1}).Get(ctx, "t", "row3"); err == nil {
		t.Error("an exact read shows what a peer vouches for")
	}
	copyMemos(t, maker, late, 100)
	if got := rowwise.Token(); len(got.Heads) != 1 {
		t.Errorf("with all memos here the token has %d heads", len(got.Heads))
	}
	for _, read := range []Read{atOnce, {Mode: Exact}} {
		if _, err := late.Session(From(tok), read).Get(ctx, "t", "row3"); err != nil {
			t.Errorf("with all memos here, %+v: %v", read, err)
		}
	}
}

// A write behind a memo that is not here is refused, and it alone: others that are
// written with it are not held up.
func TestWritesBehindWhatIsNotHere(t *testing.T) {
	s := newSpace(t)
	far := foreign(t, s, 1, "row").Head()
	one := func(deps ...memo.Head) *write {
		edit := &memo.Edit{Topics: []memo.TopicEdit{{Topic: "t", Rows: []memo.RowEdit{{
			Row: memo.Bytes("row"), Deltas: []memo.Delta{{Field: "v", Op: memo.Op{Set: true, Value: memo.Int(1)}}},
		}}}}}
		return &write{space: s, edit: edit, deps: deps, done: make(chan written, 1)}
	}
	ws := []*write{one(), one(far), one()}
	s.node.onOwner(t, func(*owner) {
		for _, w := range ws {
			s.node.writes <- w
		}
	})
	var behind *BehindError
	for i, w := range ws {
		r := <-w.done
		if i == 1 && (!errors.As(r.err, &behind) || !slices.Equal(behind.Missing, []memo.Head{far})) || i != 1 && r.err != nil {
			t.Errorf("write %d: %v", i, r.err)
		}
	}
}

// A root that covers memos ahead of the clock is shown when the clock gets there.
func TestLayersFromTheFuture(t *testing.T) {
	var ahead time.Duration
	clock := func() time.Time { return time.Now().Add(-2*driftBound + ahead) }
	maker, _ := latecomer(t, Options{})
	slow := enter(t, openNode(t, t.TempDir(), Options{Now: clock}), maker)
	slow.node.onOwner(t, func(o *owner) { // the genesis, whatever its time
		run := firstRun(t, maker)
		if _, err := o.n.store.Attach([]*memo.Run{run}); err != nil {
			t.Error(err)
		}
		o.publish(o.n.view.Load().lsn)
	})
	wordOf(t, maker).say(t, slow, gossip.StatePart)
	if slow.layer.Load().ready {
		t.Fatal("memos of the future are shown")
	}
	slow.node.onOwner(t, func(*owner) { ahead = 2 * driftBound })
	waitUntil(t, "the layer is shown", func() bool { return slow.layer.Load().ready })
}

func firstRun(t *testing.T, s *Space) *memo.Run {
	t.Helper()
	v := s.node.view.Load().store
	_, last, _, err := v.NextRun(s.id, s.node.id, 0)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := v.Run(s.id, s.node.id, last)
	if err != nil {
		t.Fatal(err)
	}
	run, err := memo.DecodeRun(raw)
	if err != nil {
		t.Fatal(err)
	}
	return run
}
