package walfs_test

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"lightcone/walfs"
	"lightcone/walfs/walfstest"
)

// hung is how long one run may take before it counts as hung. It takes less than a
// thousandth of that.
const hung = 5 * time.Minute

// trouble is what becomes of the n-th operation of a kind, and of those after it
// when it lasts.
type trouble struct {
	name  string
	ops   []walfstest.Op
	fate  walfstest.Fate
	lasts bool // until there is room again
}

var (
	changing = []walfstest.Op{walfstest.Create, walfstest.Allocate, walfstest.Write}
	troubles = []trouble{
		{"no space", changing, walfstest.Fate{Err: syscall.ENOSPC}, false},
		{"no space, short", changing, walfstest.Fate{Err: syscall.ENOSPC, Short: true}, false},
		{"full disk", changing, walfstest.Fate{Err: syscall.ENOSPC}, true},
		{"full disk, short", changing, walfstest.Fate{Err: syscall.ENOSPC, Short: true}, true},
		{"write error, short", []walfstest.Op{walfstest.Write}, walfstest.Fate{Err: syscall.EIO, Short: true}, false},
		{"all but reads done and failed", []walfstest.Op{
			walfstest.Write, walfstest.Rename, walfstest.Remove, walfstest.Allocate, walfstest.Sync, walfstest.SyncDir,
		}, walfstest.Fate{Err: syscall.EIO, Late: true}, false},
	}
)

func init() {
	for _, op := range []walfstest.Op{
		walfstest.Mkdir, walfstest.List, walfstest.Open, walfstest.Create, walfstest.Rename, walfstest.Remove,
		walfstest.SyncDir, walfstest.Read, walfstest.Map, walfstest.Write, walfstest.Size, walfstest.Allocate,
		walfstest.Sync, walfstest.Close,
	} {
		troubles = append(troubles, trouble{"error of " + string(op), []walfstest.Op{op}, walfstest.Fate{Err: syscall.EIO}, false})
	}
}

// troubled is a world one of whose operations goes wrong.
type troubled struct {
	*world
	trouble
	n      int
	seen   int
	struck *walfstest.Call
	failed *walfs.Log // whose sync it was that failed
	// unnamed says that it struck a segment that has not got its name yet.
	unnamed bool
	over    bool
}

func (r *troubled) decide(c walfstest.Call) walfstest.Fate {
	for _, op := range r.ops {
		if c.Op != op || r.over {
			continue
		}
		if r.seen++; r.seen == r.n || r.seen > r.n && r.lasts {
			if r.struck == nil {
				r.struck = &c
				temp := strings.HasSuffix(c.Name, ".tmp")
				r.unnamed = temp && (c.Op == walfstest.Create || r.disk.ReadFile(c.Name) != nil)
			}
			if c.Op == walfstest.Sync {
				r.disk.ForgetWrites(c.Name)
			}
			if c.Op == walfstest.Sync || c.Op == walfstest.SyncDir {
				r.failed = r.log
			}
			return r.fate
		}
	}
	return walfstest.Fate{}
}

// run takes the steps, opening the log again whenever that failed, until the
// trouble is over; then it holds the log to its promises.
func (r *troubled) run(steps []step) error {
	r.world = &world{faulty: true, disk: walfstest.NewDisk(), wrap: func(fs walfs.FS) walfs.FS {
		return walfstest.Faults{FS: fs, Decide: r.decide}
	}}
	r.open()
	for _, s := range steps {
		if r.log == nil {
			r.open()
		}
		if r.log != nil {
			s.do(r.world)
		}
	}
	if r.log != nil {
		_, err := readAll(r.log)
		r.expect("read", err)
	}
	r.over = true
	switch {
	case r.wrong != nil:
		return r.wrong
	case r.struck == nil:
		return errors.Join(r.errs...) // nothing happened: the n-th of these was the last
	case r.told == 0 && !r.mayPass():
		return errors.New("nobody was told")
	}
	if err := r.goesOn(); err != nil {
		return err
	}
	for _, k := range lucks(uint64(r.n), 1) {
		disk, hist := k.crash(r.disk), r.hist.clone()
		c := checker{asIs, func(uint64) bool { return r.n%8 == 0 }}
		if err := c.check(disk, &hist, 0); err != nil {
			return fmt.Errorf("then %s: %w", k.name, err)
		}
	}
	return nil
}

