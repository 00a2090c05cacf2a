package store

import (
	"bytes"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"lightcone/memo"
	"lightcone/walfs"
)

// hookKV is an index that fails, or counts, on demand.
type hookKV struct {
	KV
	fail    error
	flushes int
}

func (k *hookKV) Apply(changes []Item) error {
	if k.fail != nil {
		return k.fail
	}
	return k.KV.Apply(changes)
}

func (k *hookKV) Flush(wait bool) error {
	k.flushes++
	return k.KV.Flush(wait)
}

// Both indexes are the same ordered map.
func TestIndexesAgree(t *testing.T) {
	pebble, err := openPebble(filepath.Join(t.TempDir(), "kv"), vfs.Default, Options{}.withDefaults().Logger)
	if err != nil {
		t.Fatal(err)
	}
	for name, kv := range map[string]KV{"memory": NewMemoryKV(), "pebble": pebble} {
		item := func(k, v string) Item { return Item{[]byte(k), []byte(v)} }
		if err := errors.Join(
			kv.Apply([]Item{item("b", "1"), item("a", "2"), item("b", "3"), item("c", ""), item("ab", "4")}),
			kv.Apply([]Item{{Key: []byte("a")}, {Key: []byte("never")}}),
			kv.Flush(true), kv.Flush(false),
		); err != nil {
			t.Fatal(name, err)
		}
		var got []string
		for it, err := range kv.Scan([]byte("a"), []byte("c\x00")) {
			if err != nil {
				t.Fatal(name, err)
			}
			got = append(got, string(it.Key)+"="+string(it.Value))
		}
		if diff := cmp.Diff([]string{"ab=4", "b=3", "c="}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		for it := range kv.Scan([]byte("b"), []byte("c")) { // stops early, excludes c
			if string(it.Key) != "b" {
				t.Errorf("%s: %s in [b, c)", name, it.Key)
			}
			break
		}
		if v, ok, err := kv.Get([]byte("c")); err != nil || !ok || len(v) != 0 {
			t.Errorf("%s: an empty value: %q %v %v", name, v, ok, err)
		}
		if _, ok, err := kv.Get([]byte("a")); err != nil || ok {
			t.Errorf("%s: a deleted key: %v %v", name, ok, err)
		}
		if err := kv.Clear(); err != nil {
			t.Fatal(name, err)
		}
		if _, ok, err := kv.Get([]byte("b")); err != nil || ok {
			t.Errorf("%s: after Clear: %v %v", name, ok, err)
		}
		if err := kv.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAfterAll(t *testing.T) {
	for _, c := range [][2]string{{"a", "b"}, {"a\xff", "b"}, {"m\x00\xff\xff", "m\x01"}} {
		if got := afterAll([]byte(c[0])); !bytes.Equal(got, []byte(c[1])) {
			t.Errorf("afterAll(%q) = %q, want %q", c[0], got, c[1])
		}
	}
}

// An index that fails stops the writing; the log is whole and nothing is lost.
func TestBrokenIndexStopsWriting(t *testing.T) {
	w := newWorld(t, 2)
	dir := t.TempDir()
	kv := &hookKV{KV: NewMemoryKV()}
	s := open(t, dir, Options{KV: kv})
	s.AddSpace(w.space)
	attach(t, s, w.runs...)
	kv.fail = errors.New("no space left on device")
	if _, err := s.Attach([]*memo.Run{w.run(1, 2)}); !errors.Is(err, ErrBroken) || !errors.Is(err, kv.fail) {
		t.Fatalf("attached: %v", err)
	}
	kv.fail = nil
	if _, err := s.Attach([]*memo.Run{w.run(1, 2)}); !errors.Is(err, ErrBroken) {
		t.Fatalf("went on over a hole: %v", err)
	}
	if _, err := s.AppendOwn(walfs.None, w.next(0, 1), nil); !errors.Is(err, ErrBroken) {
		t.Fatalf("went on over a hole: %v", err)
	}
	if err := s.Close(); !errors.Is(err, ErrBroken) {
		t.Fatalf("close does not say that the index is not written: %v", err)
	}
	s = open(t, dir, Options{KV: kv})
	defer closeStore(t, s)
	if !s.View().Vector(w.space).Covers(w.author(1), 2) {
		t.Fatal("the log lost what was appended before the index failed")
	}
}

// After a checkpoint there is nothing to replay.
func TestCheckpointReachesTheEndOfTheLog(t *testing.T) {
	w := newWorld(t, 2)
	dir, crashed := t.TempDir(), t.TempDir()
	s := open(t, dir, Options{})
	defer closeStore(t, s)
	s.AddSpace(w.space)
	attach(t, s, w.runs...)
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	copyDir(t, dir, crashed)
	kv, err := openPebble(filepath.Join(crashed, "kv"), vfs.Default, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	b, _, err := kv.Get([]byte(stateKey))
	if err != nil {
		t.Fatal(err)
	}
	st, err := decodeState(b)
	if last := s.log.Last(); err != nil || st.applied != last || st.durable != last {
		t.Fatalf("the index reaches to %d, durable %d, the log to %d, %v", st.applied, st.durable, last, err)
	}
	if err := kv.Close(); err != nil {
		t.Fatal(err)
	}
}

// Long memos fill the log faster than the index: it is flushed by bytes of log.
func TestIndexIsFlushedAsTheLogGrows(t *testing.T) {
	oneGoroutine(t)
	w := newWorld(t, 1)
	kv := &hookKV{KV: NewMemoryKV()}
	s := fresh(t, w, Options{KV: kv})
	attach(t, s, w.runs...)
	long := edit(0)
	text, err := memo.Text(strings.Repeat("x", memo.MaxEdit-100))
	if err != nil {
		t.Fatal(err)
	}
	long.Topics[0].Rows[0].Deltas[0].Op.Value = text
	m := w.memo(memo.Memo{
		Space: w.space, Author: w.author(0), Seq: 2, Prev: w.genesis().ID(), Time: memo.Next(2), Body: long,
	})
	for s.Size() <= CheckpointEvery {
		if kv.flushes > 0 {
			t.Fatalf("flushed after %d bytes", s.Size())
		}
		attach(t, s, w.seal(0, m))
		m = w.memo(memo.Memo{
			Space: w.space, Author: w.author(0), Seq: m.Seq + 1, Prev: m.ID(), Time: memo.Next(0, m.Time), Body: long,
		})
	}
	attach(t, s, w.seal(0, m))
	if kv.flushes != 1 {
		t.Fatalf("flushed %d times after %d bytes", kv.flushes, s.Size())
	}
}

func TestBadOptions(t *testing.T) {
	for name, o := range map[string]Options{
		"log":           {WAL: walfs.Options{SegmentSize: 1}},
		"small segment": {WAL: walfs.Options{SegmentSize: MinSegmentSize / 2}},
		"runs":          {MaxPendingRuns: -1},
		"bytes":         {MaxPendingBytes: 1},
	} {
		if _, err := Open(t.TempDir(), o); !errors.Is(err, ErrBadOptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
