package walfs

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseDurability(t *testing.T) {
	for _, d := range []Durability{None, Group, Each, Interval(50 * time.Millisecond), Interval(time.Hour)} {
		if got, err := ParseDurability(d.String()); got != d || err != nil {
			t.Errorf("%q is read as %v, %v", d, got, err)
		}
	}
	for _, s := range []string{"", "None", "interval", "interval=", "interval=0s", "interval=-1s", "interval=5", "50ms"} {
		if d, err := ParseDurability(s); !errors.Is(err, ErrBadOptions) {
			t.Errorf("%q is read as %v, %v", s, d, err)
		}
	}
}

// counting returns o with its syncs counted.
func counting(o Options) (Options, *atomic.Int64) {
	var syncs atomic.Int64
	o.FS = hookFS{OS, func(op, _ string) error {
		if op == "sync" {
			syncs.Add(1)
		}
		return nil
	}}
	return o, &syncs
}

// TestEachSyncsItself: as many syncs as appends, however many come at once and
// whatever others ask for.
func TestEachSyncsItself(t *testing.T) {
	const appenders, each = 20, 10
	o, syncs := counting(Options{})
	l := mustOpen(t, t.TempDir(), o)
	syncs.Store(0)
	var wg sync.WaitGroup
	for range appenders {
		wg.Go(func() {
			for range each {
				p, err := l.Append(Each, records("x")...)
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

// alarm is an AfterFunc that goes off when a test says so.
type alarm struct {
	d       time.Duration
	f       func()
	stopped bool
}

type alarms []*alarm

func (as *alarms) after(d time.Duration, f func()) func() bool {
	a := &alarm{d: d, f: f}
	*as = append(*as, a)
	return func() bool {
		was := a.stopped
		a.stopped = true
		return !was
	}
}

// goOff fires the i-th alarm, as a timer does: unless it was stopped.
func (as alarms) goOff(t *testing.T, i int) {
	t.Helper()
	a := as[i]
	if a.stopped {
		t.Fatalf("alarm %d was stopped", i)
	}
	a.stopped = true
	a.f()
}

func (as alarms) spans() (running []time.Duration) {
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
	var as alarms
	o, syncs := counting(Options{AfterFunc: as.after})
	l := mustOpen(t, t.TempDir(), o)
	syncs.Store(0)
	want := func(what string, running []time.Duration, synced int64, durable LSN) {
		t.Helper()
		if got := as.spans(); !slices.Equal(got, running) || syncs.Load() != synced || l.Durable() != durable {
			t.Fatalf("%s: alarms %v, %d syncs, durable %d; want %v, %d and %d",
				what, got, syncs.Load(), l.Durable(), running, synced, durable)
		}
	}
	long, short := Interval(time.Hour), Interval(time.Second)
	mustAppend(t, l, None, "a")
	want("None", nil, 0, 0)
	mustAppend(t, l, long, "b")
	mustAppend(t, l, long, "c")
	want("long, long", []time.Duration{time.Hour}, 0, 0)
	mustAppend(t, l, short, "d")
	mustAppend(t, l, long, "e")
	want("short, long", []time.Duration{time.Hour, time.Second}, 0, 0)
	as.goOff(t, 1)
	want("the short one fired", nil, 1, 5)
	mustAppend(t, l, long, "f")
	want("long again", []time.Duration{time.Hour}, 1, 5)
	mustAppend(t, l, Group, "g")
	want("Group", []time.Duration{time.Hour}, 2, 7)
	as.goOff(t, 2)
	want("fired for nothing", nil, 2, 7)
	mustAppend(t, l, short, "h")
	mustClose(t, l)
	if running := as.spans(); len(running) > 0 {
		t.Fatalf("alarms %v after Close", running)
	}
}

// TestFailedAsideStops: a sync that nobody waits for stops the log like any other.
func TestFailedAsideStops(t *testing.T) {
	eio := errors.New("input/output error")
	var as alarms
	for name, step := range map[string]func(l *Log){
		"interval": func(l *Log) {
			mustAppend(t, l, Interval(time.Second), "x")
			as.goOff(t, len(as)-1)
		},
		"much unsynced": func(l *Log) { mustAppend(t, l, None, numbered(3, maxUnsynced/3+1)...) },
		"next segment":  func(l *Log) { mustAppend(t, l, None, numbered(2, 40<<10)...) },
	} {
		armed := false
		o := inline(Options{AfterFunc: as.after})
		if name == "next segment" {
			o.SegmentSize = 128 << 10
		}
		o.FS = hookFS{OS, func(op, _ string) error {
			if armed && op == "sync" {
				return eio
			}
			return nil
		}}
		dir := t.TempDir()
		l := mustOpen(t, dir, o)
		armed = true
		step(l)
		armed = false
		if _, err := l.Append(None, records("late")...); !errors.Is(err, ErrStopped) {
			t.Errorf("%s: append after a failed sync: %v", name, err)
		}
		if _, err := l.Append(None, records("late")...); !errors.Is(err, ErrStopped) || !errors.Is(err, eio) {
			t.Fatalf("append to a stopped log: %v", err)
		}
		if n := len(files(t, dir)); n != 1 {
			t.Errorf("%s: %d files after Close", name, n)
		}
	}
}

// TestNoneDuringSync: who does not ask for a sync does not wait for one.
func TestNoneDuringSync(t *testing.T) {
	started, release := make(chan struct{}), make(chan struct{})
	var armed atomic.Bool
	o := Options{FS: hookFS{OS, func(op, _ string) error {
		if op == "sync" && armed.CompareAndSwap(true, false) {
			close(started)
			<-release
		}
		return nil
	}}}
	l := mustOpen(t, t.TempDir(), o)
	armed.Store(true)
	var wg sync.WaitGroup
	wg.Go(func() { mustAppend(t, l, Group, "slow") })
	<-started
	want := []string{"slow"}
	for _, s := range numbered(50, 10) {
		mustAppend(t, l, None, s)
		mustAppend(t, l, Interval(time.Hour), s)
		want = append(want, s, s)
	}
	if diff := cmp.Diff(want, mustTexts(t, l)); diff != "" || l.Durable() != 0 {
		t.Errorf("durable %d during the sync, records (-want +got):\n%s", l.Durable(), diff)
	}
	close(release)
	wg.Wait()
}
