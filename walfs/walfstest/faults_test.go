package walfstest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"lightcone/walfs"
)

var errDisk = errors.New("input/output error")

// everyOp does each operation of an FS and File once, on a file that is there.
func everyOp(f walfs.FS) map[Op]func() error {
	open := func() (walfs.File, error) { return f.Open(name) }
	with := func(use func(walfs.File) error) func() error {
		return func() error {
			file, err := open()
			if err != nil {
				return fmt.Errorf("not even opened: %w", errors.ErrUnsupported)
			}
			return use(file)
		}
	}
	return map[Op]func() error{
		Mkdir:    func() error { return f.MkdirAll(dir) },
		List:     func() error { _, err := f.List(dir); return err },
		Open:     func() error { _, err := open(); return err },
		Create:   func() error { _, err := f.Create(name + "new"); return err },
		Rename:   func() error { return f.Rename(name, name) },
		Remove:   func() error { return f.Remove(name) },
		SyncDir:  func() error { return f.SyncDir(dir) },
		Read:     with(func(f walfs.File) error { _, err := f.ReadAt(make([]byte, 1), 0); return err }),
		Write:    with(func(f walfs.File) error { _, err := f.WriteAt([]byte("x"), 0); return err }),
		Map:      with(func(f walfs.File) error { _, _, err := f.Map(1); return err }),
		Size:     with(func(f walfs.File) error { _, err := f.Size(); return err }),
		Allocate: with(func(f walfs.File) error { return f.Allocate(100) }),
		Sync:     with(walfs.File.Sync),
		Close:    with(walfs.File.Close),
	}
}

// TestEveryOpFails: each operation can be made to fail, alone, and changes nothing
// then.
func TestEveryOpFails(t *testing.T) {
	for op := range everyOp(NewDisk()) {
		d, _ := written(t, []byte("content"), nil)
		before := fmt.Sprint(d.Names(), d.ReadFile(name))
		fired := false
		ops := everyOp(Faults{d, func(c Call) Fate {
			if c.Op == op {
				fired = true
				return Fate{Err: errDisk}
			}
			return Fate{}
		}})
		if err := ops[op](); !errors.Is(err, errDisk) || !fired {
			t.Errorf("%s: %v", op, err)
		}
		if after := fmt.Sprint(d.Names(), d.ReadFile(name)); after != before {
			t.Errorf("%s failed and changed the disk: %s", op, after)
		}
		delete(ops, op)
		delete(ops, Remove) // would take the file from the others
		for other, do := range ops {
			if err := do(); err != nil && op != Open {
				t.Errorf("%s fails, and so does %s: %v", op, other, err)
			}
		}
	}
}

// TestShortWrite: the second of two writes fails and has written whole sectors, at
// most half of what it should.
func TestShortWrite(t *testing.T) {
	for _, c := range []struct{ off, size, want int }{
		{0, SectorSize, 0},
		{0, 2 * SectorSize, SectorSize},
		{0, 5 * SectorSize, 2 * SectorSize},
		{100, 2 * SectorSize, SectorSize - 100},
		{100, 64, 0},
		{0, 1, 0},
	} {
		d, _ := written(t, bytes.Repeat([]byte("a"), 10*SectorSize), nil)
		decide, seen := Nth(2, Fate{Err: errDisk, Short: true}, Write)
		f := must(Faults{d, decide}.Open(name))(t)
		must(f.WriteAt([]byte("b"), 9*SectorSize))(t)
		if n, err := f.WriteAt(bytes.Repeat([]byte("c"), c.size), int64(c.off)); n != c.want || !errors.Is(err, errDisk) {
			t.Errorf("%d bytes at %d: %d, %v; want %d and the error", c.size, c.off, n, err, c.want)
		}
		if got := bytes.Count(d.ReadFile(name), []byte("c")); got != c.want || seen() != 2 {
			t.Errorf("%d bytes at %d: %d arrived, want %d; %d writes counted, want 2", c.size, c.off, got, c.want, seen())
		}
	}
}

// TestLate: it happened, and nobody can know.
func TestLate(t *testing.T) {
	d, _ := written(t, []byte("aaaa"), nil)
	decide, _ := Nth(1, Fate{Err: errDisk, Late: true}, Write)
	f := must(Faults{d, decide}.Open(name))(t)
	if _, err := f.WriteAt([]byte("bbbb"), 0); !errors.Is(err, errDisk) {
		t.Errorf("late write: %v", err)
	}
	decide, _ = Nth(1, Fate{Err: errDisk, Late: true}, Rename)
	if err := (Faults{d, decide}).Rename(name, name+"2"); !errors.Is(err, errDisk) {
		t.Errorf("late rename: %v", err)
	}
	if got := string(d.ReadFile(name + "2")); got != "bbbb" {
		t.Errorf("both were to happen, yet the new name has %q", got)
	}
}

// TestLie: a sync that did nothing says that it did, and a power cut tells.
func TestLie(t *testing.T) {
	d, _ := written(t, []byte("old"), []byte("new"))
	decide, _ := Nth(1, Fate{Lie: true}, Sync)
	f := must(Faults{d, decide}.Open(name))(t)
	check(t, f.Sync())
	if got := string(d.PowerCut(Nothing).ReadFile(name)); got != "old" {
		t.Errorf("the sync was a lie, yet the platter has %q", got)
	}
	check(t, f.Sync())
	if got := string(d.PowerCut(Nothing).ReadFile(name)); got != "new" {
		t.Errorf("the second sync was honest, yet the platter has %q", got)
	}
}

// TestCallsAreNamed: a Decide can tell one file from another.
func TestCallsAreNamed(t *testing.T) {
	d, _ := written(t, []byte("content"), nil)
	var calls []string
	f := Faults{d, func(c Call) Fate { calls = append(calls, fmt.Sprint(c.Op, " ", c.Name, " ", c.Size)); return Fate{} }}
	file := must(f.Open(name))(t)
	must(file.WriteAt(make([]byte, 7), 0))(t)
	check(t, f.Rename(name, name+"2"))
	want := "open /d/f 0, write /d/f 7, rename /d/f 0"
	if got := strings.Join(calls, ", "); got != want {
		t.Errorf("calls %s, want %s", got, want)
	}
}
