package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lightcone/walfs"
)

// picture is every file below dir with its content, mode and time of change.
func picture(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		all[path] = fmt.Sprint(info.Mode(), info.ModTime().Format(time.RFC3339Nano))
		if d.IsDir() {
			return nil
		}
		b, err := os.ReadFile(path)
		all[path] += string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// tornLog makes the log of a process that was killed: three segments, the last
// without a durable mark and with half a record at its end.
func tornLog(t *testing.T) string {
	t.Helper()
	live, dir := t.TempDir(), t.TempDir()
	l, err := walfs.Open(live, walfs.Options{SegmentSize: walfs.MinSegmentSize})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for range 5 {
		if _, err := l.Append(walfs.None, walfs.Record{Kind: walfs.KindBlock, Data: make([]byte, 1800)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(dir, os.DirFS(live)); err != nil {
		t.Fatal(err)
	}
	damageFile(t, filepath.Join(dir, "00000000000000000003.wal"), 3000, "half a record")
	return dir
}

func damageFile(t *testing.T, name string, at int64, b string) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte(b), at); err != nil {
		t.Fatal(err)
	}
}

// The commands that look into a log change nothing, whatever state it is in: no
// byte, no name, no time.
func TestWalOnlyLooks(t *testing.T) {
	name := func(dir string, id int) string { return filepath.Join(dir, fmt.Sprintf("%020d.wal", id)) }
	for what, c := range map[string]struct {
		ruin func(t *testing.T, dir string)
		code int
	}{
		"torn":              {func(*testing.T, string) {}, exitOK},
		"a record":          {func(t *testing.T, dir string) { damageFile(t, name(dir, 2), 500, "X") }, exitDamaged},
		"behind the end":    {func(t *testing.T, dir string) { damageFile(t, name(dir, 1), 4090, "X") }, exitDamaged},
		"a header":          {func(t *testing.T, dir string) { damageFile(t, name(dir, 2), 8, "XXXXXXXXX") }, exitDamaged},
		"the last header":   {func(t *testing.T, dir string) { damageFile(t, name(dir, 3), 8, "XXXXXXXXX") }, exitDamaged},
		"a version to come": {func(t *testing.T, dir string) { damageFile(t, name(dir, 1), 4, "\x07") }, exitDamaged},
		"a missing file": {func(t *testing.T, dir string) {
			if err := os.Remove(name(dir, 2)); err != nil {
				t.Fatal(err)
			}
		}, exitDamaged},
		"an empty file": {func(t *testing.T, dir string) {
			if err := os.Truncate(name(dir, 2), 0); err != nil {
				t.Fatal(err)
			}
		}, exitDamaged},
	} {
		t.Run(what, func(t *testing.T) {
			dir := tornLog(t)
			c.ruin(t, dir)
			before := picture(t, dir)
			for _, command := range []string{"stat", "dump", "verify"} {
				for _, flags := range [][]string{nil, {"--json"}} {
					var out, errs bytes.Buffer
					code := run(append([]string{"wal", command, dir}, flags...), nil, &out, &errs)
					want := c.code
					if what == "behind the end" && command == "dump" {
						want = exitOK // no record lies there
					}
					if code != want || out.Len() == 0 {
						t.Errorf("%s %v: exit status %d, want %d\n%s%s", command, flags, code, want, &out, &errs)
					}
				}
			}
			if diff := cmp.Diff(before, picture(t, dir)); diff != "" {
				t.Fatalf("looking changed something (-before +after):\n%s", diff)
			}
		})
	}
}
