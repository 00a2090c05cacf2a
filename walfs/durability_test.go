package walfs_test

import (
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lightcone/walfs"
	"lightcone/walfs/walfstest"
)

func TestParseDurability(t *testing.T) {
	for _, d := range []walfs.Durability{walfs.None, walfs.Group, walfs.Each, walfs.Interval(50 * time.Millisecond), walfs.Interval(time.Hour)} {
		if got, err := walfs.ParseDurability(d.String()); got != d || err != nil {
			t.Errorf("%q is read as %v, %v", d, got, err)
		}
	}
	for _, s := range []string{"", "None", "interval", "interval=", "interval=0s", "interval=-1s", "interval=5", "50ms"} {
		if d, err := walfs.ParseDurability(s); !errors.Is(err, walfs.ErrBadOptions) {
			t.Errorf("%q is read as %v, %v", s, d, err)
		}
	}
}

// counting returns o with its syncs counted.
func counting(o walfs.Options) (walfs.Options, *atomic.Int64) {
	var syncs atomic.Int64
	o.FS = hook(func(op walfstest.Op, _ string) error {
		if op == walfstest.Sync {
			syncs.Add(1)
		}
		return nil
	})
	return o, &syncs
}

// TestEachSyncsItself: as many syncs as appends, however many come at once and
// whatever others ask for.
func TestEachSyncsItself(t *testing.T) {
	const appenders, each = 20, 10
	o, syncs := counting(walfs.Options{})
	l := walfs.MustOpen(t, t.TempDir(), o)
	syncs.Store(0)
	var wg sync.WaitGroup
	for range appenders {
		wg.Go(func() {
			for range each {
				p, err := l.Append(walfs.Each, walfs.Records("x")...)
				if err != nil {
					t.Error(err)
				} else if l.Durable() < p[0].LSN {
					t.Errorf("record %d acknowledged, durable are %d", p[0].LSN, l.Durable())
				}
			}
		})
	}
	wg.Wait()
	if n := syncs.Load(); n != appenders*each {
		t.Fatalf("%d syncs for %d appends", n, appenders*each)
	}
}

// wakeup is an AfterFunc that goes off when a test says so.
type wakeup struct {
	d       time.Duration
	f       func()
	stopped bool
}

type wakeups []*wakeup

func (as *wakeups) after(d time.Duration, f func()) func() bool {
	a := &wakeup{d: d, f: f}
	*as = append(*as, a)
	return func() bool {
		was := a.stopped
		a.stopped = true
		return !was
	}
}

// goOff fires the i-th alarm, as a timer does: unless it was stopped.
func (as wakeups) goOff(t *testing.T, i int) {
	t.Helper()
	a := as[i]
	if a.stopped {
		t.Fatalf("alarm %d was stopped", i)
	}
	a.stopped = true
	a.f()
}

func (as wakeups) spans() (running []time.Duration) {
	for _, a := range as {
		if !a.stopped {
			running = append(running, a.d)
		}
	}
	return running
}

// TestInterval: the first unsynced append sets the time of the sync, a shorter
// interval advances it, and what another sync has reached needs none.
func TestInterval(t *testing.T) {
	var as wakeups
	o, syncs := counting(walfs.Options{AfterFunc: as.after})
	l := walfs.MustOpen(t, t.TempDir(), o)
	syncs.Store(0)
	want := func(what string, running []time.Duration, synced int64, durable walfs.LSN) {
		t.Helper()
		if got := as.spans(); !slices.Equal(got, running) || syncs.Load() != synced || l.Durable() != durable {
			t.Fatalf("%s: alarms %v, %d syncs, durable %d; want %v, %d and %d",
				what, got, syncs.Load(), l.Durable(), running, synced, durable)
		}
	}
	long, short := walfs.Interval(time.Hour), walfs.Interval(time.Second)
	walfs.MustAppend(t, l, walfs.None, "a")
	want("None", nil, 0, 0)
	walfs.MustAppend(t, l, long, "b")
	walfs.MustAppend(t, l, long, "c")
	want("long, long", []time.Duration{time.Hour}, 0, 0)
	walfs.MustAppend(t, l, short, "d")
	walfs.MustAppend(t, l, long, "e")
	want("short, long", []time.Duration{time.Hour, time.Second}, 0, 0)
	as.goOff(t, 1)
	want("the short one fired", nil, 1, 5)
	walfs.MustAppend(t, l, long, "f")
	want("long again", []time.Duration{time.Hour}, 1, 5)
	walfs.MustAppend(t, l, walfs.Group, "g")
	want("Group", []time.Duration{time.Hour}, 2, 7)
	as.goOff(t, 2)
	want("fired for nothing", nil, 2, 7)
	walfs.MustAppend(t, l, short, "h")
	walfs.MustClose(t, l)
	if running := as.spans(); len(running) > 0 {
		t.Fatalf("alarms %v after Close", running)
	}
}

