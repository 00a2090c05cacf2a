package projection

import (
	"errors"
	"fmt"
	"time"
)

// Defaults of Options. Sizes are estimates of memory, not of the file.
const (
	// DefaultFlushBytes is some 15,000 rows of seven fields: enough of them
	// share a page of the file to make rewriting the page worth it.
	DefaultFlushBytes = 16 << 20
	// DefaultMaxBytes lets an import run ahead of a slow disk, within bounds.
	DefaultMaxBytes = 4 * DefaultFlushBytes
	// DefaultFlushInterval bounds what a crash leaves to replay on a quiet node.
	DefaultFlushInterval = 5 * time.Second
)

// Limits that are not for users to set.
const (
	// MaxFileBytes bounds the file. The address space for it is reserved when
	// it is opened: bbolt can move its memory map only when no snapshot is open,
	// so a growing file must never need to. (1 GiB where pointers have 32 bits.)
	MaxFileBytes = 1 << (30 + 6*(^uint(0)>>63))
	// lockTimeout is how long Open waits for another process to let the file go.
	lockTimeout = 500 * time.Millisecond
	// fullRetry is how often a flush that found the disk full is tried again.
	fullRetry = 250 * time.Millisecond
	// growBytes is the step by which the file grows.
	growBytes = 1 << 20
	// fillPercent is how full bbolt leaves the pages it splits. Measured on rows
	// of 315 bytes, in order and at random: 460 and 900 bytes of file a row; at
	// bbolt's own 0.5 they are 695 and 904, at 0.9 they are 377 and 1145.
	fillPercent = 0.7
	// minChunk and maxChunk bound the rows read from the file at one go: short
	// scans stay cheap, long ones do not keep others from the base for long.
	minChunk = 32
	maxChunk = 256
)

// ErrOptions reports options that contradict each other.
var ErrOptions = errors.New("invalid projection options")

// Options tunes a DB. The zero value of a field means its default.
type Options struct {
	FlushBytes    int64         // size of the memtable, in bytes, at which it is written to the file
	MaxBytes      int64         // size at which Apply waits for the flush before
	FlushInterval time.Duration // the longest a change waits for a flush to begin
	Memory        bool          // there is no file: everything stays in memory and ends with the DB. For simulations
}

func (o Options) withDefaults() Options {
	if o.FlushBytes == 0 {
		o.FlushBytes = DefaultFlushBytes
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = max(DefaultMaxBytes, o.FlushBytes)
	}
	if o.FlushInterval == 0 {
		o.FlushInterval = DefaultFlushInterval
	}
	return o
}

// Validate tells whether o, with defaults filled in, makes sense.
func (o Options) Validate() error {
	o = o.withDefaults()
	switch {
	case o.FlushBytes < 0 || o.FlushInterval < 0:
		return fmt.Errorf("%w: FlushBytes %d and FlushInterval %v must not be negative", ErrOptions, o.FlushBytes, o.FlushInterval)
	case o.MaxBytes < o.FlushBytes:
		return fmt.Errorf("%w: MaxBytes %d is below FlushBytes %d, so Apply would wait for a flush that never starts; raise it",
			ErrOptions, o.MaxBytes, o.FlushBytes)
	}
	return nil
}
