package walfs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// waiting is how many appenders wait for the writer's role.
func (q *queue) count() (n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for a := q.waiting.first; a != nil; a = a.next {
		n++
	}
	return n
}

// stalled opens a log and has n appends wait behind one whose write is held up;
// then they go on. Batch i has the texts of batch(i), and the i-th answer is of
// it, the first of all being the one that held them up.
func stalled(t *testing.T, o Options, n int, before func(op string) error, batch func(i int) []string) (*Log, string, []answer) {
	started, release := make(chan struct{}), make(chan struct{})
	var armed, running atomic.Bool
	o.FS = hookFS{OS, func(op, _ string) error {
		if op == "write" && armed.CompareAndSwap(true, false) {
			close(started)
			<-release
			running.Store(true)
		} else if running.Load() {
			return before(op)
		}
		return nil
	}}
	dir := t.TempDir()
	l := mustOpen(t, dir, o)
	answers := make([]answer, n+1)
	var wg sync.WaitGroup
	do := func(i int) {
		wg.Go(func() { answers[i].placed, answers[i].err = l.Append(None, records(batch(i)...)...) })
	}
	armed.Store(true)
	do(0)
	<-started
	for i := range n {
		do(i + 1)
	}
	for l.queue.count() < n {
		runtime.Gosched()
	}
	close(release)
	wg.Wait()
	return l, dir, answers
}

type answer struct {
	placed []Placed
	err    error
}

// TestCombinedWrites: those who wait for a write are written with one.
func TestCombinedWrites(t *testing.T) {
	const appenders = 64
	writes := 0
	text := func(i int) []string { return []string{fmt.Sprint("batch ", i), fmt.Sprint("of two ", i)} }
	l, _, answers := stalled(t, Options{}, appenders, func(op string) error {
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
func checkAnswers(t *testing.T, l *Log, answers []answer, texts func(i int) []string) {
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
			if p.LSN != a.placed[0].LSN+LSN(n) || p.Pos.Segment != a.placed[0].Pos.Segment {
				t.Fatalf("batch %d lies at %v: not in one piece", i, a.placed)
			}
		}
	}
}

// TestCombinedAcrossSegments: many batches that wait together need several
// segments, one needs a large one of its own; none straddles.
func TestCombinedAcrossSegments(t *testing.T) {
	text := func(i int) []string { return numbered(1+i%4, 300+i) }
	text8 := func(i int) []string {
		if i == 8 {
			return numbered(5, 1500)
		}
		return text(i)
	}
	l, dir, answers := stalled(t, small, 40, func(string) error { return nil }, text8)
	checkAnswers(t, l, answers, text8)
	want := mustTexts(t, l)
	mustClose(t, l)
	if diff := cmp.Diff(want, mustTexts(t, mustOpen(t, dir, small))); diff != "" {
		t.Fatal(diff)
	}
}

// TestCombinedWriteFails: all who were written together are told, none of their
// batches is there, and others go on.
func TestCombinedWriteFails(t *testing.T) {
	const appenders = 9
	broken := errors.New("broken")
	failed := false
	text := func(i int) []string { return numbered(2, 100+i) }
	l, dir, answers := stalled(t, Options{}, appenders, func(op string) error {
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
	mustAppend(t, l, Group, "next")
	want := append(text(0), "next")
	for _, l := range []*Log{l, mustOpen(t, copyDir(t, dir), Options{})} {
		if diff := cmp.Diff(want, mustTexts(t, l)); diff != "" || l.Recovery().Torn != 0 {
			t.Fatalf("torn %d, records (-want +got):\n%s", l.Recovery().Torn, diff)
		}
	}
}

// TestRoomIsOneBatchsMatter: no room for the batch of one does not hit the others
// that wait with it.
func TestRoomIsOneBatchsMatter(t *testing.T) {
	full := errors.New("no space left")
	text := func(i int) []string { return numbered(1, 100) }
	large := func(i int) []string {
		if i == 3 {
			return numbered(1, 3900)
		}
		return text(i)
	}
	_, _, answers := stalled(t, small, 6, func(op string) error {
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

// TestSegmentMadeAhead: the append that needs the next segment finds it made;
// Close and, after a kill, Open remove one that was not needed.
func TestSegmentMadeAhead(t *testing.T) {
	var ops []string
	o := inline(small)
	o.FS = hookFS{OS, func(op, _ string) error {
		ops = append(ops, op)
		return nil
	}}
	dir := t.TempDir()
	l := mustOpen(t, dir, o)
	mustAppend(t, l, None, numbered(1, 2500)...)
	ops = nil
	mustAppend(t, l, None, numbered(1, 2500)...)
	made := strings.Index(strings.Join(ops, " "), "create")
	want := "write sync sync write sync rename syncdir write create" // of this segment, then the one after it
	if got := strings.Join(ops, " "); made < 0 || got[:made+len("create")] != want {
		t.Fatalf("a rotation was %q, want %q", got, want)
	}
	temp := segmentPath(dir, 3) + tempSuffix
	if _, err := os.Stat(temp); err != nil {
		t.Fatal(err)
	}
	killed := copyDir(t, dir)
	mustClose(t, l)
	mustOpen(t, killed, small)
	for _, dir := range []string{dir, killed} {
		if left, err := filepath.Glob(filepath.Join(dir, "*"+tempSuffix)); len(left) > 0 || err != nil {
			t.Fatalf("%v is left, %v", left, err)
		}
	}
}
