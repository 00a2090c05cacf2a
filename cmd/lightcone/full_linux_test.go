package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lightcone/node/api"
	"lightcone/projection"
)

// smallDisk mounts a disk of so many bytes.
func smallDisk(t *testing.T, size int) string {
	t.Helper()
	dir := t.TempDir()
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size))
	if errors.Is(err, syscall.EPERM) {
		t.Skip("this user may not mount a small disk")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fillDisk takes all but so many bytes of what is free on the disk of dir.
func fillDisk(t *testing.T, dir string, leave int64) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, os.Getpagesize()))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err == nil {
		err = f.Truncate(max(0, info.Size()-leave))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func makeRoom(t *testing.T, dir string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, "filler")); err != nil {
		t.Fatal(err)
	}
}

// fullDisk is a node on a small disk, a replica on a large one, and the rows that
// either acknowledged.
type fullDisk struct {
	*testing.T
	disk  string
	a, b  *upNode
	acked map[string]string
	puts  int
}

// Sizes of values in bytes: to fill the disk, and to see whether it is full.
const bigValue, smallValue = 2000, 200

// write puts values of size bytes until one is refused, or max times.
// It goes round a few rows, so that the log grows and little else.
func (f *fullDisk) write(n *upNode, max, size int) (err error) {
	f.Helper()
	for i := 0; i < max && err == nil; i++ {
		err = f.put(n, fmt.Sprintf("row %02d", f.puts%20), size)
	}
	return err
}

// put writes a row, which only want of room may prevent.
func (f *fullDisk) put(n *upNode, row string, size int) error {
	f.Helper()
	value := fmt.Sprintf("%0*d", size, f.puts)
	err := n.put(f.Context(), row, value)
	switch {
	case err == nil:
		f.acked[row] = value
		f.puts++
	case !isProblem(err, api.DiskFull):
		f.Fatalf("put: %v", err)
	}
	return err
}

// refuses checks what a full node does: it says what is wrong and how to mend it,
// and answers.
func (f *fullDisk) refuses() {
	f.Helper()
	dir := f.a.dir
	_, words := exits(f.T, exitFailed, "--dir", dir, "put", "t/refused", "v=x")
	says(f.T, words, "disk is full", "fix: free some space")
	csv := filepath.Join(f.TempDir(), "refused.csv")
	if err := os.WriteFile(csv, []byte("key,v\nrefused,1\n"), 0o600); err != nil {
		f.Fatal(err)
	}
	_, words = exits(f.T, exitFailed, "--dir", dir, "import", "--topic", "t", csv)
	says(f.T, words, "disk is full", "fix: free some space", "0 rows are committed")
	f.reads()
}

// reads checks that reading works from the command line.
func (f *fullDisk) reads() {
	f.Helper()
	status, _ := exits(f.T, exitOK, "--dir", f.a.dir, "status")
	says(f.T, status, "writes", "refused: ", "disk is full", "free some space")
	count, _ := exits(f.T, exitOK, "--dir", f.a.dir, "scan", "--count")
	if want := fmt.Sprintf("%d\n", len(f.acked)); count != want {
		f.Fatalf("%s rows, want %s", count, want)
	}
	row, _ := exits(f.T, exitOK, "--dir", f.a.dir, "get", "t/row 01")
	says(f.T, row, "00000")
}

// resumes checks that a node writes again by itself, and has all that was
// acknowledged and nothing else, as its replica has.
func (f *fullDisk) resumes() {
	f.Helper()
	eventually(f.T, "writes are accepted with room on the disk", func() bool { return f.write(f.a, 1, smallValue) == nil })
	if err := f.write(f.a, 20, smallValue); err != nil {
		f.Fatal(err)
	}
	eventually(f.T, "the replicas agree", func() bool { return f.a.digest() == f.b.digest() })
	for _, n := range []*upNode{f.a, f.b} {
		if diff := cmp.Diff(f.acked, n.rows()); diff != "" {
			f.Fatalf("%s: - acknowledged + there:\n%s", n.dir, diff)
		}
	}
}

// starveProjection writes new rows and fills the disk to the last byte before the
// projection is written. It is, every few seconds, so this may have to be repeated, and
// more often where this process gets less of its turns than the node.
func (f *fullDisk) starveProjection() {
	f.Helper()
	begun := time.Now()
	for attempt := 0; time.Since(begun) < patience; attempt++ {
		for i := range 30 {
			if err := f.put(f.a, fmt.Sprintf("new %d %d", attempt, i), bigValue); err != nil {
				f.Fatal(err)
			}
		}
		fillDisk(f.T, f.disk, 0)
		for end := time.Now().Add(2 * projection.DefaultFlushInterval); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
			st, err := f.a.Status(f.Context())
			if err != nil {
				f.Fatal(err)
			}
			if strings.Contains(st.WritesRefused, "projection") {
				return
			}
		}
		makeRoom(f.T, f.disk)
	}
	f.Fatal("the projection never found the disk full")
}

// TestFullDisk fills a disk much smaller than a segment of the log, again and
// again: once by writing, once by somebody else to the last byte. The node never
// dies by itself, answers, and takes up writing when there is room. Ended while the
// disk is full, it starts again, or says why not; nothing acknowledged is lost.
func TestFullDisk(t *testing.T) {
	disk := smallDisk(t, 2<<20)
	a := filepath.Join(disk, "a")
	exits(t, exitOK, "--dir", a, "init")
	f := &fullDisk{T: t, disk: disk, a: startNode(t, a), acked: map[string]string{}}
	f.b = enter(t, f.a, filepath.Join(t.TempDir(), "b"))

	t.Log("the node fills the disk")
	fillDisk(t, disk, 500<<10)
	if f.write(f.a, 10_000, bigValue) == nil {
		t.Fatalf("%d writes of %d bytes found room on a disk of 2 MiB", f.puts, bigValue)
	}
	t.Logf("after %d writes", f.puts)
	f.refuses()
	if err := f.write(f.b, 5, smallValue); err != nil { // the other one's business goes on
		t.Fatal(err)
	}
	makeRoom(t, disk)
	f.resumes()

	t.Log("somebody else fills it to the last byte")
	f.starveProjection()
	if f.write(f.a, 1, smallValue) == nil {
		t.Fatal("a write was accepted on a full disk")
	}
	f.refuses()
	makeRoom(t, disk)
	f.resumes()

	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		t.Logf("%v while it is full, and no room to start", signal)
		fillDisk(t, disk, 0)
		f.a.end(signal, exitOK)
		for _, command := range [][]string{{"up"}, {"scan", "--count"}, {"put", "t/refused", "v=x"}} {
			_, words := exits(t, exitFailed, append([]string{"--dir", a}, command...)...)
			says(t, words, "no space left on device", "fix: free some space")
		}
		t.Log("room to start, but not to write")
		fillDisk(t, disk, 300<<10)
		f.reads()
		f.a = startNode(t, a)
		f.refuses()
		makeRoom(t, disk)
		f.resumes()
	}
	f.a.end(syscall.SIGTERM, exitOK)
	f.b.end(syscall.SIGTERM, exitOK)
}
