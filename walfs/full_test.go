package walfs

import (
	"io/fs"
	"path/filepath"
	"syscall"
	"testing"
)

// smallDisk has room for so many bytes of segments.
type smallDisk struct {
	FS
	room *int64
	made *[]int64 // sizes of the segments, in order
}

func (d smallDisk) Create(name string) (File, error) {
	f, err := d.FS.Create(name)
	return smallDiskFile{f, d}, err
}

type smallDiskFile struct {
	File
	disk smallDisk
}

func (f smallDiskFile) Allocate(size int64) error {
	if size > *f.disk.room {
		return &fs.PathError{Op: "fallocate", Path: "segment", Err: syscall.ENOSPC}
	}
	*f.disk.room -= size
	*f.disk.made = append(*f.disk.made, size)
	return f.File.Allocate(size)
}

// TestSegmentsShrinkToFit: a log starts on a disk smaller than a segment, uses up
// what is there in ever smaller ones, then refuses, and goes back to the full size
// once there is room. What it acknowledged is there when it is opened again.
func TestSegmentsShrinkToFit(t *testing.T) {
	const segment, room = 1 << 20, 300_000
	disk := smallDisk{FS: OS, room: new(int64(room)), made: new([]int64)}
	dir := filepath.Join(t.TempDir(), "wal")
	l, err := Open(dir, Options{SegmentSize: segment, FS: disk})
	if err != nil {
		t.Fatal(err)
	}
	appended := 0
	fill := func() (err error) {
		for err == nil {
			if _, err = l.Append(None, Record{KindRun, make([]byte, 1000)}); err == nil {
				appended++
			}
		}
		return err
	}
	if err := fill(); !NoSpace(err) {
		t.Fatalf("append to a full disk: %v", err)
	}
	if *disk.room >= 2*MinSegmentSize {
		t.Errorf("%d bytes of the disk were left when the log refused; segments %v", *disk.room, *disk.made)
	}
	big := Record{KindRun, make([]byte, 100_000)}
	*disk.room = 150_000 // between an eighth and a fourth of it
	if _, err := l.Append(Group, big); err != nil {
		t.Fatalf("append what there is room for: %v", err)
	}
	if made := *disk.made; made[len(made)-1] != segment/8 {
		t.Errorf("segments %v, the last should be %d", made, segment/8)
	}
	*disk.room = 60_000 // not enough for another
	if _, err := l.Append(Group, big); !NoSpace(err) {
		t.Fatalf("append what there is no room for: %v", err)
	}
	*disk.room = 2 * segment
	if _, err := l.Append(Group, big); err != nil {
		t.Fatalf("append with room again: %v", err)
	}
	if made := *disk.made; made[len(made)-1] != segment {
		t.Errorf("segments %v, the last should be %d", made, segment)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if l, err = Open(dir, Options{}); err != nil {
		t.Fatal(err)
	}
	if l.Last() != LSN(appended)+2 {
		t.Errorf("%d records came back of %d", l.Last(), appended+2)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}
