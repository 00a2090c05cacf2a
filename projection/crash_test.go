package projection

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"lightcone/memo"
	"lightcone/merge"
)

// TestFailedApply: a memo that cannot be joined changes nothing, not even the
// rows before the one at fault, and the LSN can be tried again.
func TestFailedApply(t *testing.T) {
	db := open(t, Options{})
	bad := edits(1, "x", "a", "b")
	bad.Edit.Topics[0].Rows[1].Deltas[0].Type = memo.TextCell
	if err := db.Apply(1, []Change{edits(1, "x", "c"), bad}); !errors.Is(err, merge.ErrUnknownCellType) {
		t.Errorf("Apply of a cell type of the future: %v", err)
	}
	s := snapshot(t, db)
	defer s.Close()
	if n, err := s.Count(spaceA, Range{}); n != 0 || err != nil || s.LSN() != 0 {
		t.Errorf("%d rows at LSN %d are visible, %v", n, s.LSN(), err)
	}
	states := record{lsn: 1, changes: []Change{edits(1, "x", "b")}, adopted: true}.given(t)
	bad = states[0]
	bad.Rows = append(bad.Rows, merge.KeyedRow{Key: "t\x00c", State: []byte("no row state")})
	if err := db.Apply(1, []Change{bad}); !errors.Is(err, memo.ErrMalformed) || snapshotLen(t, db) != 0 {
		t.Errorf("Apply of a state that does not decode: %v", err)
	}
	must(t, db.Apply(1, []Change{edits(1, "x", "a")}))
}

func snapshotLen(t *testing.T, db *DB) int {
	s := snapshot(t, db)
	defer s.Close()
	n, err := s.Count(spaceA, Range{})
	must(t, err)
	return n
}

// TestFailedFlush: when the file cannot be written, Apply and Flush say so and
// why, reads go on, and what was committed before is intact.
func TestFailedFlush(t *testing.T) {
	path := filepath.Join(t.TempDir(), "projection")
	db := mustOpen(t, path, Options{FlushInterval: never})
	must(t, db.Apply(1, []Change{edits(1, "x", "before")}))
	must(t, db.Flush())
	db.file.bolt.MaxSize = 1 // the next page that is not a free one is too many
	must(t, db.Apply(2, []Change{edits(2, strings.Repeat("x", 100_000), "after")}))
	for what, err := range map[string]error{
		"Flush": db.Flush(), "Apply": db.Apply(3, nil), "Flush again": db.Flush(),
	} {
		if !errors.Is(err, ErrStopped) || !strings.Contains(err.Error(), "maximum size") {
			t.Errorf("%s with a full file: %v", what, err)
		}
	}
	s := snapshot(t, db)
	for _, row := range []string{"before", "after"} {
		if _, live, err := s.Get(spaceA, "t", row); !live || err != nil {
			t.Errorf("row %q is live: %v, %v", row, live, err)
		}
	}
	s.Close()
	if err := db.Close(); !errors.Is(err, ErrStopped) {
		t.Errorf("Close: %v", err)
	}
	db = mustOpen(t, path, Options{})
	if db.Applied() != 1 {
		t.Errorf("the file reaches LSN %d, want 1", db.Applied())
	}
	must(t, db.Close())
}

// TestApplyWaits: a disk that cannot keep up slows Apply down before memory
// grows beyond MaxBytes and one Apply.
func TestApplyWaits(t *testing.T) {
	o := Options{FlushBytes: 10_000, MaxBytes: 20_000, FlushInterval: never}
	db := open(t, o)
	db.file.bolt.NoSync = true
	for lsn := uint64(1); lsn <= 500; lsn++ {
		c := edits(memo.Time(lsn), "x", fmt.Sprint(lsn), fmt.Sprint(lsn, "b"))
		must(t, db.Apply(lsn, []Change{c}))
		db.mu.Lock()
		if db.work.bytes > o.MaxBytes+1000 {
			t.Errorf("the memtable holds %d bytes", db.work.bytes)
		}
		db.mu.Unlock()
	}
}

// TestFlushInterval: a quiet node's changes reach the file by themselves.
func TestFlushInterval(t *testing.T) {
	db := open(t, Options{FlushInterval: time.Millisecond})
	must(t, db.Apply(7, []Change{edits(1, "x", "row")}))
	db.mu.Lock()
	defer db.mu.Unlock()
	for db.Applied() != 7 {
		db.turn.Wait() // for as long as the test binary is given
	}
}

// TestIdleFlush: an LSN without changes reaches the file too, and a flush with
// nothing new writes nothing.
func TestIdleFlush(t *testing.T) {
	db := open(t, Options{FlushInterval: never})
	must(t, db.Apply(5, nil))
	must(t, db.Flush())
	before := db.head.Load().base
	must(t, db.Flush())
	if db.Applied() != 5 || db.head.Load().base != before {
		t.Errorf("Applied() = %d; a new base: %v", db.Applied(), db.head.Load().base != before)
	}
}

// twoFlushes makes a file of two commits and returns its bytes and its log.
func twoFlushes(t *testing.T) (data []byte, log []record) {
	path := filepath.Join(t.TempDir(), "projection")
	db := mustOpen(t, path, Options{FlushInterval: never})
	for lsn := uint64(1); lsn <= 2; lsn++ {
		var rows []string
		for i := range 25 {
			rows = append(rows, fmt.Sprintf("row %d of %d", i, lsn))
		}
		r := record{lsn: lsn, changes: []Change{edits(memo.Time(lsn), strings.Repeat("x", 40), rows...)}}
		log = append(log, r)
		must(t, db.Apply(lsn, r.changes))
		must(t, db.Flush())
	}
	used := db.head.Load().base.tx.Size() // the rest was only reserved
	must(t, db.Close())
	data, err := os.ReadFile(path)
	must(t, err)
	return data[:used], log
}