// mayPass reports whether the trouble is one nobody needs to hear of: a durable
// mark that lags behind is true all the same, a file that was read is closed either
// way, and a segment that cannot be made ahead of time is made when it is needed.
func (r *troubled) mayPass() bool {
	switch r.struck.Op {
	case walfstest.Close:
		return true
	case walfstest.Write:
		return r.struck.Size == headerSize
	case walfstest.Create, walfstest.Allocate, walfstest.Remove:
		return r.unnamed
	case walfstest.Sync: // of an interval: goesOn sees who appends next be told
		return r.unnamed || r.log != nil && r.failed == r.log
	}
	return false
}

// goesOn wants a log that takes records again once the trouble is over, or one that
// was stopped by a failed sync and stays so until it is opened again.
func (r *troubled) goesOn() error {
	if r.log != nil && (r.failed == r.log || r.stopped == r.log) {
		for range 2 {
			if err := r.append(walfs.Group, 1, 100); !errors.Is(err, walfs.ErrStopped) {
				return fmt.Errorf("append to a stopped log: %v, want ErrStopped", err)
			}
		}
		if err := r.log.Close(); err != nil && !errors.Is(err, walfs.ErrStopped) {
			return fmt.Errorf("close a stopped log: %w", err)
		}
		r.log = nil
	}
	before := len(r.errs)
	if r.log == nil {
		r.open()
	}
	if r.log != nil {
		r.expect("append", r.append(walfs.Group, 1, 100))
		r.expect("append with a rotation", r.append(walfs.Group, 1, 3000))
		r.expect("append with a rotation", r.append(walfs.None, 1, 3000))
	}
	if err := errors.Join(r.errs[before:]...); err != nil {
		return fmt.Errorf("the trouble is over, yet: %w", err)
	}
	return r.wrong
}

// faultScenarios are longer sequences than those that are enumerated.
var faultScenarios = []string{
	"group,batch,group",
	"none,loose,sync,none",
	"interval,interval,tick,each,interval,tick",
	"fill,fill,fill,sync",
	"large,none,large",
	"none,reopen,group,reopen,group",
	"group,loose,kill,group",
	"fill,group,cut,fill,group",
	"fill,fill,reopen,fill,kill,group",
	"loose,short,kill,batch",
	"group,full,reopen,full,group",
}

// TestEveryFault makes the n-th operation of a kind fail, for every n, in some
// scenarios, after every step and after a fifth of all pairs of steps (LIGHTCONE_LONG:
// all): somebody is told, nothing hangs or panics, what was acknowledged survives, a
// full disk is forgotten once there is room, and a failed sync is not.
func TestEveryFault(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine, left out by -short")
	}
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	all := sequences(1)
	if pairs := sequences(2)[len(all):]; long {
		all = append(all, pairs...)
	} else {
		all = append(all, oneIn(5, pairs)...)
	}
	for _, names := range faultScenarios {
		all = append(all, stepsNamed(t, names))
	}
	var runs, failures atomic.Int64
	inParallel(all, func(steps []step) {
		for _, tr := range troubles {
			if tr.lasts && strings.Contains(namesOf(steps), "late") {
				continue // a failed write that cannot be wiped may be there: not promised
			}
			for n, struck := 1, true; struck && failures.Load() < 10; n++ {
				r := &troubled{trouble: tr, n: n}
				if err := withDeadline(func() error { return r.run(steps) }); err != nil {
					failures.Add(1)
					t.Errorf("%s, %s, number %d (%v): %v\nerrors: %v", namesOf(steps), tr.name, n, r.struck, err, r.errs)
				}
				struck = r.struck != nil
				runs.Add(1)
			}
		}
	})
	t.Logf("%d runs with a fault", runs.Load())
}

// withDeadline turns a panic into an error, and a hang into one that shows where.
func withDeadline(do func() error) error {
	done := make(chan error, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				done <- fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			}
		}()
		done <- do()
	}()
	select {
	case err := <-done:
		return err
	case <-time.After(hung):
		debug.SetTraceback("all")
		panic("the log hangs")
	}
}
