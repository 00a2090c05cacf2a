package walfs_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lightcone/walfs"
	"lightcone/walfs/walfstest"
)

// stalled opens a log and has n appends wait behind one whose write is held up;
// then they go on. Batch i has the texts of batch(i), and the i-th answer is of
// it, the first of all being the one that held them up.
func stalled(t *testing.T, o walfs.Options, n int, before func(op walfstest.Op) error, batch func(i int) []string) (*walfs.Log, string, []answer) {
	started, release := make(chan struct{}), make(chan struct{})
	var armed, running atomic.Bool
	o.FS = hook(func(op walfstest.Op, _ string) error {
		if op == walfstest.Write && armed.CompareAndSwap(true, false) {
			close(started)
			<-release
			running.Store(true)
		} else if running.Load() {
			return before(op)
		}
		return nil
	})
	dir := t.TempDir()
	l := walfs.MustOpen(t, dir, o)
	answers := make([]answer, n+1)
	var wg sync.WaitGroup
	do := func(i int) {
		wg.Go(func() { answers[i].placed, answers[i].err = l.Append(walfs.None, walfs.Records(batch(i)...)...) })
	}
	armed.Store(true)
	do(0)
	<-started
	for i := range n {
		do(i + 1)
	}
	for l.WaitingForWrite() < n {
		runtime.Gosched()
	}
	close(release)
	wg.Wait()
	return l, dir, answers
}

type answer struct {
	placed []walfs.Placed
	err    error
}

// TestCombinedWrites: those who wait for a write are written with one.
func TestCombinedWrites(t *testing.T) {
	const appenders = 64
	writes := 0
	text := func(i int) []string { return []string{fmt.Sprint("batch ", i), fmt.Sprint("of two ", i)} }
	l, _, answers := stalled(t, walfs.Options{}, appenders, func(op walfstest.Op) error {
		if op == "write" {
			writes++
		}
		return nil
	}, text)
	if writes != 1 {
		t.Errorf("%d writes for %d appends", writes, appenders)
	}
	checkAnswers(t, l, answers, text)
}

// checkAnswers wants each batch where its answer says, whole, in one segment.
func checkAnswers(t *testing.T, l *walfs.Log, answers []answer, texts func(i int) []string) {
	t.Helper()
	for i, a := range answers {
		if a.err != nil {
			t.Fatal(a.err)
		}
		for n, s := range texts(i) {
			p := a.placed[n]
			e, err := l.ReadAt(p.Pos)
			if err != nil || string(e.Data) != s || e.LSN != p.LSN {
				t.Fatalf("batch %d, record %d at %+v is %q, LSN %d, %v", i, n, p, e.Data, e.LSN, err)
			}
			if p.LSN != a.placed[0].LSN+walfs.LSN(n) || p.Pos.Segment != a.placed[0].Pos.Segment {
				t.Fatalf("batch %d lies at %v: not in one piece", i, a.placed)
			}
		}
	}
}

// TestCombinedAcrossSegments: many batches that wait together need several
// segments, one needs a large one of its own; none straddles.
func TestCombinedAcrossSegments(t *testing.T) {
	text := func(i int) []string { return walfs.Numbered(1+i%4, 300+i) }
	text8 := func(i int) []string {
		if i == 8 {
			return walfs.Numbered(5, 1500)
		}
		return text(i)
	}
	l, dir, answers := stalled(t, walfs.Small, 40, func(walfstest.Op) error { return nil }, text8)
	checkAnswers(t, l, answers, text8)
	want := walfs.MustTexts(t, l)
	walfs.MustClose(t, l)
	if diff := cmp.Diff(want, walfs.MustTexts(t, walfs.MustOpen(t, dir, walfs.Small))); diff != "" {
		t.Fatal(diff)
	}
}

