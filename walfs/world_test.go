package walfs_test

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"lightcone/walfs"
	"lightcone/walfs/walfstest"
)

// crashDir is where the log of a world lies on its disk.
const crashDir = "/log"

// world is a log under way on a disk that may lose power, and what was asked of it.
type world struct {
	disk   *walfstest.Disk
	watch  func(walfstest.Call)    // told of each step on whatever disk it is
	wrap   func(walfs.FS) walfs.FS // puts something before every disk a log is opened on
	fault  func(walfstest.Call) walfstest.Fate
	log    *walfs.Log
	clock  clock // of the log that is open
	hist   history
	made   int     // texts so far: none is used twice, so that dead records are known
	faulty bool    // operations fail that no step ordered
	told   int     // how often the log refused something
	errs   []error // the refusals that nobody ordered
	wrong  error   // the first promise it broke while it was open
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
		w.told++
		w.errs = append(w.errs, fmt.Errorf("%s: %w", what, err))
	}
	return err == nil
}

// broken notes a broken promise.
func (w *world) broken(format string, args ...any) {
	if w.wrong == nil {
		w.wrong = fmt.Errorf(format, args...)
	}
}

// open opens the log, which makes durable what it shows, and reads it.
func (w *world) open() {
	w.log, w.clock.pending = nil, nil
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
	found, err := readAll(l)
	if !w.expect("read", err) {
		found = w.hist.texts[:min(int(l.Last()), len(w.hist.texts))]
	}
	if err := w.hist.judge(l, found); err != nil {
		w.broken("opened: %w", err)
		return
	}
	w.hist.promised = len(found)
	w.hist.lose(len(found))
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
		w.told++
	}
	switch {
	case errors.Is(err, walfs.ErrStopped): // they may be there, or not
	case err != nil:
		w.hist.drop()
	case d == walfs.Group || d == walfs.Each:
		w.hist.promised = len(w.hist.texts)
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
}

func (w *world) sync() {
	if w.expect("sync", w.log.Sync()) {
		w.hist.promised = int(w.log.Last())
	}
}

// tick lets the intervals pass.
func (w *world) tick() {
	owed := w.clock.pending != nil
	w.clock.tick()
	durable := int(w.log.Durable())
	if owed && durable < int(w.log.Last()) && !w.faulty {
		w.broken("the interval has passed, and %d of %d records are durable", durable, w.log.Last())
	}
	w.hist.promised = max(w.hist.promised, durable)
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

// lose forgets the records behind the first n: a power cut took them.
func (h *history) lose(n int) {
	h.texts = h.texts[:n]
	for len(h.ends) > 0 && h.ends[len(h.ends)-1] > n {
		h.ends = h.ends[:len(h.ends)-1]
	}
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
