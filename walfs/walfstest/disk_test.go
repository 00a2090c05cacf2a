package walfstest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"lightcone/walfs"
)

const dir = "/d"

var name = filepath.Join(dir, "f")

// written makes a file with a synced name and synced content, and an unsynced
// write over it.
func written(t *testing.T, durable, unsynced []byte) (*Disk, walfs.File) {
	t.Helper()
	d := NewDisk()
	f := must(d.Create(name))(t)
	check(t, d.SyncDir(dir))
	must(f.WriteAt(durable, 0))(t)
	check(t, f.Sync())
	must(f.WriteAt(unsynced, 0))(t)
	return d, f
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		check(t, err)
		return v
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestUnsyncedWritesAreLost: a disk that loses nothing is caught here, and so is
// one that loses what was synced.
func TestUnsyncedWritesAreLost(t *testing.T) {
	old, new := bytes.Repeat([]byte("o"), 3*SectorSize), bytes.Repeat([]byte("n"), 3*SectorSize)
	d, f := written(t, old, new)
	if got := d.PowerCut(Nothing).ReadFile(name); !bytes.Equal(got, old) {
		t.Error("Nothing: the unsynced write survived, or the synced one did not")
	}
	if got := d.PowerCut(Everything).ReadFile(name); !bytes.Equal(got, new) {
		t.Error("Everything: the unsynced write is lost")
	}
	if got := d.Kill().ReadFile(name); !bytes.Equal(got, new) {
		t.Error("Kill lost a write")
	}
	if got := d.Kill().PowerCut(Nothing).ReadFile(name); !bytes.Equal(got, old) {
		t.Error("Kill made a write durable")
	}
	mixes := map[string]bool{}
	for seed := range uint64(200) {
		got := d.PowerCut(Luck(rand.New(rand.NewPCG(seed, 0)))).ReadFile(name)
		shape := ""
		for s := 0; s < len(got); s += SectorSize {
			sector := got[s : s+SectorSize]
			if !bytes.Equal(sector, old[:SectorSize]) && !bytes.Equal(sector, new[:SectorSize]) {
				t.Fatalf("seed %d tore a sector", seed)
			}
			shape += string(sector[:1])
		}
		mixes[shape] = true
	}
	if len(mixes) != 8 {
		t.Errorf("luck found %d mixes of three sectors, want 8: %v", len(mixes), mixes)
	}
	check(t, f.Sync())
	if got := d.PowerCut(Nothing).ReadFile(name); !bytes.Equal(got, new) {
		t.Error("a synced write is lost")
	}
}

// TestVersionsOfASector: each version written since the last sync may be the one
// that survives.
func TestVersionsOfASector(t *testing.T) {
	d, f := written(t, []byte("0"), []byte("1"))
	must(f.WriteAt([]byte("2"), 0))(t)
	seen := map[string]bool{}
	for v := range 3 {
		seen[string(d.PowerCut(func(n int) int { return min(v, n-1) }).ReadFile(name))] = true
	}
	if len(seen) != 3 {
		t.Errorf("three versions, survivors %v", seen)
	}
}

// TestUnsyncedLength: a file that grew may be of the old length.
func TestUnsyncedLength(t *testing.T) {
	d, f := written(t, []byte("short"), []byte("s"))
	check(t, f.Allocate(1000))
	if n := len(d.PowerCut(Nothing).ReadFile(name)); n != 5 {
		t.Errorf("unsynced length survived: %d bytes, want 5", n)
	}
	check(t, f.Sync())
	if n := len(d.PowerCut(Nothing).ReadFile(name)); n != 1000 {
		t.Errorf("synced length is lost: %d bytes, want 1000", n)
	}
}

// TestUnsyncedEntries: names come and go with SyncDir alone.
func TestUnsyncedEntries(t *testing.T) {
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	other := filepath.Join("/other", "x")
	d := NewDisk()
	f := must(d.Create(a))(t)
	must(f.WriteAt([]byte("content"), 0))(t)
	check(t, f.Sync())
	must(d.Create(other))(t)
	names := func(pick Pick) string { return fmt.Sprint(d.PowerCut(pick).Names()) }
	want := func(step string, nothing, everything string) {
		t.Helper()
		if got := names(Nothing); got != nothing {
			t.Errorf("%s, nothing survives: %s, want %s", step, got, nothing)
		}
		if got := names(Everything); got != everything {
			t.Errorf("%s, everything survives: %s, want %s", step, got, everything)
		}
		if got := d.Kill().PowerCut(Nothing).Names(); fmt.Sprint(got) != nothing {
			t.Errorf("%s: Kill made entries durable: %s", step, got)
		}
	}
	want("create", "[]", "[/d/a /other/x]")
	check(t, d.SyncDir(dir))
	want("syncdir", "[/d/a]", "[/d/a /other/x]")
	check(t, d.Rename(a, b))
	want("rename", "[/d/a]", "[/d/b /other/x]")
	check(t, d.SyncDir(dir))
	check(t, d.Remove(b))
	want("remove", "[/d/b]", "[/other/x]")
	check(t, d.SyncDir(dir))
	want("syncdir", "[]", "[/other/x]")
}

// TestForgetWrites: programs read what no sync will write.
func TestForgetWrites(t *testing.T) {
	d, f := written(t, []byte("old"), []byte("new"))
	d.ForgetWrites(name)
	check(t, f.Sync())
	if got := string(d.Kill().ReadFile(name)); got != "new" {
		t.Errorf("programs read %q, want new", got)
	}
	if got := string(d.PowerCut(Everything).ReadFile(name)); got != "old" {
		t.Errorf("the platter holds %q, want old", got)
	}
}

// TestCrashesAreCopies: what happens to one disk afterwards is nothing to another.
func TestCrashesAreCopies(t *testing.T) {
	d, _ := written(t, []byte("old"), []byte("new"))
	for _, crash := range []func() *Disk{d.Kill, func() *Disk { return d.PowerCut(Everything) }} {
		c := crash()
		f := must(c.Open(name))(t)
		must(f.WriteAt([]byte("xxx"), 0))(t)
		check(t, f.Sync())
		check(t, c.Remove(name))
	}
	if got := string(d.ReadFile(name)); got != "new" {
		t.Errorf("the first disk has %q, want new", got)
	}
	if got := string(d.PowerCut(Nothing).ReadFile(name)); got != "old" {
		t.Errorf("the first disk's platter has %q, want old", got)
	}
}

// TestMapShowsWrites: mapped memory is the file, not a copy of it.
func TestMapShowsWrites(t *testing.T) {
	d, f := written(t, []byte("old"), nil)
	b, unmap, err := f.Map(3)
	check(t, err)
	must(f.WriteAt([]byte("new"), 0))(t)
	if string(b) != "new" {
		t.Errorf("mapped bytes are %q after a write, want new", b)
	}
	check(t, unmap())
	if _, _, err := must(d.Open(name))(t).Map(4); err == nil {
		t.Error("mapped more than there is")
	}
}

func TestFlip(t *testing.T) {
	d, f := written(t, []byte("aa"), nil)
	d.Flip(name, 8)
	b := make([]byte, 2)
	must(f.ReadAt(b, 0))(t)
	if string(b) != "a`" || string(d.PowerCut(Nothing).ReadFile(name)) != "a`" {
		t.Errorf("bit 8 flipped: %q, durable %q", b, d.PowerCut(Nothing).ReadFile(name))
	}
}

func TestWriteFile(t *testing.T) {
	d := NewDisk()
	must(d.Create(name))(t)
	d.WriteFile(name, []byte("x"))
	if got := d.PowerCut(Nothing).ReadFile(name); string(got) != "x" {
		t.Errorf("a file somebody left there reads %q after a power cut", got)
	}
	if d.ReadFile("/d/absent") != nil {
		t.Error("read a file that is not there")
	}
}

// TestWatchSeesEveryStep: a step nobody is told of would be a boundary nobody
// crashes at.
func TestWatchSeesEveryStep(t *testing.T) {
	d := NewDisk()
	var steps []Op
	d.Watch(func(c Call) { steps = append(steps, c.Op); d.PowerCut(Nothing) })
	f := must(d.Create(name))(t)
	check(t, f.Allocate(10))
	must(f.WriteAt([]byte("x"), 0))(t)
	check(t, f.Sync())
	check(t, d.Rename(name, name+"2"))
	check(t, d.SyncDir(dir))
	check(t, d.Remove(name+"2"))
	if got, want := fmt.Sprint(steps), "[create allocate write sync rename syncdir remove]"; got != want {
		t.Errorf("steps %s, want %s", got, want)
	}
}

// TestLikeTheSystem does the same random things to a Disk and to the file system
// of the machine: what programs see must not differ.
func TestLikeTheSystem(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		root := t.TempDir()
		sides := []walfs.FS{NewDisk(), walfs.OS}
		files := []map[string]walfs.File{{}, {}}
		both := func(rt *rapid.T, op func(side int) string) {
			if a, b := op(0), op(1); a != b {
				rt.Fatalf("Disk: %s; system: %s", a, b)
			}
		}
		path := rapid.Map(rapid.SampledFrom([]string{"a", "b", "c"}), func(s string) string { return filepath.Join(root, s) })
		open := func(op func(walfs.FS, string) (walfs.File, error)) func(*rapid.T) {
			return func(rt *rapid.T) {
				p := path.Draw(rt, "file")
				both(rt, func(i int) string {
					f, err := op(sides[i], p)
					if old := files[i][p]; err == nil && old != nil {
						old.Close()
					}
					if err == nil {
						files[i][p] = f
					}
					return verdict(err)
				})
			}
		}
		use := func(op func(rt *rapid.T) func(walfs.File) string) func(*rapid.T) {
			return func(rt *rapid.T) {
				p, do := path.Draw(rt, "file"), op(rt)
				if files[0][p] != nil {
					both(rt, func(i int) string { return do(files[i][p]) })
				}
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"create": open(walfs.FS.Create),
			"open":   open(walfs.FS.Open),
			"rename": func(rt *rapid.T) {
				from, to := path.Draw(rt, "from"), path.Draw(rt, "to")
				both(rt, func(i int) string { return verdict(sides[i].Rename(from, to)) })
			},
			"remove": func(rt *rapid.T) {
				p := path.Draw(rt, "file")
				both(rt, func(i int) string { return verdict(sides[i].Remove(p)) })
			},
			"write": use(writing),
			"read":  use(reading),
			"": func(rt *rapid.T) {
				both(rt, func(i int) string { names, err := sides[i].List(root); return fmt.Sprint(names, err) })
			},
		})
		for _, side := range files {
			for _, f := range side {
				f.Close()
			}
		}
		names, _ := walfs.OS.List(root)
		for _, n := range names {
			walfs.OS.Remove(filepath.Join(root, n))
		}
	})
}

