package projection

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"lightcone/memo"
	"lightcone/merge"
)

// machine drives a projection beside the log of what it was given.
type machine struct {
	dir   string
	files int
	path  string
	o     Options
	db    *DB
	log   []record
	lsn   uint64 // the last applied
	snaps []*Snapshot
}

// TestModel compares any sequence of operations, over many layouts of the three
// layers, with the naive interpreter.
func TestModel(t *testing.T) {
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		m := &machine{dir: dir, files: n << 16}
		m.path = m.newPath()
		m.o.FlushInterval = never
		m.o.FlushBytes = rapid.SampledFrom([]int64{1, 2000, DefaultFlushBytes}).Draw(t, "flush at")
		m.db = mustOpen(t, m.path, m.o)
		defer func() { _ = m.db.Close() }()
		t.Repeat(map[string]func(*rapid.T){
			"apply": m.apply, "stale": m.stale, "flush": m.flush, "snapshot": m.snapshot,
			"read": m.read, "reopen": m.reopen, "crash": m.crash,
			"": func(t *rapid.T) {},
		})
		for _, s := range m.snaps {
			sameStates(t, s, m.log)
		}
	})
}

func (m *machine) newPath() string {
	m.files++
	return filepath.Join(m.dir, fmt.Sprint(m.files))
}

func (m *machine) apply(t *rapid.T) {
	m.lsn += rapid.Uint64Range(1, 3).Draw(t, "step")
	r := record{lsn: m.lsn, changes: rapid.SliceOfN(changes(), 0, 3).Draw(t, "changes")}
	if len(m.log) > 0 && rapid.Bool().Draw(t, "duplicate") {
		r.changes = append(r.changes, rapid.SampledFrom(m.log).Draw(t, "old").changes...)
	}
	r.adopted = rapid.Bool().Draw(t, "as states")
	m.log = append(m.log, r)
	must(t, m.db.Apply(r.lsn, r.given(t)))
}

// stale applies something at an LSN that is not new: nothing may come of it.
func (m *machine) stale(t *rapid.T) {
	lsn := rapid.Uint64Range(0, m.lsn).Draw(t, "lsn")
	must(t, m.db.Apply(lsn, []Change{changes().Draw(t, "change")}))
}

func (m *machine) flush(t *rapid.T) {
	must(t, m.db.Flush())
	if got := m.db.Applied(); got != m.lsn {
		t.Fatalf("after Flush the file reaches LSN %d, not %d", got, m.lsn)
	}
}

func (m *machine) snapshot(t *rapid.T) {
	s := snapshot(t, m.db)
	if s.LSN() != m.lsn {
		t.Fatalf("a snapshot at LSN %d after Apply(%d)", s.LSN(), m.lsn)
	}
	m.snaps = append(m.snaps, s)
}

// read checks one open snapshot, however old, and perhaps closes it.
func (m *machine) read(t *rapid.T) {
	if len(m.snaps) == 0 {
		m.snapshot(t)
	}
	i := rapid.IntRange(0, len(m.snaps)-1).Draw(t, "snapshot")
	s := m.snaps[i]
	sameStates(t, s, m.log)
	rows := fold(t, m.log, s.LSN(), spaceA)
	m.readRow(t, s, rows)
	m.readRange(t, s, rows)
	if rapid.Bool().Draw(t, "close") {
		s.Close()
		m.snaps = slices.Delete(m.snaps, i, i+1)
	}
}

func (m *machine) readRow(t *rapid.T, s *Snapshot, rows map[string]string) {
	row := rapid.SampledFrom(rowNames).Draw(t, "row")
	got, live, err := s.Get(spaceA, "t", row)
	must(t, err)
	var want merge.Row
	if state, ok := rows[merge.RowKey("t", row)]; ok {
		want, err = merge.DecodeRow([]byte(state))
		must(t, err)
	}
	if !got.Includes(want) || !want.Includes(got) || live != want.Live() {
		t.Fatalf("Get(%q) = %+v, %v; want %+v", row, got, live, want)
	}
}

