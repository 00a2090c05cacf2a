package replicas

import (
	"sync"
	"syscall"
	"time"

	"lightcone/walfs"
	"lightcone/walfs/walfstest"
)

// disk is where the log of one replica lives, until its power is cut. What goes wrong
// with it is decided ahead, by counting operations.
type disk struct {
	p    *replica
	real *walfstest.Disk

	mu      sync.Mutex
	cut     walfstest.Pick  // of the power cut to come, at the operation below
	left    int             // operations until then
	after   *walfstest.Disk // what the cut left: the replica is to crash
	failing int             // syncs until one fails; 0: none will
	full    bool
	slow    time.Duration // of a sync
	hurt    bool          // something failed since the replica started
	failed  bool          // of that, something that a power cut did not do
	gone    bool
}

func newDisk(p *replica, real *walfstest.Disk) *disk { return &disk{p: p, real: real} }

func (d *disk) fs() walfs.FS { return walfstest.Faults{FS: d.real, Decide: d.decide} }

// decide is asked before every operation, on the goroutine that does it.
func (d *disk) decide(c walfstest.Call) walfstest.Fate {
	d.mu.Lock()
	fate, slow := d.fate(c), time.Duration(0)
	if c.Op == walfstest.Sync && fate == (walfstest.Fate{}) {
		slow = d.slow
	}
	d.mu.Unlock()
	if slow == 0 {
		return fate
	}
	time.Sleep(slow)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.gone { // the power went meanwhile
		return walfstest.Fate{Err: errGone}
	}
	return fate
}

// fate decides; mu is held.
func (d *disk) fate(c walfstest.Call) walfstest.Fate {
	changes := c.Op == walfstest.Write || c.Op == walfstest.Sync || c.Op == walfstest.SyncDir || c.Op == walfstest.Rename
	if d.gone {
		if changes || c.Op == walfstest.Create {
			return walfstest.Fate{Err: errGone}
		}
		return walfstest.Fate{}
	}
	if d.cut != nil && changes {
		if d.left--; d.left <= 0 {
			d.after = d.real.PowerCut(d.cut)
			d.cut, d.gone, d.hurt = nil, true, true
			d.p.w.poke()
			return walfstest.Fate{Err: errGone}
		}
	}
	if d.failing > 0 && c.Op == walfstest.Sync {
		if d.failing--; d.failing == 0 {
			d.hurt, d.failed = true, true
			d.real.ForgetWrites(c.Name)
			return walfstest.Fate{Err: syscall.EIO}
		}
	}
	if d.full && (c.Op == walfstest.Write && c.Size > 64 || c.Op == walfstest.Create || c.Op == walfstest.Allocate) {
		d.hurt, d.failed = true, true
		return walfstest.Fate{Err: syscall.ENOSPC, Short: c.Op == walfstest.Write}
	}
	return walfstest.Fate{}
}

// lose has all that is done from now on fail.
func (d *disk) lose() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gone, d.hurt = true, true
}

// takeCut returns what a power cut left, once.
func (d *disk) takeCut() *walfstest.Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	after := d.after
	d.after = nil
	return after
}

// set changes what goes wrong.
func (d *disk) set(f func(d *disk)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f(d)
}

// torn tells a power cut that tears from one that takes all or nothing.
func (w *World) pick() (string, walfstest.Pick) {
	switch w.rng.IntN(3) {
	case 0:
		return "power cut", walfstest.Nothing
	case 1:
		return "late power cut", walfstest.Everything
	}
	return "torn write", walfstest.Luck(w.rng)
}
