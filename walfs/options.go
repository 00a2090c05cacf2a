package walfs

import (
	"fmt"
	"slices"
	"time"
)

const (
	// DefaultSegmentSize is the size in bytes of new segments unless told
	// otherwise: large enough that rotation is rare, small enough that opening
	// the last one and losing one to damage stay cheap.
	DefaultSegmentSize = 16 << 20
	// MinSegmentSize and MaxSegmentSize bound Options.SegmentSize, in bytes.
	MinSegmentSize = 4 << 10
	MaxSegmentSize = 1 << 30
	// MaxBatch bounds the encoded bytes of one Append: a batch never straddles
	// segments, so one that outgrows SegmentSize gets a segment of its own size.
	MaxBatch = 1 << 30
)

// LSN numbers records 1, 2, 3, … over the whole log. 0 means "none".
type LSN = uint64

// Position is where a frame starts. The zero Position is the log's beginning.
type Position struct {
	Segment uint64 // id of the segment, from 1
	Offset  uint64 // byte of the frame in the segment file
}

// Kind tells what a record's data is. The log only stores it.
type Kind uint8

// The kinds of record the store writes.
const (
	KindRun        Kind = 1 // a foreign run, one record so that it is atomic
	KindOwnMemo    Kind = 2
	KindOwnSeal    Kind = 3
	KindAdopt      Kind = 4
	KindBlock      Kind = 5
	KindCheckpoint Kind = 6
)

// Record is what a caller appends. Append does not keep Data.
type Record struct {
	Kind Kind // not 0
	Data []byte
}

// Placed tells where an appended record went.
type Placed struct {
	LSN LSN
	Pos Position
}

// Entry is a record read back. Data is the log's own memory, read-only: writing
// to it faults. It stays valid as long as the Entry does: keep the Entry, not Data
// alone, or Clone it. (While the log is open and the record not pruned, Data alone
// is valid too.)
type Entry struct {
	LSN  LSN
	Pos  Position
	Kind Kind
	Data []byte

	memory *mapping // what Data lies in
}

// Clone copies Data, so that it is the caller's own.
func (e Entry) Clone() Entry {
	e.Data, e.memory = slices.Clone(e.Data), nil
	return e
}

// Options of Open. The zero value is ready to use.
type Options struct {
	// SegmentSize is the size in bytes of segments made from now on; existing
	// ones keep their own. Default DefaultSegmentSize.
	SegmentSize int64
	// FS is where the files live. Default OS, or OSReadOnly when Degraded.
	FS FS
	// Now stamps segment headers. The stamps are information for people only:
	// nothing is decided by them. Default time.Now.
	Now func() time.Time
	// Degraded opens a log as it is, damaged or not, to read what can be read.
	// Nothing is changed on disk, not one byte, and nothing can be appended
	// (ErrReadOnly). Report.Damage lists what is wrong, as far as opening met it;
	// Log.Verify finds the rest. Records keep what LSNs they have, and a Reader
	// stops at each gap, which Skip passes over. It is safe beside a process that
	// writes the log; what that appends after Open is not seen.
	Degraded bool
	// CheckReads computes a record's checksum whenever it is read, not only the first
	// time: where a disk rots, memory shows other bytes than it did before.
	CheckReads bool
	// AfterFunc calls f after d, unless stop is called before: it returns whether
	// it came in time. It tells Interval when to sync. Default time.AfterFunc.
	AfterFunc func(d time.Duration, f func()) (stop func() bool)
	// Go runs f, which makes the next segment while the active one fills. Default
	// a goroutine; a test may call f at once, to have all steps in one order.
	Go func(f func())
}

// Validate reports what is wrong with o, wrapping ErrBadOptions.
func (o Options) Validate() error {
	if s := o.SegmentSize; s != 0 && (s < MinSegmentSize || s > MaxSegmentSize || s%frameAlign != 0) {
		return fmt.Errorf("%w: segment size %d, want %d to %d bytes and a multiple of %d",
			ErrBadOptions, s, MinSegmentSize, MaxSegmentSize, frameAlign)
	}
	return nil
}

func (o Options) withDefaults() Options {
	if o.SegmentSize == 0 {
		o.SegmentSize = DefaultSegmentSize
	}
	if o.FS == nil && o.Degraded {
		o.FS = OSReadOnly
	}
	if o.FS == nil {
		o.FS = OS
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.AfterFunc == nil {
		o.AfterFunc = func(d time.Duration, f func()) func() bool { return time.AfterFunc(d, f).Stop }
	}
	if o.Go == nil {
		o.Go = func(f func()) { go f() }
	}
	return o
}

// maxData is the longest Data a record may have in segments of this size.
func (o Options) maxData() int64 {
	return o.SegmentSize - headerSize - frameOverhead - recordOverhead
}