func (m *machine) readRange(t *rapid.T, s *Snapshot, rows map[string]string) {
	q := Range{Limit: rapid.IntRange(0, 4).Draw(t, "limit")}
	if rapid.Bool().Draw(t, "in a topic") {
		q.Topic = rapid.SampledFrom([]string{"t", "tt"}).Draw(t, "topic")
		q.Prefix = rapid.SampledFrom([]string{"", "", "a", "a\x00", "\xff"}).Draw(t, "prefix")
		q.From = rapid.SampledFrom(rowNames).Draw(t, "from")
		q.To = rapid.SampledFrom(rowNames).Draw(t, "to")
	}
	q.Reverse = rapid.Bool().Draw(t, "reverse")
	if rapid.Bool().Draw(t, "after") {
		q.After = merge.RowKey(rapid.SampledFrom([]string{"t", "tt"}).Draw(t, "after topic"), rapid.SampledFrom(rowNames).Draw(t, "after row"))
	}
	want := naiveScan(t, rows, q)
	if diff := cmp.Diff(want, scanKeys(t, s, spaceA, q)); diff != "" {
		t.Fatalf("Scan %+v (-want +got):\n%s", q, diff)
	}
	n, err := s.Count(spaceA, q)
	must(t, err)
	if n != len(want) {
		t.Fatalf("Count %+v = %d, want %d", q, n, len(want))
	}
}

// forsake drops the open snapshots after their DB was closed: they must say so.
func (m *machine) forsake(t *rapid.T) {
	for _, s := range m.snaps {
		for _, err := range s.States(spaceA) {
			if !errors.Is(err, ErrClosed) {
				t.Fatalf("a snapshot of a closed projection yields %v", err)
			}
		}
		s.Close()
	}
	m.snaps = nil
}

func (m *machine) reopen(t *rapid.T) {
	must(t, m.db.Close())
	m.forsake(t)
	m.db = mustOpen(t, m.path, m.o)
	if got := m.db.Applied(); got != m.lsn {
		t.Fatalf("Close left the file at LSN %d, not %d", got, m.lsn)
	}
}

// crash goes on with a copy of the file as it is now: its rows must be exactly
// those of its LSN, and replaying the log, or more of it, must bring back the rest.
func (m *machine) crash(t *rapid.T) {
	after := m.newPath()
	crashCopy(t, m.db, after)
	must(t, m.db.Close())
	m.forsake(t)
	m.path = after
	m.db = mustOpen(t, m.path, m.o)
	s := snapshot(t, m.db)
	if s.LSN() != m.db.Applied() || s.LSN() > m.lsn {
		t.Fatalf("after a crash at LSN %d: Applied %d, snapshot %d", m.lsn, m.db.Applied(), s.LSN())
	}
	sameStates(t, s, m.log)
	s.Close()
	for _, r := range m.log {
		must(t, m.db.Apply(r.lsn, r.given(t)))
	}
}

// TestAnyOrder applies the same memos in any order, in any portions, with
// duplicates and flushes in between: the states and the digest are the same bytes.
func TestAnyOrder(t *testing.T) {
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfN(changes(), 1, 12).Draw(t, "memos")
		log := []record{{lsn: 1, changes: all}}
		var digests []memo.ID
		for _, seed := range rapid.SliceOfN(rapid.Uint64(), 2, 2).Draw(t, "orders") {
			n++
			db := mustOpen(t, filepath.Join(dir, fmt.Sprint(n)), Options{FlushInterval: never})
			defer func() { _ = db.Close() }() // should a check below fail
			deliver(t, db, all, rand.New(rand.NewPCG(seed, 0)))
			s := snapshot(t, db)
			sameStates(t, s, log)
			id, err := s.Digest(merge.DefaultParams(spaceA))
			must(t, err)
			digests = append(digests, id)
			must(t, db.Close())
		}
		if digests[0] != digests[1] {
			t.Fatalf("two orders of delivery, two digests: %v", digests)
		}
	})
}

func deliver(t *rapid.T, db *DB, all []Change, rng *rand.Rand) {
	order := append(rng.Perm(len(all)), rng.Perm(len(all))[:len(all)/2]...)
	for lsn := uint64(1); len(order) > 0; lsn++ {
		n := 1 + rng.IntN(len(order))
		var portion []Change
		for _, i := range order[:n] {
			portion = append(portion, all[i])
		}
		order = order[n:]
		must(t, db.Apply(lsn, portion))
		if rng.IntN(2) == 0 {
			must(t, db.Flush())
		}
	}
}