// TestCombinedWriteFails: all who were written together are told, none of their
// batches is there, and others go on.
func TestCombinedWriteFails(t *testing.T) {
	const appenders = 9
	broken := errors.New("broken")
	failed := false
	text := func(i int) []string { return walfs.Numbered(2, 100+i) }
	l, dir, answers := stalled(t, walfs.Options{}, appenders, func(op walfstest.Op) error {
		if op == "write" && !failed {
			failed = true
			return broken
		}
		return nil
	}, text)
	for i, a := range answers {
		if i == 0 && a.err != nil || i > 0 && !errors.Is(a.err, broken) {
			t.Errorf("batch %d: %v", i, a.err)
		}
	}
	walfs.MustAppend(t, l, walfs.Group, "next")
	want := append(text(0), "next")
	for _, l := range []*walfs.Log{l, walfs.MustOpen(t, walfs.CopyDir(t, dir), walfs.Options{})} {
		if diff := cmp.Diff(want, walfs.MustTexts(t, l)); diff != "" || l.Recovery().Torn != 0 {
			t.Fatalf("torn %d, records (-want +got):\n%s", l.Recovery().Torn, diff)
		}
	}
}

// TestRoomIsOneBatchsMatter: no room for the batch of one does not hit the others
// that wait with it.
func TestRoomIsOneBatchsMatter(t *testing.T) {
	full := errors.New("no space left")
	text := func(i int) []string { return walfs.Numbered(1, 100) }
	large := func(i int) []string {
		if i == 3 {
			return walfs.Numbered(1, 3900)
		}
		return text(i)
	}
	_, _, answers := stalled(t, walfs.Small, 6, func(op walfstest.Op) error {
		if op == "create" {
			return full
		}
		return nil
	}, large)
	for i, a := range answers {
		if errors.Is(a.err, full) != (len(large(i)[0]) == 3900) {
			t.Errorf("batch %d: %v", i, a.err)
		}
	}
}

// TestSpareTooSmall: a batch that needs a segment of its own size gets it, though
// one of the usual size was made ahead.
func TestSpareTooSmall(t *testing.T) {
	l := walfs.MustOpen(t, t.TempDir(), walfs.Inline(walfs.Small))
	want := slices.Concat(walfs.Numbered(1, 2500), walfs.Numbered(5, 1500), walfs.Numbered(1, 100))
	walfs.MustAppend(t, l, walfs.None, want[0])
	placed := walfs.MustAppend(t, l, walfs.None, want[1:6]...)
	walfs.MustAppend(t, l, walfs.Group, want[6])
	if diff := cmp.Diff(want, walfs.MustTexts(t, l)); diff != "" {
		t.Fatal(diff)
	}
	segs := segmentsOf(t, l)
	if s := segs[1]; s.ID != placed[0].Pos.Segment || s.Size <= walfs.MinSegmentSize || len(segs) != 3 {
		t.Fatalf("the large batch lies in segment %d of %d bytes, %d segments", placed[0].Pos.Segment, s.Size, len(segs))
	}
}

// TestSegmentMadeAhead: the append that needs the next segment finds it made;
// Close and, after a kill, Open remove one that was not needed.
func TestSegmentMadeAhead(t *testing.T) {
	var ops []string
	o := walfs.Inline(walfs.Small)
	o.FS = hook(func(op walfstest.Op, _ string) error {
		if op != walfstest.Size && op != walfstest.Close {
			ops = append(ops, string(op))
		}
		return nil
	})
	dir := t.TempDir()
	l := walfs.MustOpen(t, dir, o)
	walfs.MustAppend(t, l, walfs.None, walfs.Numbered(1, 2500)...)
	ops = nil
	walfs.MustAppend(t, l, walfs.None, walfs.Numbered(1, 2500)...)
	made := strings.Index(strings.Join(ops, " "), "create")
	want := "write sync sync write sync rename syncdir write create" // of this segment, then the one after it
	if got := strings.Join(ops, " "); made < 0 || got[:made+len("create")] != want {
		t.Fatalf("a rotation was %q, want %q", got, want)
	}
	temp := walfs.SegmentPath(dir, 3) + walfs.TempSuffix
	if _, err := os.Stat(temp); err != nil {
		t.Fatal(err)
	}
	killed := walfs.CopyDir(t, dir)
	walfs.MustClose(t, l)
	walfs.MustOpen(t, killed, walfs.Small)
	for _, dir := range []string{dir, killed} {
		if left, err := filepath.Glob(filepath.Join(dir, "*"+walfs.TempSuffix)); len(left) > 0 || err != nil {
			t.Fatalf("%v is left, %v", left, err)
		}
	}
}
