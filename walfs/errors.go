package walfs

import (
	"errors"
	"fmt"
	"syscall"
)

var (
	// ErrNoNewData is returned at the live end of the log: wait, then read on.
	ErrNoNewData = errors.New("no new data yet")
	// ErrClosed is returned by a log or reader that was closed.
	ErrClosed = errors.New("log is closed")
	// ErrStopped wraps the failed sync after which a log takes no more records.
	// What the disk holds is unknown then; close the log, mend the disk, reopen.
	ErrStopped = errors.New("log stopped by a failed sync; mend the disk and reopen")
	// ErrUnreadable wraps a read that the disk refused: no damage was seen, and
	// trying again may help.
	ErrUnreadable = errors.New("the disk does not deliver these bytes")
	// ErrTooLarge is returned for a record no segment can hold, or a batch over
	// MaxBatch. Nothing of it was written.
	ErrTooLarge = errors.New("too large for the log")
	// ErrBadRecord is returned for a record of kind 0. Nothing was written.
	ErrBadRecord = errors.New("record kind must not be 0")
	// ErrBadPosition is returned for a position outside the log.
	ErrBadPosition = errors.New("position outside the log")
	// ErrNotFound is returned by Seek for an LSN the log does not hold.
	ErrNotFound = errors.New("no record with that LSN")
	// ErrBadOptions is returned by Validate and Open.
	ErrBadOptions = errors.New("bad walfs options")
	// ErrVersion marks a segment written by another version of the format. It is
	// wrapped in a DamageError; the fix is a program that knows that version.
	ErrVersion = errors.New("segment of another format version")
)

// NoSpace reports whether err says that the disk, or its user's share, is full.
// When Append returns such an error, nothing was appended and the log goes on:
// smaller batches may still fit, and all do once there is room.
func NoSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// DamageError reports bytes that are not what was promised to be there. Nothing
// is changed on disk when it is returned, so the file can still be examined.
type DamageError struct {
	File   string // path of the segment file
	Offset int64  // first byte of the frame or header that is wrong
	Err    error  // what is wrong with it
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("damage in %s at offset %d: %v; nothing was changed, restore this file from a copy",
		e.File, e.Offset, e.Err)
}

func (e *DamageError) Unwrap() error { return e.Err }

// frameError says what is wrong with bytes that should be a frame or a header,
// as opposed to an error of the disk that could not even read them.
type frameError string

func (e frameError) Error() string { return string(e) }
