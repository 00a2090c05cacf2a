package walfs

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

// TestMain looks for goroutines left behind. The runtime's own, which undoes maps
// that nobody holds any more, may be at work at any time.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("runtime.runCleanups"))
}

// small makes segments of the least size, so that a few records rotate.
var small = Options{SegmentSize: MinSegmentSize}

// inline makes the next segment in the append that asks for it, so that all steps
// have one order.
func inline(o Options) Options {
	o.Go = func(f func()) { f() }
	return o
}

func mustOpen(t testing.TB, dir string, o Options) *Log {
	t.Helper()
	l, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func mustClose(t testing.TB, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func mustAppend(t testing.TB, l *Log, d Durability, data ...string) []Placed {
	t.Helper()
	placed, err := l.Append(d, records(data...)...)
	if err != nil {
		t.Fatal(err)
	}
	return placed
}

func records(data ...string) []Record {
	recs := make([]Record, len(data))
	for i, s := range data {
		recs[i] = Record{KindBlock, []byte(s)}
	}
	return recs
}

// texts reads a log from the beginning and checks that LSNs and positions add up.
func texts(l *Log) ([]string, error) {
	entries, err := read(l)
	var all []string
	for _, e := range entries {
		if e.LSN != LSN(len(all)+1) {
			return all, fmt.Errorf("LSN %d behind %d records", e.LSN, len(all))
		}
		if p, err := l.Seek(e.LSN); err != nil || p != e.Pos {
			return all, fmt.Errorf("record at %v, Seek says %v, %v", e.Pos, p, err)
		}
		all = append(all, string(e.Data))
	}
	return all, err
}

func mustTexts(t testing.TB, l *Log) []string {
	t.Helper()
	all, err := texts(l)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// numbered returns n distinct texts of the given length.
func numbered(n, length int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("%0*d", length, i)
	}
	return all
}

func segmentPath(dir string, id uint64) string { return filepath.Join(dir, segmentName(id)) }

// files reads the whole directory.
func files(t testing.TB, dir string) map[string]string {
	t.Helper()
	names, err := OS.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, name := range names {
		all[name] = readFile(t, filepath.Join(dir, name))
	}
	return all
}

func readFile(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// patch writes bytes into a file.
func patch(t testing.TB, name string, off int64, b string) {
	t.Helper()
	f, err := OS.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte(b), off); err != nil {
		t.Fatal(err)
	}
}

// copyDir copies a log's files while it is open: what is left when its process is
// killed there and then.
func copyDir(t testing.TB, dir string) string {
	t.Helper()
	to := t.TempDir()
	for name, content := range files(t, dir) {
		if err := os.WriteFile(filepath.Join(to, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}
