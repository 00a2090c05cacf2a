package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"lightcone/memo"
	"lightcone/p2p/gossip"
	"lightcone/walfs"
)

// sickDisk is the log's disk. It fails syncs, or writes once good of them went
// well, when a test says so.
type sickDisk struct {
	walfs.FS
	syncs *atomic.Bool
	good  *atomic.Int64
}

func newSickDisk() sickDisk {
	d := sickDisk{walfs.OS, new(atomic.Bool), new(atomic.Int64)}
	d.good.Store(1 << 40)
	return d
}

func (d sickDisk) Create(name string) (walfs.File, error) {
	f, err := d.FS.Create(name)
	return sickFile{f, d}, err
}

type sickFile struct {
	walfs.File
	disk sickDisk
}

func (f sickFile) Sync() error {
	if f.disk.syncs.Load() {
		return &fs.PathError{Op: "fdatasync", Path: "segment", Err: syscall.EIO}
	}
	return f.File.Sync()
}

func (f sickFile) WriteAt(p []byte, off int64) (int, error) {
	if off > 0 && f.disk.good.Add(-1) < 0 { // headers are the log's own affair
		return 0, &fs.PathError{Op: "write", Path: "segment", Err: syscall.ENOSPC}
	}
	return f.File.WriteAt(p, off)
}

// readable fails unless the rows can be read and status refuses writes as want.
func readable(t *testing.T, s *Space, want error, rows ...string) {
	t.Helper()
	for _, row := range rows {
		if _, err := s.Get(t.Context(), "t", row); err != nil {
			t.Errorf("row %s: %v", row, err)
		}
	}
	if _, err := s.Digest(t.Context()); err != nil {
		t.Error(err)
	}
	st, err := s.node.Status(t.Context())
	if err != nil || !errors.Is(st.WritesRefused, want) || (want == nil) != (st.WritesRefused == nil) {
		t.Errorf("status: writes are refused because of %v, want %v; %v", st.WritesRefused, want, err)
	}
}

// TestStoppedLog: after a failed sync nothing is acknowledged, whoever asks is told
// why and what to do, and reading goes on. After a restart the node has what it
// acknowledged, and writes.
func TestStoppedLog(t *testing.T) {
	disk, dir := newSickDisk(), t.TempDir()
	n, err := Open(dir, Options{LogFS: disk})
	if err != nil {
		t.Fatal(err)
	}
	s, err := n.CreateSpace("default", Policy{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, put := context.Background(), Fields{"x": memo.Int(1)}
	if _, err := s.Put(ctx, "t", "before", put); err != nil {
		t.Fatal(err)
	}
	readable(t, s, nil, "before")
	disk.syncs.Store(true)
	if r, err := s.Put(ctx, "t", "amid", put); !errors.Is(err, ErrStopped) || r.Outcome != Unknown {
		t.Errorf("the write whose sync failed: outcome %v, %v", r.Outcome, err)
	}
	disk.syncs.Store(false) // nobody knows what was lost: it is too late
	r, err := s.Put(ctx, "t", "after", put)
	if !errors.Is(err, ErrStopped) || r.Outcome != NotCommitted || !strings.Contains(err.Error(), "mend the disk") {
		t.Errorf("the write after it: outcome %v, %v", r.Outcome, err)
	}
	if _, err := n.CreateSpace("other", Policy{}); !errors.Is(err, ErrStopped) {
		t.Errorf("another space: %v", err)
	}
	if _, err := n.Join(ctx, Ticket{}); !errors.Is(err, ErrStopped) {
		t.Errorf("join: %v", err)
	}
	readable(t, s, ErrStopped, "before")
	if err := n.Close(); !errors.Is(err, walfs.ErrStopped) {
		t.Errorf("Close: %v", err)
	}
	n = openNode(t, dir, Options{})
	if s, err = n.OpenSpace("default"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(ctx, "t", "restarted", put); err != nil {
		t.Error(err)
	}
	readable(t, s, nil, "before", "restarted")
	if _, err := s.Get(ctx, "t", "after"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a refused write is there: %v", err)
	}
}

// TestDeliveryCutShort: the disk runs full in the middle of what a peer sent. What
// attached before is read, also after later deliveries and a restart, and the rest
// attaches when it comes again.
func TestDeliveryCutShort(t *testing.T) {
	disk, dir := newSickDisk(), t.TempDir()
	n, err := Open(dir, Options{LogFS: disk})
	if err != nil {
		t.Fatal(err)
	}
	s, err := n.CreateSpace("default", Policy{})
	if err != nil {
		t.Fatal(err)
	}
	var runs []*memo.Run
	var rows []string
	for i := range 4 {
		rows = append(rows, fmt.Sprintf("row %d", i))
		runs = append(runs, foreign(t, s, i, rows[i]))
	}
	give := func(runs ...*memo.Run) *gossip.Attached {
		d := &delivery{runs: runs, done: make(chan *gossip.Attached, 1)}
		if err := n.submit(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		return <-d.done
	}
	disk.good.Store(2)
	if a := give(runs[:3]...); a.Fresh != 2 || a.Bad != nil {
		t.Errorf("two of three found room: %+v", a)
	}
	if _, err := s.Put(t.Context(), "t", "mine", Fields{"x": memo.Int(1)}); !errors.Is(err, ErrDiskFull) {
		t.Errorf("put: %v", err)
	}
	readable(t, s, nil, rows[:2]...)
	disk.good.Store(1 << 40)
	if a := give(runs[3]); a.Fresh != 1 {
		t.Errorf("with room again: %+v", a)
	}
	readable(t, s, nil, rows[0], rows[1], rows[3])
	if a := give(runs...); a.Fresh != 1 || a.Bad != nil {
		t.Errorf("all once more: %+v", a)
	}
	readable(t, s, nil, rows...)
	want, err := s.Digest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = openNode(t, dir, Options{}).OpenSpace("default"); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Digest(t.Context()); err != nil || got != want {
		t.Errorf("after a restart the digest is %x, want %x; %v", got, want, err)
	}
}
