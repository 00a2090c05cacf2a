package walfs_test

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lightcone/walfs"
	"lightcone/walfs/walfstest"
)

// picture is a directory as a camera sees it: contents, and when they changed.
func picture(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := walfs.Files(t, dir)
	for name := range all {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		all[name] += info.ModTime().Format(time.RFC3339Nano) + info.Mode().String()
	}
	info, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	all["."] = info.ModTime().Format(time.RFC3339Nano)
	return all
}

// looked opens a log degraded, on a file system that refuses to be changed, and
// lets f look at it.
func looked(t *testing.T, dir string, f func(l *walfs.Log)) {
	t.Helper()
	before := picture(t, dir)
	o := walfs.Options{Degraded: true, FS: hook(func(op walfstest.Op, name string) error {
		switch op {
		case walfstest.List, walfstest.Open, walfstest.Size, walfstest.Read, walfstest.Map, walfstest.Close:
		default:
			t.Errorf("%s of %s", op, name)
		}
		return nil
	})}
	l, err := walfs.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	f(l)
	walfs.MustClose(t, l)
	if diff := cmp.Diff(before, picture(t, dir)); diff != "" {
		t.Fatalf("looking changed something (-before +after):\n%s", diff)
	}
}

// four makes a log of four segments with two records each, and returns what is
// left when its process is killed: no mark in the last segment, and a torn tail.
func four(t *testing.T) string {
	t.Helper()
	live := t.TempDir()
	l := walfs.MustOpen(t, live, walfs.Small)
	var last walfs.Placed
	for _, s := range walfs.Numbered(8, 1500) {
		last = walfs.MustAppend(t, l, walfs.None, s)[0]
	}
	end := segmentsOf(t, l)[3].End
	if last.Pos.Segment != 4 || last.LSN != 8 {
		t.Fatalf("%d segments, %d records", last.Pos.Segment, last.LSN)
	}
	dir := walfs.CopyDir(t, live)
	walfs.Patch(t, walfs.SegmentPath(dir, 4), end, "torn")
	for _, name := range []string{walfs.SegmentPath(dir, 5) + walfs.TempSuffix, filepath.Join(dir, "00000000000000000001-64.torn")} {
		if err := os.WriteFile(name, []byte("left by a crash"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// remove, header and shorten ruin a file of a log.
func remove(id uint64) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		if err := os.Remove(walfs.SegmentPath(dir, id)); err != nil {
			t.Fatal(err)
		}
	}
}

func ruinHeader(id uint64) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) { walfs.Patch(t, walfs.SegmentPath(dir, id), 24, "\xff\xff") }
}

func shorten(id uint64, size int64) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		if err := os.Truncate(walfs.SegmentPath(dir, id), size); err != nil {
			t.Fatal(err)
		}
	}
}

func allOf(fs ...func(t *testing.T, dir string)) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		for _, f := range fs {
			f(t, dir)
		}
	}
}

// ruins are what may be left of the log that four makes.
var ruins = map[string]struct {
	damage func(t *testing.T, dir string)
	want   []walfs.LSN
	met    int // damages at open
	lost   []walfs.LSN
}{
	"nothing":             {func(*testing.T, string) {}, walfs.LSNRange(1, 8), 0, nil},
	"first file":          {remove(1), walfs.LSNRange(3, 8), 0, nil},
	"middle file":         {remove(2), walfs.Without(8, 3, 4), 1, []walfs.LSN{3, 4}},
	"two middle files":    {allOf(remove(2), remove(3)), walfs.Without(8, 3, 4, 5, 6), 1, []walfs.LSN{3, 4, 5, 6}},
	"first header":        {ruinHeader(1), walfs.LSNRange(1, 8), 1, nil},
	"middle header":       {ruinHeader(3), walfs.LSNRange(1, 8), 1, nil},
	"last header":         {ruinHeader(4), walfs.LSNRange(1, 8), 1, nil},
	"all headers":         {allOf(ruinHeader(1), ruinHeader(2), ruinHeader(3), ruinHeader(4)), walfs.LSNRange(1, 8), 4, nil},
	"header behind a gap": {allOf(remove(2), ruinHeader(3)), walfs.Without(8, 3, 4), 2, nil}, // nobody knows how many
	"gap behind header":   {allOf(remove(3), ruinHeader(2)), walfs.Without(8, 5, 6), 2, []walfs.LSN{5, 6}},
	"short file":          {shorten(2, 30), walfs.Without(8, 3, 4), 1, []walfs.LSN{3, 4}},
	"empty file":          {shorten(3, 0), walfs.Without(8, 5, 6), 1, []walfs.LSN{5, 6}},
	"empty last file":     {shorten(4, 0), walfs.Without(6), 1, nil},
	"cut below its mark":  {shorten(2, 2000), walfs.Without(8, 4), 1, []walfs.LSN{4}},
	"header and record": {
		allOf(ruinHeader(2), func(t *testing.T, dir string) { walfs.Patch(t, walfs.SegmentPath(dir, 2), 200, "X") }),
		walfs.Without(8, 3), 1,
		[]walfs.LSN{3},
	},
	"another log's file": {func(t *testing.T, dir string) {
		if err := os.WriteFile(walfs.SegmentPath(dir, 3), []byte(walfs.ReadFile(t, walfs.SegmentPath(dir, 1))), 0o600); err != nil {
			t.Fatal(err)
		}
	}, walfs.Without(8, 5, 6), 1, []walfs.LSN{5, 6}},
}

