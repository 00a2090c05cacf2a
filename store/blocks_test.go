package store

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"lightcone/memo"
	"lightcone/merge"
)

// fold is a root and what it must show as long as it is pinned.
type fold struct {
	id    memo.ID
	root  merge.Root
	rows  map[string]string // key → text of the row's one field
	until time.Time
}

// blockWorld folds random edits of few rows.
type blockWorld struct {
	t    *testing.T
	b    *Blocks
	p    merge.Params
	rng  *rand.Rand
	now  time.Time
	lsn  uint64
	last fold
}

func newBlockWorld(t *testing.T, kv KV) *blockWorld {
	b, err := openBlocks(kv)
	if err != nil {
		t.Fatal(err)
	}
	w := &blockWorld{
		t: t, b: b.of(memo.SpaceID{1}), p: merge.DefaultParams(memo.SpaceID{1}),
		rng: rand.New(rand.NewPCG(1, 2)), now: time.UnixMilli(1_000_000),
	}
	w.last = fold{root: merge.Root{Params: w.p}, rows: map[string]string{}}
	w.write(func(put merge.BlockPutter) (err error) {
		empty := func(func(merge.KeyedRow, error) bool) {}
		if w.last.root.State, err = merge.BuildState(w.p, empty, put); err == nil {
			w.last.root.Vector, err = merge.BuildVector(w.p, memo.Vector{}, put)
		}
		return err
	})
	return w
}

func (w *blockWorld) write(f func(put merge.BlockPutter) error) {
	w.t.Helper()
	if err := w.b.Write(f); err != nil {
		w.t.Fatal(err)
	}
}

// fold edits n rows and pins the new root for a while. Rows edited together have
// the same state, long enough for a block of its own, which they share.
func (w *blockWorld) fold(n int, keep time.Duration) fold {
	w.t.Helper()
	w.lsn++
	text := strings.Repeat(fmt.Sprint(w.lsn, " "), 60)
	value, err := memo.Text(text)
	if err != nil {
		w.t.Fatal(err)
	}
	stamp := merge.Stamp{Time: memo.Time(w.lsn), Author: memo.Author{1}, Seq: w.lsn, ID: memo.Sum([]byte(text))}
	edit := memo.RowEdit{Deltas: []memo.Delta{{Op: memo.Op{Set: true, Value: value}}}}
	row, err := merge.Delta(stamp, edit)
	if err != nil {
		w.t.Fatal(err)
	}
	state, err := row.Encode()
	if err != nil {
		w.t.Fatal(err)
	}
	next := fold{root: w.last.root, rows: maps.Clone(w.last.rows), until: w.now.Add(keep)}
	edited := map[string]bool{}
	for range n {
		key := merge.RowKey("t", fmt.Sprint(w.rng.IntN(300)))
		edited[key], next.rows[key] = true, text
	}
	w.write(func(put merge.BlockPutter) (err error) {
		rows := func(yield func(merge.KeyedRow, error) bool) {
			for _, key := range slices.Sorted(maps.Keys(edited)) {
				if !yield(merge.KeyedRow{Key: key, State: state}, nil) {
					return
				}
			}
		}
		if next.root.State, err = merge.ApplyState(w.p, w.b, w.last.root.State, rows, put); err != nil {
			return err
		}
		data, err := next.root.Encode()
		if err != nil {
			return err
		}
		next.id = memo.Sum(data)
		return put.PutBlock(next.id, data)
	})
	if err := w.b.Pin(Pin{Root: next.id, Until: next.until, LSN: w.lsn}); err != nil {
		w.t.Fatal(err)
	}
	w.last = next
	return next
}

// shows reads all of a fold.
func (w *blockWorld) shows(f fold) error {
	got := map[string]string{}
	for s, err := range merge.StateRows(w.p, w.b, f.root.State, "") {
		if err != nil {
			return err
		}
		got[s.Key] = s.Row.Cells[0].Register.Value.Text()
	}
	if !maps.Equal(got, f.rows) {
		return fmt.Errorf("%d rows, want the %d of the fold", len(got), len(f.rows))
	}
	return nil
}

