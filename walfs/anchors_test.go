package walfs_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"lightcone/walfs"
	"lightcone/walfs/walfstest"
)

// TestFaultsOfTheOriginal has a test for each fault that was reproduced in the log
// whose format this is (UnisonDB's WALFS). Their names are those of the list.
func TestFaultsOfTheOriginal(t *testing.T) {
	for name, test := range map[string]func(t *testing.T){
		"disk full → SIGBUS": diskFull,
		"one flipped bit in the middle → opens without error, later records gone, next append overwrites them": flippedBit,
		"a record with CRC 0 ends the log":                               crcZero,
		"after recovery a same-size append brings dead records back":     deadRecords,
		"reopening with a smaller segment size destroys data":            smallerSegments,
		"its inspection command cut a log from 40,000 to 16,512 records": inspection,
		"an oversized put returned an error and was there after restart": oversized,
		"LSNs reused after an uncommitted transaction":                   reusedLSN,
		"Close blocks on an open reader":                                 closeBesideReader,
		"magic and version never checked":                                magicAndVersion,
	} {
		t.Run(name, test)
	}
}

// distinct makes n distinct texts of one length.
func distinct(n, length int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("%0*d", length, i)
	}
	return all
}

func opened(t *testing.T, dir string, o walfs.Options) *walfs.Log {
	t.Helper()
	l, err := walfs.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func appended(t *testing.T, l *walfs.Log, d walfs.Durability, texts ...string) []walfs.Placed {
	t.Helper()
	placed, err := l.Append(d, walfs.Records(texts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return placed
}

func wantTexts(t *testing.T, l *walfs.Log, want []string) {
	t.Helper()
	if got, err := readAll(l); err != nil || !slices.Equal(got, want) {
		t.Fatalf("the log has %s, %v; want %s", brief(got), err, brief(want))
	}
}

// diskFull fills a file system of 256 KiB to the brim, if this process may make
// one; the same with a disk in memory is part of TestEveryFault.
func diskFull(t *testing.T) {
	dir := t.TempDir()
	if err := mountSmall(dir); err != nil {
		t.Logf("no small file system to be had here (%v): see TestEveryFault", err)
		return
	}
	defer unmount(dir)
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 100<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	o := walfs.Options{SegmentSize: 32 << 10}
	l, err := walfs.Open(filepath.Join(dir, "log"), o)
	if err != nil {
		t.Fatal(err)
	}
	var kept []string
	for i := 0; err == nil; i++ {
		text := fmt.Sprintf("%05d", i) + strings.Repeat(".", 3000)
		if _, err = l.Append(walfs.Group, walfs.Records(text)...); err == nil {
			kept = append(kept, text)
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("append to a full disk: %v, want ENOSPC", err)
	}
	wantTexts(t, l, kept)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	appended(t, l, walfs.Group, "there is room again")
	kept = append(kept, "there is room again")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if l, err = walfs.Open(filepath.Join(dir, "log"), o); err != nil {
		t.Fatal(err)
	}
	wantTexts(t, l, kept)
	l.Close()
}

// flippedBit: reported, the records in front of it readable, none overwritten.
// TestEveryBit64K does it to every bit.
func flippedBit(t *testing.T) {
	disk := walfstest.NewDisk()
	l := opened(t, crashDir, options(disk))
	placed := appended(t, l, walfs.Group, distinct(8, 300)...)
	l.Close()
	name := filepath.Join(crashDir, walfs.SegmentName(1))
	disk.Flip(name, int64(placed[3].Pos.Offset+100)*8)
	before := disk.ReadFile(name)
	l, err := walfs.Open(crashDir, options(disk))
	if err == nil {
		_, err = readAll(l)
		l.Append(walfs.Group, walfs.Records("new")...)
		l.Close()
	}
	if !errors.As(err, new(*walfs.DamageError)) {
		t.Fatalf("one bit flipped: %v, want a DamageError", err)
	}
	from := placed[3].Pos.Offset
	if after := disk.ReadFile(name); !slices.Equal(before[headerSize:from], after[headerSize:from]) ||
		!slices.Equal(before[from:placed[7].Pos.Offset], after[from:placed[7].Pos.Offset]) {
		t.Fatal("records were overwritten")
	}
}

// crcZero: TestCRCZero solves for such a record; here it is found behind others and
// in front of others, in the next opening too.
func crcZero(t *testing.T) {
	disk := walfstest.NewDisk()
	l := opened(t, crashDir, options(disk))
	want := []string{"before", walfs.ZeroCRCData(t, 2, 1), "behind"}
	appended(t, l, walfs.Group, want[0])
	placed := appended(t, l, walfs.Group, want[1:]...)
	l.Close()
	at := placed[0].Pos.Offset
	if crc := disk.ReadFile(filepath.Join(crashDir, walfs.SegmentName(1)))[at : at+4]; string(crc) != "\x00\x00\x00\x00" {
		t.Fatalf("the CRC is %x, the test wants 0", crc)
	}
	wantTexts(t, opened(t, crashDir, options(disk)), want)
}

// deadRecords: a torn record takes those behind it along for good.
func deadRecords(t *testing.T) {
	disk := walfstest.NewDisk()
	l := opened(t, crashDir, options(disk))
	var placed []walfs.Placed
	for _, text := range distinct(5, 100) {
		placed = append(placed, appended(t, l, walfs.None, text)...)
	}
	disk.Flip(filepath.Join(crashDir, walfs.SegmentName(1)), int64(placed[1].Pos.Offset+40)*8)
	disk = disk.Kill()
	l = opened(t, crashDir, options(disk))
	want := []string{distinct(1, 100)[0], strings.Repeat("n", 100)}
	appended(t, l, walfs.Group, want[1])
	wantTexts(t, opened(t, crashDir, options(disk.Kill())), want)
}

// smallerSegments: a segment's own size rules.
func smallerSegments(t *testing.T) {
	disk := walfstest.NewDisk()
	want := distinct(90, 500)
	for i, size := range []int64{64 << 10, walfs.MinSegmentSize, 16 << 10} {
		o := options(disk)
		o.SegmentSize = size
		l := opened(t, crashDir, o)
		for _, text := range want[i*30 : i*30+30] {
			appended(t, l, walfs.None, text)
		}
		l.Close()
	}
	wantTexts(t, opened(t, crashDir, options(disk)), want)
}

// inspection: opening a sound log, reading it and closing it loses nothing and
// moves nothing, however often.
func inspection(t *testing.T) {
	disk := walfstest.NewDisk()
	l := opened(t, crashDir, options(disk))
	want := distinct(40, 500)
	for _, text := range want {
		appended(t, l, walfs.None, text)
	}
	l.Close()
	before := contents(disk)
	for range 3 {
		l := opened(t, crashDir, options(disk))
		wantTexts(t, l, want)
		l.Close()
	}
	if !maps.Equal(before, contents(disk)) {
		t.Fatal("looking at the log changed it")
	}
}

// oversized: what was refused is not there, now or later.
func oversized(t *testing.T) {
	disk := walfstest.NewDisk()
	l := opened(t, crashDir, options(disk))
	appended(t, l, walfs.Group, "before")
	for _, batch := range [][]string{
		{strings.Repeat("x", walfs.MinSegmentSize)},
		{"fits", strings.Repeat("x", walfs.MinSegmentSize)},
	} {
		if _, err := l.Append(walfs.Group, walfs.Records(batch...)...); !errors.Is(err, walfs.ErrTooLarge) {
			t.Fatalf("an oversized record: %v, want ErrTooLarge", err)
		}
	}
	appended(t, l, walfs.Group, "behind")
	wantTexts(t, l, []string{"before", "behind"})
	l.Close()
	wantTexts(t, opened(t, crashDir, options(disk)), []string{"before", "behind"})
}

// reusedLSN: the LSNs of a batch that failed go to the next one. Nobody has seen
// them under the other name: not a reader at the live end, and no later opening.
func reusedLSN(t *testing.T) {
	disk := walfstest.NewDisk()
	full := false
	l := opened(t, crashDir, options(walfstest.Faults{FS: disk, Decide: func(c walfstest.Call) walfstest.Fate {
		if full && c.Op == walfstest.Write && c.Size > headerSize {
			full = false
			return walfstest.Fate{Err: syscall.ENOSPC, Late: true}
		}
		return walfstest.Fate{}
	}}))
	r, err := l.Reader(walfs.Position{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	full = true
	if _, err := l.Append(walfs.Group, walfs.Records("dead", "dead")...); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("append to a full disk: %v", err)
	}
	if e, err := r.Next(); !errors.Is(err, walfs.ErrNoNewData) {
		t.Fatalf("a reader sees %q of a batch that failed, %v", e.Data, err)
	}
	if placed := appended(t, l, walfs.Group, "live"); placed[0].LSN != 1 {
		t.Fatalf("placed at %+v, want LSN 1: numbers have no gaps", placed[0])
	}
	for range 3 {
		if e, err := r.Next(); err == nil && string(e.Data) != "live" {
			t.Fatalf("the reader sees %q", e.Data)
		}
	}
	wantTexts(t, opened(t, crashDir, options(disk.Kill())), []string{"live"})
}

// closeBesideReader: readers learn of it, nobody waits for them.
func closeBesideReader(t *testing.T) {
	l := opened(t, crashDir, options(walfstest.NewDisk()))
	appended(t, l, walfs.None, "one", "two")
	r, err := l.Reader(walfs.Position{})
	if err != nil {
		t.Fatal(err)
	}
	e, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	waiting := make(chan error)
	at, err := l.Reader(walfs.Position{Segment: 1, Offset: uint64(l.Size())})
	if err != nil {
		t.Fatal(err)
	}
	go func() { waiting <- at.Wait(t.Context()) }()
	if err := withDeadline(l.Close); err != nil {
		t.Fatal(err)
	}
	if err := <-waiting; !errors.Is(err, walfs.ErrClosed) {
		t.Fatalf("a reader that waited: %v", err)
	}
	if _, err := r.Next(); !errors.Is(err, walfs.ErrClosed) || string(e.Data) != "one" {
		t.Fatalf("a reader half-way: %v; its record reads %q", err, e.Data)
	}
}

// magicAndVersion: a file that is no segment of this format is refused and left
// alone.
func magicAndVersion(t *testing.T) {
	name := filepath.Join(crashDir, walfs.SegmentName(1))
	for field, at := range map[string]int{"magic": 0, "version": 4} {
		disk := walfstest.NewDisk()
		l := opened(t, crashDir, options(disk))
		appended(t, l, walfs.Group, "x")
		l.Close()
		b := disk.ReadFile(name)
		b[at] = 99
		walfs.FixHeader(b)
		disk.WriteFile(name, b)
		l, err := walfs.Open(crashDir, options(disk))
		if err == nil {
			l.Close()
			t.Fatalf("%s: opened", field)
		}
		if !errors.As(err, new(*walfs.DamageError)) || errors.Is(err, walfs.ErrVersion) != (field == "version") {
			t.Fatalf("%s: %v", field, err)
		}
		if !slices.Equal(b, disk.ReadFile(name)) {
			t.Fatalf("%s: refused, yet changed", field)
		}
	}
}
