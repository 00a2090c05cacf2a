package walfs_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"lightcone/walfs"
	"lightcone/walfs/walfstest"
)

// long asks for whole enumerations, of which the tests otherwise take a part.
var long = os.Getenv("LIGHTCONE_LONG") != ""

// crashDir is where the log of a world lies on its disk.
const crashDir = "/log"

// world is a log under way on a disk that may lose power, and what was asked of it.
type world struct {
	disk    *walfstest.Disk
	watch   func(walfstest.Call)    // told of each step on whatever disk it is
	wrap    func(walfs.FS) walfs.FS // puts something before every disk a log is opened on
	fault   func(walfstest.Call) walfstest.Fate
	log     *walfs.Log
	clock   clock // of the log that is open
	owed    int   // records whose interval has not passed reach to this LSN
	hist    history
	kept    int        // checkpoint of the log that is open
	made    int        // texts so far: none is used twice, so that dead records are known
	faulty  bool       // operations fail that no step ordered
	told    int        // how often the log refused something
	stopped *walfs.Log // the one that said it takes no more records
	errs    []error    // the refusals that nobody ordered
	wrong   error      // the first promise it broke while it was open
}

func asIs(fs walfs.FS) walfs.FS { return fs }

// options are the same at every opening. Everything happens in one order: the clock
// stands still until somebody makes it tick, and what the log would leave to another
// goroutine is done at once. So the same records make the same bytes.
func options(fs walfs.FS) walfs.Options {
	return walfs.Options{
		SegmentSize: walfs.MinSegmentSize,
		FS:          fs,
		Now:         func() time.Time { return time.Unix(0, 5) },
		AfterFunc:   new(clock).AfterFunc,
		Go:          func(f func()) { f() },
	}
}

// expect notes an error. Unless faults were ordered, nobody expects one.
func (w *world) expect(what string, err error) (ok bool) {
	if err != nil {
		w.refused(err)
		w.errs = append(w.errs, fmt.Errorf("%s: %w", what, err))
	}
	return err == nil
}

// refused notes that the log did not do something, maybe for good.
func (w *world) refused(err error) {
	w.told++
	if errors.Is(err, walfs.ErrStopped) {
		w.stopped = w.log
	}
}

// broken notes a broken promise.
func (w *world) broken(format string, args ...any) {
	if w.wrong == nil {
		w.wrong = fmt.Errorf(format, args...)
	}
}

// open opens the log, which makes durable what it shows, and reads it.
func (w *world) open() {
	w.log, w.clock.pending, w.owed, w.kept = nil, nil, 0, 0
	fs := walfstest.Faults{FS: w.wrap(w.disk), Decide: func(c walfstest.Call) walfstest.Fate {
		if w.fault == nil {
			return walfstest.Fate{}
		}
		return w.fault(c)
	}}
	o := options(fs)
	o.AfterFunc = w.clock.AfterFunc
	l, err := walfs.Open(crashDir, o)
	if !w.expect("open", err) {
		return
	}
	w.log = l
	f, err := readAll(l)
	if !w.expect("read", err) {
		f.texts = w.hist.texts[f.before:min(int(l.Last()), len(w.hist.texts))]
	}
	if err := w.hist.judge(l, f); err != nil {
		w.broken("opened: %w", err)
		return
	}
	w.hist.lose(f.end())
	w.hist.promised, w.hist.gone, w.hist.pruned = f.end(), f.before, f.before
}

// text makes a text of that length nobody has seen before.
func (w *world) text(length int) string {
	w.made++
	return fmt.Sprintf("%06d", w.made) + strings.Repeat(".", length-6)
}

// append submits n records as a batch.
func (w *world) append(d walfs.Durability, n, length int) error {
	batch := make([]string, n)
	for i := range batch {
		batch[i] = w.text(length)
	}
	w.hist.add(batch)
	_, err := w.log.Append(d, walfs.Records(batch...)...)
	if err != nil {
		w.refused(err)
	}
	switch {
	case errors.Is(err, walfs.ErrStopped): // they may be there, or not
	case err != nil:
		w.hist.drop()
	case d == walfs.Group || d == walfs.Each:
		w.hist.promised = len(w.hist.texts)
	case d != walfs.None:
		w.owed = len(w.hist.texts)
	}
	return err
}

// step is one operation of the alphabet.
type step struct {
	name string
	do   func(w *world)
}

func appending(d walfs.Durability, n, length int) func(w *world) {
	return func(w *world) { w.expect("append", w.append(d, n, length)) }
}