func (w *blockWorld) collect() Collected {
	w.t.Helper()
	c, err := w.b.Collect(w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// blocks counts what is held.
func (w *blockWorld) blocks() int {
	n := 0
	for _, err := range scan(w.b.kv, []byte{prefixBlock}) {
		if err != nil {
			w.t.Fatal(err)
		}
		n++
	}
	return n
}

// TestCollect folds and collects by turns: pinned roots stay readable to the last
// row, and what is left in the end is what the last root needs and no more.
func TestCollect(t *testing.T) {
	w := newBlockWorld(t, NewMemoryKV())
	var folds []fold
	for i := range 120 {
		folds = append(folds, w.fold(1+w.rng.IntN(8), time.Duration(w.rng.IntN(40))*time.Minute))
		w.now = w.now.Add(time.Minute)
		if i%7 == 0 {
			w.collect()
			for _, f := range folds {
				if err := w.shows(f); !f.until.Before(w.now) && err != nil {
					t.Fatalf("round %d: a pinned root: %v", i, err)
				}
			}
		}
	}
	w.now = w.now.Add(time.Hour)
	if c := w.collect(); c.Pins == 0 || c.Blocks == 0 {
		t.Fatalf("collected %+v", c)
	}
	if err := w.shows(w.last); err != nil {
		t.Fatalf("the latest root: %v", err)
	}
	needed := map[memo.ID]bool{w.last.id: true}
	if err := merge.Reach(w.b, w.last.root, func(id memo.ID) bool {
		seen := needed[id]
		needed[id] = true
		return !seen
	}); err != nil {
		t.Fatal(err)
	}
	if n := w.blocks(); n != len(needed) {
		t.Fatalf("%d blocks are held, the latest root needs %d", n, len(needed))
	}
	if pins, err := w.b.Pins(); err != nil || len(pins) != 1 || pins[0].Root != w.last.id {
		t.Fatalf("pins %v, %v", pins, err)
	}
}

// scanHook is an index that does something at each scan: what happens while a
// collection is under way.
type scanHook struct {
	KV
	during func(prefix byte)
}

func (h *scanHook) Scan(from, to []byte) iter.Seq2[Item, error] {
	if h.during != nil {
		h.during(from[0])
	}
	return h.KV.Scan(from, to)
}

// TestCollectBesideWrites makes a fold while a collection has marked and not yet
// swept. Its blocks, those that were garbage before among them, stay.
func TestCollectBesideWrites(t *testing.T) {
	hook := &scanHook{KV: NewMemoryKV()}
	w := newBlockWorld(t, hook)
	first := w.fold(200, 0)
	for range 5 {
		w.fold(20, 0)
	}
	w.now = w.now.Add(time.Hour)
	hook.during = func(prefix byte) {
		if prefix != prefixStamp {
			return
		}
		hook.during = nil
		w.fold(50, time.Hour)
		// The first state, which nothing pins any more, is computed again.
		w.write(func(put merge.BlockPutter) error {
			return merge.Reach(w.b, first.root, func(id memo.ID) bool {
				data, err := w.b.Block(id)
				return err == nil && put.PutBlock(id, data) == nil
			})
		})
	}
	if c := w.collect(); c.Blocks == 0 {
		t.Fatalf("collected %+v", c)
	}
	for name, f := range map[string]fold{"made meanwhile": w.last, "made again": first} {
		if err := w.shows(f); err != nil {
			t.Errorf("the root %s: %v", name, err)
		}
	}
}

// TestCollectForeign: what came so far of a peer's root stays while it is pinned, and
// what is missing of it does no harm.
func TestCollectForeign(t *testing.T) {
	maker := newBlockWorld(t, NewMemoryKV())
	f := maker.fold(300, 0)
	var ids []memo.ID
	if err := merge.Reach(maker.b, f.root, func(id memo.ID) bool {
		ids = append(ids, id)
		return true
	}); err != nil {
		t.Fatal(err)
	}
	ids = append([]memo.ID{f.id}, ids...)
	for came := range len(ids) {
		if came > 8 && came%5 > 0 {
			continue
		}
		w := newBlockWorld(t, NewMemoryKV())
		own := w.fold(20, time.Hour)
		w.write(func(put merge.BlockPutter) error {
			for _, id := range ids[:came] {
				data, err := maker.b.Block(id)
				if err := errors.Join(err, put.PutBlock(id, data)); err != nil {
					return err
				}
			}
			return nil
		})
		if err := w.b.Pin(Pin{Root: f.id, Until: w.now, Foreign: true}); err != nil {
			t.Fatal(err)
		}
		w.collect()
		for _, id := range ids[:came] {
			if _, err := w.b.Block(id); err != nil {
				t.Fatalf("of %d blocks: %v", came, err)
			}
		}
		w.now = w.now.Add(time.Minute)
		if c := w.collect(); c.Pins != 1 {
			t.Fatalf("%+v", c)
		}
		if err := w.shows(own); err != nil {
			t.Fatal(err)
		}
		if _, err := w.b.Block(f.id); came > 0 && !errors.Is(err, ErrNoBlock) {
			t.Fatalf("the peer's root after its time: %v", err)
		}
	}
}

// TestBlocksReopened: stamps go on where they were, so that a collection after a
// restart still tells new from old; a pin never becomes shorter.
func TestBlocksReopened(t *testing.T) {
	kv := NewMemoryKV()
	w := newBlockWorld(t, kv)
	w.fold(3, time.Hour)
	opened, err := openBlocks(kv)
	if err != nil || opened.stamp != w.b.stamp || opened.stamp == 0 {
		t.Fatalf("stamp %d, %v; want %d", opened.stamp, err, w.b.stamp)
	}
	again := opened.of(w.p.Space)
	if err := again.Pin(Pin{Root: w.last.id, Until: w.now}); err != nil {
		t.Fatal(err)
	}
	pins, err := again.Pins()
	if err != nil || len(pins) != 1 || !pins[0].Until.Equal(w.last.until) || pins[0].LSN != w.lsn {
		t.Fatalf("pins %v, %v", pins, err)
	}
	if _, err := again.Block(memo.ID{9}); !errors.Is(err, ErrNoBlock) {
		t.Fatalf("a block nobody wrote: %v", err)
	}
	again.stop()
	if err := again.Write(func(put merge.BlockPutter) error { return put.PutBlock(memo.ID{9}, nil) }); !errors.Is(err, ErrClosed) {
		t.Fatalf("write after close: %v", err)
	}
}

// TestBlocksOfSpaces: one space's blocks are neither read nor collected with
// another's, be their bytes the same.
func TestBlocksOfSpaces(t *testing.T) {
	w := newBlockWorld(t, NewMemoryKV())
	w.fold(200, 0)
	other := w.b.of(memo.SpaceID{2})
	if _, err := other.Block(w.last.id); !errors.Is(err, ErrNoBlock) {
		t.Fatalf("a block of another space: %v", err)
	}
	data, err := w.b.Block(w.last.id)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Write(func(put merge.BlockPutter) error { return put.PutBlock(w.last.id, data) }); err != nil {
		t.Fatal(err)
	}
	if c, err := other.Collect(w.now.Add(time.Hour)); err != nil || c.Blocks != 1 {
		t.Fatalf("%+v %v; want the one block that nothing pins there", c, err)
	}
	if err := w.shows(w.last); err != nil {
		t.Error(err)
	}
}
