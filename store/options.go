package store

import (
	"fmt"
	"log/slog"

	"lightcone/memo"
	"lightcone/walfs"
)

const (
	// DefaultMaxPendingRuns bounds the runs that wait for causes.
	DefaultMaxPendingRuns = 16 << 10
	// DefaultMaxPendingBytes bounds the encoded bytes of the runs that wait for
	// causes. Decoded, in memory, they take about three times as much.
	DefaultMaxPendingBytes = 32 << 20
	// MinSegmentSize is the smallest Options.WAL.SegmentSize, in bytes: the
	// largest run must fit into a segment.
	MinSegmentSize = 256 << 10
	// CheckpointEvery is how many bytes of log may pass before the index is
	// written to disk in the background. It bounds what Open has to replay.
	CheckpointEvery = 64 << 20
)

// Options of Open. The zero value is ready to use.
type Options struct {
	// WAL are the options of the log in dir/wal.
	WAL walfs.Options
	// KV is the index. Default: pebble in dir/kv. The store closes it.
	KV KV
	// MaxPendingRuns and MaxPendingBytes bound the pending set. Default
	// DefaultMaxPendingRuns and DefaultMaxPendingBytes.
	MaxPendingRuns  int
	MaxPendingBytes int
	// Usage tells how many bytes of the disk that dir is on are free for this
	// user, and how many it has. Default: the system does.
	Usage func(dir string) (free, total uint64, err error)
	// Logger is told when the index is rebuilt and why. Default: nobody is.
	Logger *slog.Logger
}

// Validate reports what is wrong with o, wrapping ErrBadOptions.
func (o Options) Validate() error {
	if err := o.WAL.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrBadOptions, err)
	}
	switch {
	case o.WAL.SegmentSize != 0 && o.WAL.SegmentSize < MinSegmentSize:
		return fmt.Errorf("%w: segment size %d, a run needs at least %d", ErrBadOptions, o.WAL.SegmentSize, MinSegmentSize)
	case o.MaxPendingRuns < 0:
		return fmt.Errorf("%w: %d pending runs", ErrBadOptions, o.MaxPendingRuns)
	case o.MaxPendingBytes != 0 && o.MaxPendingBytes < memo.MaxRunBytes:
		return fmt.Errorf("%w: %d pending bytes, one run may have %d", ErrBadOptions, o.MaxPendingBytes, memo.MaxRunBytes)
	}
	return nil
}

func (o Options) withDefaults() Options {
	if o.MaxPendingRuns == 0 {
		o.MaxPendingRuns = DefaultMaxPendingRuns
	}
	if o.MaxPendingBytes == 0 {
		o.MaxPendingBytes = DefaultMaxPendingBytes
	}
	if o.WAL.FS == nil {
		o.WAL.FS = walfs.OS
	}
	if o.Usage == nil {
		o.Usage = diskUsage
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}