// TestFailedAsideStops: a sync that nobody waits for stops the log like any other.
func TestFailedAsideStops(t *testing.T) {
	eio := errors.New("input/output error")
	var as wakeups
	for name, step := range map[string]func(l *walfs.Log){
		"interval": func(l *walfs.Log) {
			walfs.MustAppend(t, l, walfs.Interval(time.Second), "x")
			as.goOff(t, len(as)-1)
		},
		"much unsynced": func(l *walfs.Log) { walfs.MustAppend(t, l, walfs.None, walfs.Numbered(3, walfs.MaxUnsynced/3+1)...) },
		"next segment":  func(l *walfs.Log) { walfs.MustAppend(t, l, walfs.None, walfs.Numbered(2, 40<<10)...) },
	} {
		armed := false
		o := walfs.Inline(walfs.Options{AfterFunc: as.after})
		if name == "next segment" {
			o.SegmentSize = 128 << 10
		}
		o.FS = hook(func(op walfstest.Op, _ string) error {
			if armed && op == walfstest.Sync {
				return eio
			}
			return nil
		})
		dir := t.TempDir()
		l := walfs.MustOpen(t, dir, o)
		armed = true
		step(l)
		armed = false
		if _, err := l.Append(walfs.None, walfs.Records("late")...); !errors.Is(err, walfs.ErrStopped) {
			t.Errorf("%s: append after a failed sync: %v", name, err)
		}
		if _, err := l.Append(walfs.None, walfs.Records("late")...); !errors.Is(err, walfs.ErrStopped) || !errors.Is(err, eio) {
			t.Fatalf("append to a stopped log: %v", err)
		}
		if n := len(walfs.Files(t, dir)); n != 1 {
			t.Errorf("%s: %d files after Close", name, n)
		}
	}
}

// TestNoneDuringSync: who does not ask for a sync does not wait for one.
func TestNoneDuringSync(t *testing.T) {
	started, release := make(chan struct{}), make(chan struct{})
	var armed atomic.Bool
	o := walfs.Options{FS: hook(func(op walfstest.Op, _ string) error {
		if op == walfstest.Sync && armed.CompareAndSwap(true, false) {
			close(started)
			<-release
		}
		return nil
	})}
	l := walfs.MustOpen(t, t.TempDir(), o)
	armed.Store(true)
	var wg sync.WaitGroup
	wg.Go(func() { walfs.MustAppend(t, l, walfs.Group, "slow") })
	<-started
	want := []string{"slow"}
	for _, s := range walfs.Numbered(50, 10) {
		walfs.MustAppend(t, l, walfs.None, s)
		walfs.MustAppend(t, l, walfs.Interval(time.Hour), s)
		want = append(want, s, s)
	}
	if diff := cmp.Diff(want, walfs.MustTexts(t, l)); diff != "" || l.Durable() != 0 {
		t.Errorf("durable %d during the sync, records (-want +got):\n%s", l.Durable(), diff)
	}
	close(release)
	wg.Wait()
}

// TestFailedSyncStopsWaiting: those who wait for the next sync, in whatever way,
// are told when the one under way fails, and so is who comes later.
func TestFailedSyncStopsWaiting(t *testing.T) {
	const each = 10
	eio := errors.New("input/output error")
	started, release := make(chan struct{}), make(chan struct{})
	var armed atomic.Bool
	o := walfs.Options{FS: hook(func(op walfstest.Op, _ string) error {
		if op == walfstest.Sync && armed.CompareAndSwap(true, false) {
			close(started)
			<-release
			return eio
		}
		return nil
	})}
	l := walfs.MustOpen(t, t.TempDir(), o)
	armed.Store(true)
	var wg sync.WaitGroup
	wantStopped := func(call func() error) {
		wg.Go(func() {
			if err := call(); !errors.Is(err, walfs.ErrStopped) || !errors.Is(err, eio) {
				t.Errorf("beside a failed sync: %v, want ErrStopped and its cause", err)
			}
		})
	}
	group := func() error { _, err := l.Append(walfs.Group, walfs.Records("x")...); return err }
	wantStopped(group)
	<-started
	for range each {
		wantStopped(group)
		wantStopped(func() error { _, err := l.Append(walfs.Each, walfs.Records("x")...); return err })
		wantStopped(l.Sync)
	}
	for l.WaitingForSync() < 3*each {
		runtime.Gosched()
	}
	close(release)
	wg.Wait()
	wantStopped(group)
	wg.Wait()
	wantStopped(l.Close)
	wg.Wait()
}
