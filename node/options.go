package node

import (
	"fmt"
	"log/slog"
	"time"

	"lightcone/walfs"
)

// Durability is when a write is acknowledged.
type Durability = walfs.Durability

// The durabilities of own writes; the others are Interval's.
const (
	// Group acknowledges after a sync that writers share. It is the default.
	Group = walfs.Group
	// Each acknowledges after a sync of the write's own.
	Each = walfs.Each
	// None acknowledges once written to the operating system: it survives a
	// crash of the process, not of the machine. Other peers get the write after
	// a sync at most sealDelay later.
	None = walfs.None
)

// Interval acknowledges as None does; the sync comes after d, or after sealDelay
// if that is sooner.
func Interval(d time.Duration) Durability { return walfs.Interval(d) }

// Bounds of the owner's queues. A full queue makes the caller wait.
const (
	maxQueuedWrites = 1024
	maxQueuedInputs = 256
	maxQueuedCalls  = 64
)

const (
	// sealDelay bounds how long an acknowledged write of durability None or
	// Interval waits for the sync and seal that let it leave the replica.
	sealDelay = 5 * time.Millisecond
	// sealRetry is when a seal that failed, as on a full disk, is tried again.
	sealRetry = time.Second
	// DefaultWait is how long a read waits for its context when Read.Wait is 0.
	DefaultWait = 2 * time.Second
	// wantEvery is how often a waiting read repeats its want.
	wantEvery = time.Second
)

// Options configures Open. The zero Options is a durable node on the system's clock.
type Options struct {
	// Durability of own writes. The zero value is Group.
	Durability Durability
	// SegmentSize of the log in bytes; 0 is walfs's default.
	SegmentSize int64
	// LogFS is where the files of the log live: the seam through which tests and
	// simulations fill the disk and make it fail. nil is the operating system.
	LogFS walfs.FS
	// Retention is how long a root that a token names can be read at least; 0 is
	// DefaultRetention.
	Retention time.Duration
	// Silent keeps this node from writing pings. It knows those of others; its own
	// memos are in nobody's stability cut, for it claims nothing.
	Silent bool
	// Budget bounds what the node takes in of others, in units a second: a memo
	// attached, a row merged and a block decoded are one each. What is beyond it is
	// not heard, and comes by recon and merged roots. 0 bounds it only while more
	// comes than the node is measured to manage.
	Budget int
	// Late says what becomes of late memos in spaces that have no policy of their own, see
	// Space.SetLate. The directory remembers it: "" is as the last time, at first LateAccept.
	Late LatePolicy
	// MemosOnly never fetches the state of a peer that is far ahead, beside its memos:
	// it saves bytes, and the first answers wait for all memos.
	MemosOnly bool
	// Volatile keeps what is derived from the log, index and projection, in memory: each
	// Open makes it anew from the log. Not for large logs: it is made for simulations.
	Volatile bool
	// Seed decides what the node leaves to chance, but for keys and secrets, so that a
	// simulation can be run again; 0 draws one that nobody knows.
	Seed uint64
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Logger gets what nobody is waiting to be told; nil discards it.
	Logger *slog.Logger
}

// Validate fills nothing in and reports what cannot work.
func (o Options) Validate() error {
	if o.SegmentSize < 0 {
		return fmt.Errorf("node: a segment size of %d bytes; leave it 0 for the default", o.SegmentSize)
	}
	if err := o.Durability.Validate(); err != nil {
		return fmt.Errorf("node: %w", err)
	}
	if err := o.Late.Validate(); err != nil {
		return fmt.Errorf("node: %w", err)
	}
	if o.Budget < 0 || o.Budget > 0 && o.Budget < leastBudget {
		return fmt.Errorf("node: a budget of %d units a second; give at least %d, or 0 for no bound of its own", o.Budget, leastBudget)
	}
	if o.Retention < 0 {
		return fmt.Errorf("node: a retention of %v; leave it 0 for the default of %v", o.Retention, DefaultRetention)
	}
	return nil
}

func (o Options) withDefaults() Options {
	if o.Retention == 0 {
		o.Retention = DefaultRetention
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}