func writing(rt *rapid.T) func(walfs.File) string {
	b := rapid.SliceOfN(rapid.Byte(), 0, 1200).Draw(rt, "bytes")
	off := rapid.Int64Range(0, 2000).Draw(rt, "offset")
	return func(f walfs.File) string {
		n, err := f.WriteAt(b, off)
		return fmt.Sprint(n, err)
	}
}

func reading(rt *rapid.T) func(walfs.File) string {
	b := make([]byte, rapid.IntRange(0, 1200).Draw(rt, "length"))
	off := rapid.Int64Range(0, 2000).Draw(rt, "offset")
	return func(f walfs.File) string {
		n, err := f.ReadAt(b, off)
		size, sizeErr := f.Size()
		return fmt.Sprint(n, err, b[:n], size, sizeErr)
	}
}

// verdict is an error without the words of the system it comes from.
func verdict(err error) string {
	switch {
	case err == nil:
		return "done"
	case errors.Is(err, fs.ErrExist):
		return "exists"
	case errors.Is(err, fs.ErrNotExist):
		return "missing"
	case errors.Is(err, io.EOF):
		return "end"
	}
	return err.Error()
}

// TestSum: disks that differ in anything a crash can show have different sums.
func TestSum(t *testing.T) {
	d, f := written(t, []byte("old"), []byte("new"))
	seen := map[uint64]string{}
	note := func(what string) {
		t.Helper()
		sum := d.Sum()
		if before, ok := seen[sum]; ok {
			t.Errorf("%s and %s have the same sum", before, what)
		}
		seen[sum] = what
		if d.Kill().Sum() != sum {
			t.Errorf("%s: the same disk after a kill has another sum", what)
		}
	}
	note("unsynced")
	must(f.WriteAt([]byte("new"), 0))(t)
	note("written twice")
	check(t, f.Sync())
	note("synced")
	check(t, f.Allocate(5))
	note("longer")
	must(d.Create(name + "2"))(t)
	note("with another file")
	check(t, d.SyncDir(dir))
	note("with that entry synced")
}
