package walfs

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// picture is a directory as a camera sees it: contents, and when they changed.
func picture(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := files(t, dir)
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
func looked(t *testing.T, dir string, f func(l *Log)) {
	t.Helper()
	before := picture(t, dir)
	o := Options{Degraded: true, FS: hookFS{OS, func(op, name string) error {
		if op != "open" && op != "read" && op != "map" {
			t.Errorf("%s of %s", op, name)
		}
		return nil
	}}}
	l, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	f(l)
	mustClose(t, l)
	if diff := cmp.Diff(before, picture(t, dir)); diff != "" {
		t.Fatalf("looking changed something (-before +after):\n%s", diff)
	}
}

// four makes a log of four segments with two records each, and returns what is
// left when its process is killed: no mark in the last segment, and a torn tail.
func four(t *testing.T) string {
	t.Helper()
	live := t.TempDir()
	l := mustOpen(t, live, small)
	for _, s := range numbered(8, 1500) {
		mustAppend(t, l, None, s)
	}
	end := l.active.end.Load()
	if l.active.id != 4 || l.Last() != 8 {
		t.Fatalf("%d segments, %d records", l.active.id, l.Last())
	}
	dir := copyDir(t, live)
	patch(t, segmentPath(dir, 4), end, "torn")
	for _, name := range []string{segmentPath(dir, 5) + tempSuffix, filepath.Join(dir, "00000000000000000001-64.torn")} {
		if err := os.WriteFile(name, []byte("left by a crash"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// remove, header and shorten ruin a file of a log.
func remove(id uint64) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		if err := os.Remove(segmentPath(dir, id)); err != nil {
			t.Fatal(err)
		}
	}
}

func ruinHeader(id uint64) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) { patch(t, segmentPath(dir, id), 24, "\xff\xff") }
}

func shorten(id uint64, size int64) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		if err := os.Truncate(segmentPath(dir, id), size); err != nil {
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
	want   []LSN
	met    int // damages at open
	lost   []LSN
}{
	"nothing":             {func(*testing.T, string) {}, lsnRange(1, 8), 0, nil},
	"first file":          {remove(1), lsnRange(3, 8), 0, nil},
	"middle file":         {remove(2), without(8, 3, 4), 1, []LSN{3, 4}},
	"two middle files":    {allOf(remove(2), remove(3)), without(8, 3, 4, 5, 6), 1, []LSN{3, 4, 5, 6}},
	"first header":        {ruinHeader(1), lsnRange(1, 8), 1, nil},
	"middle header":       {ruinHeader(3), lsnRange(1, 8), 1, nil},
	"last header":         {ruinHeader(4), lsnRange(1, 8), 1, nil},
	"all headers":         {allOf(ruinHeader(1), ruinHeader(2), ruinHeader(3), ruinHeader(4)), lsnRange(1, 8), 4, nil},
	"header behind a gap": {allOf(remove(2), ruinHeader(3)), without(8, 3, 4), 2, nil}, // nobody knows how many
	"gap behind header":   {allOf(remove(3), ruinHeader(2)), without(8, 5, 6), 2, []LSN{5, 6}},
	"short file":          {shorten(2, 30), without(8, 3, 4), 1, []LSN{3, 4}},
	"empty file":          {shorten(3, 0), without(8, 5, 6), 1, []LSN{5, 6}},
	"empty last file":     {shorten(4, 0), without(6), 1, nil},
	"cut below its mark":  {shorten(2, 2000), without(8, 4), 1, []LSN{4}},
	"header and record": {allOf(ruinHeader(2), func(t *testing.T, dir string) { patch(t, segmentPath(dir, 2), 200, "X") }),
		without(8, 3), 1, []LSN{3}},
	"another log's file": {func(t *testing.T, dir string) {
		if err := os.WriteFile(segmentPath(dir, 3), []byte(readFile(t, segmentPath(dir, 1))), 0o600); err != nil {
			t.Fatal(err)
		}
	}, without(8, 5, 6), 1, []LSN{5, 6}},
}

func TestDegraded(t *testing.T) {
	for name, c := range ruins {
		t.Run(name, func(t *testing.T) {
			dir := four(t)
			c.damage(t, dir)
			looked(t, dir, func(l *Log) {
				if got := len(l.Recovery().Damage); got != c.met {
					t.Errorf("%d damages at open, want %d: %v", got, c.met, l.Recovery().Damage)
				}
				got, lost := salvage(t, l)
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("records (-want +got):\n%s", diff)
				}
				var gone []LSN
				for _, x := range lost {
					if x.Last != unknownLSN {
						gone = append(gone, lsnRange(x.First, x.Last)...)
					}
				}
				if diff := cmp.Diff(c.lost, gone); diff != "" {
					t.Errorf("lost (-want +got):\n%s\n%v", diff, lost)
				}
			})
			if c.met > 0 { // and without being asked for it, nobody reads such a log
				before := picture(t, dir)
				if _, err := Open(dir, small); !errors.As(err, new(*DamageError)) {
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
	dir, placed := promised(t)
	patch(t, segmentPath(dir, 2), int64(placed[5].Pos.Offset)+100, "X")
	refuses(t, dir, segmentName(2), int64(placed[5].Pos.Offset))
	looked(t, dir, func(l *Log) {
		if got, _ := salvage(t, l); !cmp.Equal(got, without(8, 6)) || l.Last() != 8 {
			t.Fatalf("read %d", got)
		}
		if p, err := l.Seek(7); err != nil || p != placed[6].Pos {
			t.Fatalf("Seek(7): %v, %v", p, err)
		}
	})
}

func TestReadOnly(t *testing.T) {
	dir := four(t)
	looked(t, dir, func(l *Log) {
		if r := l.Recovery(); r.Torn != 4 || r.TornFile != "" || r.Records != 8 {
			t.Errorf("report %+v", r)
		}
		r, err := l.Reader(Position{})
		if err != nil {
			t.Fatal(err)
		}
		for err == nil {
			_, err = r.Next()
		}
		_, appendErr := l.Append(None, records("x")...)
		for name, err := range map[string]error{"Append": appendErr, "Sync": l.Sync(), "Wait": r.Wait(t.Context())} {
			if !errors.Is(err, ErrReadOnly) {
				t.Errorf("%s: %v, want ErrReadOnly", name, err)
			}
		}
	})
	for name, err := range map[string]error{
		"MkdirAll": OSReadOnly.MkdirAll(filepath.Join(dir, "x")), "Remove": OSReadOnly.Remove(segmentPath(dir, 1)),
		"Rename": OSReadOnly.Rename(segmentPath(dir, 1), segmentPath(dir, 9)), "SyncDir": OSReadOnly.SyncDir(dir),
	} {
		if !errors.Is(err, ErrReadOnly) {
			t.Errorf("%s: %v, want ErrReadOnly", name, err)
		}
	}
	f, err := OSReadOnly.Open(segmentPath(dir, 1))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("x"), 0); err == nil {
		t.Fatal("a file opened for reading was written")
	}
	if _, err := Open(t.TempDir(), Options{Degraded: true}); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("an empty directory: %v", err)
	}
	if _, err := Open(filepath.Join(dir, "no"), Options{Degraded: true}); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("no directory: %v", err)
	}
}

// TestDegradedBesideWriter looks at a log while it is written: it is whole then,
// up to some record that was appended before.
func TestDegradedBesideWriter(t *testing.T) {
	dir := t.TempDir()
	l := mustOpen(t, dir, small)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, s := range numbered(600, 300) {
			if _, err := l.Append(None, records(s)...); err != nil {
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
		look, err := Open(dir, Options{Degraded: true})
		if err != nil {
			t.Fatal(err)
		}
		got, lost := salvage(t, look)
		if len(lost)+len(look.Recovery().Damage) > 0 || !cmp.Equal(got, without(look.Last())) || look.Last() < before {
			t.Fatalf("read %d records, lost %v, met %v", len(got), lost, look.Recovery().Damage)
		}
		mustClose(t, look)
	}
}