// TestDamage flips bits all over the file, and cuts it short at every page: Open
// either refuses it, naming the fix, or shows the exact rows of the LSN it
// reports (that of the commit before, when the newest meta page is hit).
func TestDamage(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine, left out by -short")
	}
	data, log := twoFlushes(t)
	path := filepath.Join(t.TempDir(), "damaged")
	refused := 0
	try := func(what string, damaged []byte) {
		_ = os.Remove(path)
		must(t, os.WriteFile(path, damaged, 0o600))
		db, err := Open(path, Options{FlushInterval: never})
		if err != nil {
			refused++
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrVersion) || !strings.Contains(err.Error(), "delete it") {
				t.Errorf("%s: %v", what, err)
			}
			return
		}
		s := snapshot(t, db)
		sameStates(t, s, log)
		must(t, db.Close())
	}
	for i := 0; i < len(data); i += 13 {
		damaged := append([]byte(nil), data...)
		damaged[i] ^= 1 << (i % 8)
		try(fmt.Sprintf("a flipped bit at byte %d", i), damaged)
	}
	for n := os.Getpagesize(); n < len(data); n += os.Getpagesize() {
		try(fmt.Sprintf("cut to %d bytes", n), data[:n])
	}
	try("something else", []byte("not a projection at all"))
	if refused == 0 {
		t.Error("no damage was ever found")
	}
	t.Logf("%d damaged files of %d bytes were refused", refused, len(data))
}

// TestDamageWhileOpen: a file that rots under an open projection fails reads
// with ErrCorrupt, not the process.
func TestDamageWhileOpen(t *testing.T) {
	data, _ := twoFlushes(t)
	path := filepath.Join(t.TempDir(), "projection")
	must(t, os.WriteFile(path, data, 0o600))
	db := mustOpen(t, path, Options{FlushInterval: never})
	defer func() { _ = db.Close() }()
	s := snapshot(t, db)
	defer s.Close()
	for name, spoil := range map[string]func() error{
		"zeroed":    func() error { return os.WriteFile(path, make([]byte, len(data)), 0o600) },
		"truncated": func() error { return os.Truncate(path, 0) },
	} {
		must(t, spoil())
		if _, _, err := s.Get(spaceA, "t", "row 7 of 1"); !errors.Is(err, ErrCorrupt) {
			t.Errorf("Get from a file that was %s: %v", name, err)
		}
		if _, err := s.Digest(merge.DefaultParams(spaceA)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("Digest of a file that was %s: %v", name, err)
		}
	}
}

// TestLostRows: rows or spaces that are gone without a trace in any other row
// are missed all the same.
func TestLostRows(t *testing.T) {
	for what, lose := range map[string]func(*bbolt.Tx) error{
		"row":   func(tx *bbolt.Tx) error { return tx.Bucket(spaceA[:]).Delete([]byte(merge.RowKey("t", "row 7 of 1"))) },
		"space": func(tx *bbolt.Tx) error { return tx.DeleteBucket(spaceA[:]) },
	} {
		data, _ := twoFlushes(t)
		path := filepath.Join(t.TempDir(), "projection")
		must(t, os.WriteFile(path, data, 0o600))
		edit(t, path, lose)
		if _, err := Open(path, Options{}); !errors.Is(err, ErrCorrupt) {
			t.Errorf("Open of a file that lost a %s: %v", what, err)
		}
	}
}

// edit changes a file behind the projection's back.
func edit(t *testing.T, path string, fn func(*bbolt.Tx) error) {
	t.Helper()
	bolt, err := bbolt.Open(path, 0o600, nil)
	must(t, err)
	must(t, bolt.Update(fn))
	must(t, bolt.Close())
}

func TestOtherVersion(t *testing.T) {
	path := filepath.Join(t.TempDir(), "projection")
	must(t, mustOpen(t, path, Options{}).Close())
	edit(t, path, func(tx *bbolt.Tx) error {
		return tx.Bucket(metaBucket).Put(versionKey, binary.BigEndian.AppendUint64(nil, formatVersion+1))
	})
	if _, err := Open(path, Options{}); !errors.Is(err, ErrVersion) || !strings.Contains(err.Error(), path) {
		t.Errorf("Open of a newer file: %v", err)
	}
}

func TestLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "projection")
	db := mustOpen(t, path, Options{})
	defer func() { _ = db.Close() }()
	if _, err := Open(path, Options{}); !errors.Is(err, ErrLocked) {
		t.Errorf("opening the file twice: %v", err)
	}
}

func TestOptions(t *testing.T) {
	must(t, Options{}.Validate())
	for _, o := range []Options{{FlushBytes: -1}, {MaxBytes: 1}, {FlushInterval: -1}, {FlushBytes: 10, MaxBytes: 9}} {
		if _, err := Open(filepath.Join(t.TempDir(), "p"), o); !errors.Is(err, ErrOptions) {
			t.Errorf("%+v: %v, want ErrOptions", o, err)
		}
	}
	if _, err := Open(filepath.Join(t.TempDir(), "no such folder", "p"), Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
}
