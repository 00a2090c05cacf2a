package projection

import (
	"os"
	"path/filepath"
	"testing"

	"lightcone/memo"
)

// TestMemory: without a file nothing is flushed, nothing waits for a flush, however much
// there is, and nothing is left.
func TestMemory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "projection")
	db := mustOpen(t, path, Options{Memory: true, FlushBytes: 1, MaxBytes: 1})
	for lsn := uint64(1); lsn <= 50; lsn++ {
		must(t, db.Apply(lsn, []Change{edits(memo.Time(lsn), "x", "a", "b")}))
	}
	must(t, db.Flush())
	s := snapshot(t, db)
	if rows := states(t, s, spaceA); len(rows) != 2 || s.LSN() != 50 || db.Applied() != 0 {
		t.Errorf("%d rows at LSN %d, %d applied; want 2 at 50, none applied", len(rows), s.LSN(), db.Applied())
	}
	s.Close()
	must(t, db.Close())
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("a file is left: %v", err)
	}
	if db = mustOpen(t, path, Options{Memory: true}); db.Applied() != 0 {
		t.Error("a projection in memory came back")
	}
	must(t, db.Close())
}
