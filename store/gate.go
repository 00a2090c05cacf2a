package store

import (
	"fmt"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"lightcone/walfs"
)

// fullRetry is how often a write that found the disk full is tried again.
const fullRetry = 250 * time.Millisecond

// gate stands between pebble and its files. Pebble cannot bear a write that
// fails: it tries a flush again at once and for ever, and takes a manifest that
// it cannot write for the end of the process. So while the index is open no
// failure gets to it: what found the disk full is tried until there is room, and
// what failed otherwise waits for the index to be closed. Its goroutines sleep
// meanwhile, holding no lock that readers or Apply need; ready says why, so that
// the store takes nothing more into memory than what it has.
//
// While pebble opens or closes, failures return at once: it handles them then.
type gate struct {
	vfs.FS
	closing chan struct{} // closed: the index is being closed

	mu       sync.Mutex
	open     bool          // the index is in use
	returned error         // the last failure that pebble was told of
	held     int           // operations under way that failed
	cause    error         // why, while held > 0
	stuck    chan struct{} // closed while held > 0
}

func newGate(fs vfs.FS) *gate {
	return &gate{FS: fs, closing: make(chan struct{}), stuck: make(chan struct{})}
}

// opened puts the index in use. It fails if a write did before, which may have
// happened behind pebble's back, in a background job that it now repeats.
func (g *gate) opened() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = g.returned == nil
	return g.returned
}

// close lets failures return from now on.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = false
	close(g.closing)
}

// told returns the last failure that pebble was told of.
func (g *gate) told() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.returned
}

// used reports whether the index is in use.
func (g *gate) used() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open
}

// ready returns why the index cannot be written, or nil. It wraps ErrFull when
// that ends by itself.
func (g *gate) ready() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.held == 0 {
		return nil
	}
	return asFull(g.cause)
}

// waiting is closed once ready has something to say.
func (g *gate) waiting() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.stuck
}

// fail reports a failure for good.
func (g *gate) fail(err error) { g.hold(err) }

// hold notes that an operation failed. It returns false when that is to be
// returned to pebble.
func (g *gate) hold(err error) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.open {
		g.returned = err
		return false
	}
	if g.held++; g.held == 1 {
		close(g.stuck)
	}
	g.blame(err)
	return true
}

// note is another failure of an operation on hold.
func (g *gate) note(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.blame(err)
}

// blame keeps the first cause that does not end by itself. The caller holds mu.
func (g *gate) blame(err error) {
	if g.cause == nil || walfs.NoSpace(g.cause) {
		g.cause = err
	}
}

// release is the end of a hold.
func (g *gate) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.held--; g.held == 0 {
		g.cause, g.stuck = nil, make(chan struct{})
	}
}

// do runs op, and runs it again while it finds the disk full.
func (g *gate) do(op func() error) error {
	err := op()
	if err == nil || !g.hold(err) {
		return err
	}
	defer g.release()
	retry := time.NewTicker(fullRetry)
	defer retry.Stop()
	for walfs.NoSpace(err) {
		select {
		case <-retry.C:
		case <-g.closing:
			return g.give(err)
		}
		if err = op(); err == nil {
			return nil
		}
		g.note(err)
	}
	<-g.closing
	return g.give(err)
}

// give notes that pebble is told of err.
func (g *gate) give(err error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.returned = err
	return err
}

// once runs op, which must not be repeated: after a sync that failed the next one
// may succeed without what the first one lost.
func (g *gate) once(op func() error) error {
	return g.do(func() error {
		if err := op(); err != nil {
			return fmt.Errorf("not repeated: %v", err) //nolint:errorlint // a full disk is hidden, since do would repeat it
		}
		return nil
	})
}

func (g *gate) file(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return gateFile{f, g}, nil
}

// Unwrap implements vfs.FS.
func (g *gate) Unwrap() vfs.FS { return g.FS }

// Create is how pebble begins to write anything new. Other ways to make a file are
// for logs and ingestion, which the index does not use.
func (g *gate) Create(name string, c vfs.DiskWriteCategory) (f vfs.File, err error) {
	err = g.do(func() error { f, err = g.FS.Create(name, c); return err })
	return g.file(f, err)
}

// OpenDir passes because a directory's Sync does.
func (g *gate) OpenDir(name string) (vfs.File, error) { return g.file(g.FS.OpenDir(name)) }

// gateFile is a file whose writes pass the gate.
type gateFile struct {
	vfs.File
	gate *gate
}

func (f gateFile) Write(p []byte) (n int, err error) {
	err = f.gate.do(func() error {
		wrote, err := f.File.Write(p[n:])
		n += wrote
		return err
	})
	return n, err
}

func (f gateFile) Sync() error     { return f.gate.once(f.File.Sync) }
func (f gateFile) SyncData() error { return f.gate.once(f.File.SyncData) }

func (f gateFile) SyncTo(length int64) (full bool, err error) {
	err = f.gate.once(func() error { full, err = f.File.SyncTo(length); return err })
	return full, err
}