// alphabet is what the enumerated sequences are made of. Segments hold 4 KiB, so
// that two of "fill" or one of "large" rotate.
var alphabet = []step{
	{"none", appending(walfs.None, 1, 700)},
	{"group", appending(walfs.Group, 1, 300)},
	{"each", appending(walfs.Each, 1, 300)},
	{"interval", appending(walfs.Interval(time.Second), 1, 300)},
	{"tick", (*world).tick},
	{"batch", appending(walfs.Group, 3, 400)},
	{"loose", appending(walfs.None, 4, 150)},
	{"fill", appending(walfs.None, 2, 1100)},
	{"large", appending(walfs.Group, 5, 1500)},
	{"sync", (*world).sync},
	{"reopen", (*world).reopen},
	{"kill", (*world).kill},
	{"cut", (*world).cut},
	{"short", failedWrite(walfstest.Fate{Err: syscall.EIO, Short: true})},
	{"late", failedWrite(walfstest.Fate{Err: syscall.EIO, Late: true})},
	{"full", (*world).fullDisk},
	{"prune", (*world).prune},
	{"chop", (*world).chop},
	{"empty", (*world).empty},
}

func (w *world) sync() {
	if w.expect("sync", w.log.Sync()) {
		w.hist.promised = int(w.log.Last())
	}
}

// tick lets the intervals pass.
func (w *world) tick() {
	w.clock.tick()
	durable := int(w.log.Durable())
	if owed := min(w.owed, int(w.log.Last())); durable < owed && !w.faulty {
		w.broken("the interval has passed, and %d of %d records are durable", durable, owed)
	}
	w.hist.promised = max(w.hist.promised, durable)
	w.owed = 0
}

// reopen closes the log as it should be, and opens it again.
func (w *world) reopen() {
	if w.expect("close", w.log.Close()) {
		w.hist.promised = int(w.log.Last())
		w.hist.marked = w.hist.promised
	}
	w.open()
}

// kill ends the process, not the machine: nothing is lost, nothing synced.
func (w *world) kill() {
	all := len(w.hist.texts)
	w.move(w.disk.Kill())
	w.open()
	if left := len(w.hist.texts); left != all && !w.faulty {
		w.broken("%d records are left of %d after a kill", left, all)
	}
}

// cut loses power: nothing that was not synced survives.
func (w *world) cut() {
	w.move(w.disk.PowerCut(walfstest.Nothing))
	w.open()
}

// move goes on with another disk. What the old log still does cannot reach it.
func (w *world) move(to *walfstest.Disk) {
	w.disk = to
	w.disk.Watch(w.watch)
}

// failedWrite appends a batch whose write fails, and then a record that takes the
// place of its first.
func failedWrite(fate walfstest.Fate) func(w *world) {
	return func(w *world) {
		failed := false
		w.fault = func(c walfstest.Call) walfstest.Fate {
			if c.Op != walfstest.Write || failed {
				return walfstest.Fate{}
			}
			failed = true
			return fate
		}
		if w.append(walfs.None, 4, 150) == nil && !w.faulty {
			w.broken("a batch was taken whose write failed")
		}
		w.fault = nil
		w.expect("append behind a failed write", w.append(walfs.None, 1, 150))
	}
}

// fullDisk finds no room for another segment, and then finds some.
func (w *world) fullDisk() {
	w.fault = func(c walfstest.Call) walfstest.Fate {
		if c.Op == walfstest.Allocate {
			return walfstest.Fate{Err: syscall.ENOSPC}
		}
		return walfstest.Fate{}
	}
	if w.append(walfs.Group, 3, 1400) == nil && !w.faulty {
		w.broken("a batch was taken that has no room")
	}
	w.fault = nil
	w.expect("append once there is room", w.append(walfs.Group, 2, 1400))
}

// prune deletes what it can: all records are kept elsewhere.
func (w *world) prune() {
	last := w.log.Last()
	w.log.Checkpoint(last)
	w.kept = int(last)
	w.hist.pruned = max(w.hist.pruned, int(last)-1)
	first, err := w.log.Prune(last)
	if w.expect("prune", err) {
		w.hist.gone = int(first) - 1
	}
	if w.log.First() != first {
		w.broken("pruned to %d, yet the log begins with %d", first, w.log.First())
	}
}

// chop takes the last batch back.
func (w *world) chop() {
	if n := len(w.hist.ends); n > 0 {
		w.truncate(w.hist.whole(n - 1))
	}
}

// empty takes all of them back.
func (w *world) empty() { w.truncate(w.hist.gone) }

func (w *world) truncate(last int) {
	if last < w.kept || last < w.hist.gone {
		err := w.log.Truncate(walfs.LSN(last))
		if !errors.Is(err, walfs.ErrCheckpointed) && !errors.Is(err, walfs.ErrNotFound) && !w.faulty {
			w.broken("cut to %d, the checkpoint is at %d: %v", last, w.kept, err)
		}
		return
	}
	before := w.hist.clone()
	w.hist.promised, w.hist.marked = min(before.promised, last), min(before.marked, last)
	err := w.log.Truncate(walfs.LSN(last))
	switch {
	case w.expect("truncate", err):
		w.hist.lose(last)
		w.hist.promised = last
	case errors.Is(err, walfs.ErrStopped): // some of it may have been cut off
	case int(w.log.Last()) == last:
		w.hist.lose(last)
	default: // nothing was changed
		w.hist = before
	}
}