func TestDegraded(t *testing.T) {
	for name, c := range ruins {
		t.Run(name, func(t *testing.T) {
			dir := four(t)
			c.damage(t, dir)
			looked(t, dir, func(l *walfs.Log) {
				if got := len(l.Recovery().Damage); got != c.met {
					t.Errorf("%d damages at open, want %d: %v", got, c.met, l.Recovery().Damage)
				}
				got, lost := walfs.Salvage(t, l)
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("records (-want +got):\n%s", diff)
				}
				var gone []walfs.LSN
				for _, x := range lost {
					if x.Last != walfs.UnknownLSN {
						gone = append(gone, walfs.LSNRange(x.First, x.Last)...)
					}
				}
				if diff := cmp.Diff(c.lost, gone); diff != "" {
					t.Errorf("lost (-want +got):\n%s\n%v", diff, lost)
				}
			})
			if c.met > 0 { // and without being asked for it, nobody reads such a log
				before := picture(t, dir)
				if _, err := walfs.Open(dir, walfs.Small); !errors.As(err, new(*walfs.DamageError)) {
					t.Fatalf("opened: %v", err)
				}
				if !maps.Equal(before, picture(t, dir)) {
					t.Fatal("refused, yet changed")
				}
			}
		})
	}
}

// TestDegradedBelowMark: damage to the segment that is written to, where an
// ordinary Open refuses.
func TestDegradedBelowMark(t *testing.T) {
	dir, placed := walfs.Promised(t)
	walfs.Patch(t, walfs.SegmentPath(dir, 2), int64(placed[5].Pos.Offset)+100, "X")
	walfs.Refuses(t, dir, walfs.SegmentName(2), int64(placed[5].Pos.Offset))
	looked(t, dir, func(l *walfs.Log) {
		if got, _ := walfs.Salvage(t, l); !cmp.Equal(got, walfs.Without(8, 6)) || l.Last() != 8 {
			t.Fatalf("read %d", got)
		}
		if p, err := l.Seek(7); err != nil || p != placed[6].Pos {
			t.Fatalf("Seek(7): %v, %v", p, err)
		}
	})
}

func TestReadOnly(t *testing.T) {
	dir := four(t)
	looked(t, dir, func(l *walfs.Log) {
		if r := l.Recovery(); r.Torn != 4 || r.TornFile != "" || r.Records != 8 {
			t.Errorf("report %+v", r)
		}
		r, err := l.Reader(walfs.Position{})
		if err != nil {
			t.Fatal(err)
		}
		for err == nil {
			_, err = r.Next()
		}
		_, appendErr := l.Append(walfs.None, walfs.Records("x")...)
		for name, err := range map[string]error{"Append": appendErr, "Sync": l.Sync(), "Wait": r.Wait(t.Context())} {
			if !errors.Is(err, walfs.ErrReadOnly) {
				t.Errorf("%s: %v, want ErrReadOnly", name, err)
			}
		}
	})
	for name, err := range map[string]error{
		"MkdirAll": walfs.OSReadOnly.MkdirAll(filepath.Join(dir, "x")), "Remove": walfs.OSReadOnly.Remove(walfs.SegmentPath(dir, 1)),
		"Rename": walfs.OSReadOnly.Rename(walfs.SegmentPath(dir, 1), walfs.SegmentPath(dir, 9)), "SyncDir": walfs.OSReadOnly.SyncDir(dir),
	} {
		if !errors.Is(err, walfs.ErrReadOnly) {
			t.Errorf("%s: %v, want ErrReadOnly", name, err)
		}
	}
	f, err := walfs.OSReadOnly.Open(walfs.SegmentPath(dir, 1))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("x"), 0); err == nil {
		t.Fatal("a file opened for reading was written")
	}
	if _, err := walfs.Open(t.TempDir(), walfs.Options{Degraded: true}); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("an empty directory: %v", err)
	}
	if _, err := walfs.Open(filepath.Join(dir, "no"), walfs.Options{Degraded: true}); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("no directory: %v", err)
	}
}

// TestDegradedBesideWriter looks at a log while it is written: it is whole then,
// up to some record that was appended before.
func TestDegradedBesideWriter(t *testing.T) {
	dir := t.TempDir()
	l := walfs.MustOpen(t, dir, walfs.Small)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, s := range walfs.Numbered(600, 300) {
			if _, err := l.Append(walfs.None, walfs.Records(s)...); err != nil {
				t.Error(err)
			}
		}
	}()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		before := l.Durable()
		look, err := walfs.Open(dir, walfs.Options{Degraded: true})
		if err != nil {
			t.Fatal(err)
		}
		got, lost := walfs.Salvage(t, look)
		if len(lost)+len(look.Recovery().Damage) > 0 || !cmp.Equal(got, walfs.Without(look.Last())) || look.Last() < before {
			t.Fatalf("read %d records, lost %v, met %v", len(got), lost, look.Recovery().Damage)
		}
		walfs.MustClose(t, look)
	}
}
