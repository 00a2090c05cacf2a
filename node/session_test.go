package node

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	causal "lightcone/context"
	"lightcone/memo"
	"lightcone/p2p/gossip"
)

// delivery hands runs to the owner as if a peer had sent them.
type delivery struct {
	runs []*memo.Run
	done chan *gossip.Attached
}

func (d *delivery) do(o *owner) {
	d.done <- o.deliver(gossip.Deliver{Space: d.runs[0].Space, Runs: d.runs})
}

func deliver(t *testing.T, n *Node, runs ...*memo.Run) {
	t.Helper()
	d := &delivery{runs: runs, done: make(chan *gossip.Attached, 1)}
	if err := n.submit(context.Background(), d); err != nil {
		t.Fatal(err)
	}
	if a := <-d.done; a.Bad != nil || a.Fresh == 0 {
		t.Fatalf("delivery: %+v", a)
	}
}

// foreign makes the first run of an author: one edit of one row.
func foreign(t *testing.T, s *Space, author int, row string, deps ...memo.Head) *memo.Run {
	t.Helper()
	seed := memo.Sum(fmt.Appendf(nil, "author %d", author))
	key := ed25519.NewKeyFromSeed(seed[:])
	g, _ := s.node.view.Load().store.Genesis(s.id)
	deps = append([]memo.Head{g.Head()}, deps...)
	memo.SortDeps(deps)
	m, err := memo.New(memo.Memo{
		Space: s.id, Author: memo.Author(key.Public().(ed25519.PublicKey)), Seq: 1,
		Deps: deps, Time: memo.Next(uint64(time.Now().UnixMilli()), g.Time),
		Body: &memo.Edit{Topics: []memo.TopicEdit{{Topic: "t", Rows: []memo.RowEdit{{
			Row: memo.Bytes(row), Deltas: []memo.Delta{{Field: "by", Op: memo.Op{Set: true, Value: memo.Int(int64(author))}}},
		}}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &memo.Run{Space: s.id, Memos: []*memo.Memo{m}, Seal: memo.Sign(key, s.id, m.Head())}
}

func newSpace(t *testing.T) *Space {
	t.Helper()
	s, err := openNode(t, t.TempDir(), Options{}).CreateSpace("default", Policy{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What a session read is among the causes of what it writes; what it did not
// read is not.
func TestWritesFollowReads(t *testing.T) {
	ctx, s := context.Background(), newSpace(t)
	read, unread := foreign(t, s, 1, "read"), foreign(t, s, 2, "unread")
	deliver(t, s.node, read, unread)
	x := s.Session()
	if _, err := x.Get(ctx, "t", "read"); err != nil {
		t.Fatal(err)
	}
	r, err := x.Put(ctx, "t", "mine", Fields{"x": memo.Int(1)})
	if err != nil {
		t.Fatal(err)
	}
	mark, _ := s.node.view.Load().cut(s.id).Vector().Get(s.node.id)
	m, ok, err := s.node.view.Load().store.Memo(s.id, s.node.id, mark.Seq)
	if err != nil || !ok || m.ID() != r.ID {
		t.Fatalf("memo: %v %v", ok, err)
	}
	if len(m.Deps) != 1 || m.Deps[0] != read.Head() {
		t.Errorf("deps %v, want %v alone", m.Deps, read.Head())
	}
	if len(r.Token.Heads) != 1 || r.Token.Heads[0].Seq != mark.Seq {
		t.Errorf("the token names %v: the write's past is below its own memo", r.Token.Heads)
	}
}

// What a write may replace or remove is among its causes, unread.
func TestRemovalsFollowWhatTheyRemove(t *testing.T) {
	ctx, s := context.Background(), newSpace(t)
	one, other := foreign(t, s, 1, "one"), foreign(t, s, 2, "other")
	deliver(t, s.node, one, other)
	for row, write := range map[string]func(row string) (Receipt, error){
		"one":   func(row string) (Receipt, error) { return s.PutMulti(ctx, "t", row, Fields{"m": memo.Int(1)}) },
		"other": func(row string) (Receipt, error) { return s.Change(ctx, "t", row, "s", []memo.Value{memo.Int(1)}, nil) },
	} {
		if _, err := write(row); err != nil {
			t.Fatal(err)
		}
		mark, _ := s.node.view.Load().cut(s.id).Vector().Get(s.node.id)
		m, _, err := s.node.view.Load().store.Memo(s.id, s.node.id, mark.Seq)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]memo.Head{"one": one.Head(), "other": other.Head()}[row]
		if len(m.Deps) != 1 || m.Deps[0] != want {
			t.Errorf("row %s: deps %v, want %v alone", row, m.Deps, want)
		}
	}
}

// A session of more heads than a memo has deps or a token has heads gathers them
// in join memos of its own chain.
func TestManyHeadsAreGathered(t *testing.T) {
	ctx, s := context.Background(), newSpace(t)
	const authors = 70
	for i := range authors {
		deliver(t, s.node, foreign(t, s, i, fmt.Sprint("row ", i)))
	}
	x := s.Session()
	for i := range authors {
		if _, err := x.Get(ctx, "t", fmt.Sprint("row ", i)); err != nil {
			t.Fatal(err)
		}
	}
	token := x.Token()
	if len(token.Heads) != 1 || len(token.String()) > 200 {
		t.Fatalf("token of %d heads, %d characters", len(token.Heads), len(token.String()))
	}
	cut := s.node.view.Load().cut(s.id)
	gathered := map[memo.Author]bool{}
	for seq := uint64(2); cut.Vector().Covers(s.node.id, seq); seq++ {
		m, _, err := s.node.view.Load().store.Memo(s.id, s.node.id, seq)
		if err != nil {
			t.Fatal(err)
		}
		if m.Kind() != memo.KindJoin || len(m.Deps) > memo.MaxDeps {
			t.Errorf("memo %d: kind %d, %d deps", seq, m.Kind(), len(m.Deps))
		}
		for _, d := range m.Deps {
			gathered[d.Author] = true
		}
	}
	if len(gathered) != authors {
		t.Errorf("%d of %d authors are in the token's past", len(gathered), authors)
	}
	if _, err := s.Session(From(token), Read{Wait: -1}).Get(ctx, "t", "row 3"); err != nil {
		t.Errorf("read under the gathered token: %v", err)
	}
}

func TestTxSeesItsOwnWrites(t *testing.T) {
	ctx, s := context.Background(), newSpace(t)
	if _, err := s.Put(ctx, "t", "r", Fields{"a": memo.Int(1), "b": memo.Int(2)}); err != nil {
		t.Fatal(err)
	}
	_, err := s.Update(ctx, func(tx *Tx) error {
		if err := tx.Put("t", "r", Fields{"a": memo.Int(10)}); err != nil {
			return err
		}
		if err := tx.Delete("t", "r", "b"); err != nil {
			return err
		}
		r, err := tx.Get("t", "r")
		if err != nil || len(r.Fields) != 1 || r.Fields["a"].Int() != 10 {
			t.Errorf("in the transaction: %v %v", r.Fields, err)
		}
		if err := tx.Delete("t", "r"); err != nil {
			return err
		}
		if _, err := tx.Get("t", "r"); !errors.Is(err, ErrNotFound) {
			t.Errorf("after a delete in the transaction: %v", err)
		}
		return tx.Put("t", "r", Fields{"c": memo.Int(3)})
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Get(ctx, "t", "r")
	if err != nil || len(r.Fields) != 1 || r.Fields["c"].Int() != 3 {
		t.Errorf("after it: %v %v", r.Fields, err)
	}
}

func TestFailedWritesLeaveNoRecord(t *testing.T) {
	ctx, s := context.Background(), newSpace(t)
	before := s.Context()
	boom := errors.New("boom")
	for name, c := range map[string]struct {
		f    func(*Tx) error
		want error
	}{
		"function fails": {func(tx *Tx) error {
			return errors.Join(tx.Put("t", "r", Fields{"x": memo.Int(1)}), boom)
		}, boom},
		"value too large": {func(tx *Tx) error {
			return tx.Put("t", "r", Fields{"x": memo.Blob(make([]byte, 1<<20))})
		}, memo.ErrTooLarge},
		"row too long":  {func(tx *Tx) error { return tx.Delete("t", string(make([]byte, 513))) }, memo.ErrTooLarge},
		"no topic":      {func(tx *Tx) error { return tx.Delete("", "r") }, memo.ErrInvalid},
		"no fields":     {func(tx *Tx) error { return tx.Put("t", "r", nil) }, memo.ErrInvalid},
		"topic no text": {func(tx *Tx) error { return tx.Delete("\xff", "r") }, memo.ErrInvalid},
	} {
		if r, err := s.Update(ctx, c.f); !errors.Is(err, c.want) || r.Outcome != NotCommitted {
			t.Errorf("%s: outcome %d, %v", name, r.Outcome, err)
		}
	}
	if r, err := s.Update(ctx, func(*Tx) error { return nil }); err != nil || r.Outcome != NotCommitted {
		t.Errorf("nothing to write: %d %v", r.Outcome, err)
	}
	if err := s.View(ctx, func(tx *Tx) error { return tx.Delete("t", "r") }); !errors.Is(err, memo.ErrInvalid) {
		t.Errorf("write in View: %v", err)
	}
	if after := s.Context(); len(after.Loose) != len(before.Loose) || after.Loose[0] != before.Loose[0] {
		t.Errorf("context %v, was %v", after, before)
	}
}

// stale returns a token that s cannot cover: its head's author has written more
// than s holds.
func stale(s *Space) causal.Token {
	return causal.Token{
		Space: [8]byte(s.id[:8]), Origin: [8]byte{1},
		Heads: []causal.TokenHead{{Author: [8]byte(s.node.id[:8]), Seq: 9, Digest: [8]byte{9}}},
	}
}

func TestStaleReads(t *testing.T) {
	ctx, s := context.Background(), newSpace(t)
	if _, err := s.Put(ctx, "t", "r", Fields{"x": memo.Int(1)}); err != nil {
		t.Fatal(err)
	}
	var behind *BehindError
	_, err := s.Session(From(stale(s)), Read{Wait: -1}).Get(ctx, "t", "r")
	if !errors.As(err, &behind) || behind.Lag.Memos != 7 || behind.Missing[0].Author != s.node.id {
		t.Errorf("default: %v", err)
	}
	row, err := s.Session(From(stale(s)), Read{Wait: -1, Stale: StaleReturn}).Get(ctx, "t", "r")
	if err != nil || row.Behind == nil || row.Fields["x"].Int() != 1 {
		t.Errorf("stale=return: %+v %v", row, err)
	}
	if _, err := s.Session(From(stale(s)), Read{Mode: Local}).Get(ctx, "t", "r"); err != nil {
		t.Errorf("local: %v", err)
	}
	if _, err := s.Session(Read{Mode: Exact}).Get(ctx, "t", "r"); !errors.Is(err, ErrContextUnavailable) {
		t.Errorf("exact: %v", err)
	}
	x := s.Session(From(stale(s)), Read{Wait: -1})
	if r, err := x.Put(ctx, "t", "r", Fields{"x": memo.Int(2)}); !errors.As(err, &behind) || r.Outcome != NotCommitted {
		t.Errorf("a write under a context that is not covered: %v", err)
	}
	if !x.Token().IsZero() {
		t.Error("a token was issued for a context that is not covered here")
	}
	forked := stale(s)
	forked.Heads[0].Seq = 1
	start := time.Now()
	_, err = s.Session(From(forked), Read{Wait: time.Hour}).Get(ctx, "t", "r")
	if !errors.As(err, &behind) || !behind.Forked || time.Since(start) > time.Minute {
		t.Errorf("another memo at the token's place: %v", err)
	}
}

// The pebble folder and the projection can be deleted: no answer changes.
func TestDerivedFilesCanBeDeleted(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	n := openNode(t, dir, Options{})
	s, err := n.CreateSpace("default", Policy{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		if _, err := s.Put(ctx, "t", fmt.Sprint(i), Fields{"x": memo.Int(int64(i))}); err != nil {
			t.Fatal(err)
		}
	}
	deliver(t, n, foreign(t, s, 1, "foreign"))
	want, err := s.Digest(ctx)
	if err != nil {
		t.Fatal(err)
	}
	wantContext := s.Context()
	for _, part := range []string{"kv", "projection.db"} {
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(filepath.Join(dir, part)); err != nil {
			t.Fatal(err)
		}
		n = openNode(t, dir, Options{})
		if s, err = n.OpenSpace("default"); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Digest(ctx); err != nil || got != want {
			t.Errorf("without %s: digest %x, want %x (%v)", part, got, want, err)
		}
		if got := s.Context(); len(got.Loose) != len(wantContext.Loose) {
			t.Errorf("without %s: context %v", part, got)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	n := openNode(t, dir, Options{})
	var locked *LockedError
	if _, err := Open(dir, Options{}); !errors.As(err, &locked) || locked.PID != os.Getpid() || !errors.Is(err, ErrLocked) {
		t.Errorf("second open: %v", err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, keyFile), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{}); !errors.Is(err, ErrKeyFile) {
		t.Errorf("a key that others can read: %v", err)
	}
	if err := os.Chmod(filepath.Join(dir, keyFile), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, stateFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{}); err == nil {
		t.Error("a damaged list of spaces was accepted")
	}
}

// A write supersedes the heads it was caused by. What the session learnt while
// the write was under way is not among them, and must not be un-known.
func TestWriteKeepsWhatIsLearntMeanwhile(t *testing.T) {
	s := newSpace(t)
	first, other := foreign(t, s, 1, "a").Head(), foreign(t, s, 2, "b").Head()
	later := memo.Head{Author: first.Author, Seq: 2, ID: memo.ID{2}}
	for name, learnt := range map[string]memo.Head{"another author": other, "the same author, later": later} {
		x := s.Session()
		x.saw(first)
		x.mu.Lock()
		was := x.qc
		x.mu.Unlock()
		x.saw(learnt)
		own := memo.Head{Author: s.node.id, Seq: 9, ID: memo.ID{9}}
		x.replace(own, was)
		qc := x.Context()
		if !qc.Covers(own) || !qc.Covers(learnt) || len(qc.Loose) != 2 {
			t.Errorf("%s: the context is %v", name, qc.Loose)
		}
	}
	x := s.Session()
	x.saw(first)
	was, own := x.Context(), memo.Head{Author: s.node.id, Seq: 9, ID: memo.ID{9}}
	var below memo.Vector
	below.Set(memo.Mark{Head: other})
	x.see(causal.Context{Space: s.id, Root: memo.ID{1}, Below: below})
	x.replace(own, was)
	if qc := x.Context(); !qc.Covers(own) || !qc.Covers(first) || !qc.Covers(other) {
		t.Errorf("a root: the context is %v", qc)
	}
}
