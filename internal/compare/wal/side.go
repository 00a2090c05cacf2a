package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
)

// side is a log in the comparison.
type side struct {
	name string
	open func(dir string, o logOptions) (recordLog, error)
	// serves is how many writers share one log.
	serves serving
	// tails tells that readers can follow a writer; peer, that ratios count it;
	// only, that it takes part in that group alone.
	tails, peer bool
	only        string
}

// sides in the order of the table's columns.
var sides = []side{
	{name: "bare", open: openBare, serves: alone},
	{name: ours, open: openWALFS, serves: concurrent, tails: true},
	{name: "etcd", open: openEtcd, serves: batched, peer: true},
	{name: "raft-wal", open: openRaft, serves: batched, tails: true, peer: true},
	{name: "pebble", open: openPebble(true), serves: concurrent, peer: true},
	{name: "pebble-buffered", open: openPebble(false), serves: concurrent, only: groupNone},
}

// ours is the side whose ratios the tables show.
const ours = "lightcone"

// serving is how a side's users let many writers write.
type serving int

const (
	concurrent serving = iota // writers call store themselves
	batched                   // one goroutine stores what all writers have queued meanwhile
	alone                     // one goroutine stores a record of each writer at once: the floor
)

// logOptions say how a log is opened.
type logOptions struct {
	synced  bool  // a stored record is on the disk, not only with the system
	segment int64 // bytes; 0: the side's default
	record  int   // bytes of each record, for logs that have no frames
}

// recordLog is an open log, empty or with what was stored before.
type recordLog interface {
	// store appends records and returns when the promise of the options holds.
	store(recs ...[]byte) error
	// scan calls visit with every record that was there when the log was opened,
	// in order. The record is only lent.
	scan(visit func(rec []byte) error) error
	close() error
}

// indexed is a log that finds records by number, from 0.
type indexed interface {
	at(i int) ([]byte, error)
}

// placed is a log that finds records by places that whoever stored or read them
// was told.
type placed interface {
	learnPlaces() error
	atPlace(i int) ([]byte, error)
}

// followed is a log whose readers can follow a writer. visit ends it with an
// error; it has every record, also those stored later, in order.
type followed interface {
	follow(visit func(rec []byte) error) error
}

// errWork reports a side that did not do the work it was given.
var errWork = errors.New("the log does not hold what was stored")

// Layout of a record: its number, a time stamp of the tails, bytes that do not
// compress, and the number again.
const (
	stampAt    = 8
	filledFrom = 16
	numberSize = 8
)

var filler = func() []byte {
	b := make([]byte, 64<<10)
	rand.NewChaCha8([32]byte{}).Read(b)
	return b
}()

// payload is a buffer for records of one size.
type payload []byte

func newPayload(size int) payload { return append(payload(nil), filler[:size]...) }

// set makes it record number i.
func (r payload) set(i int, stamp int64) {
	binary.LittleEndian.PutUint64(r, uint64(i))
	binary.LittleEndian.PutUint64(r[stampAt:], uint64(stamp))
	binary.LittleEndian.PutUint64(r[len(r)-numberSize:], uint64(i))
}

// number returns which record it is, after a look at both ends.
func number(rec []byte, size int) (int, error) {
	if len(rec) != size {
		return 0, fmt.Errorf("%w: a record of %d bytes, want %d", errWork, len(rec), size)
	}
	i := binary.LittleEndian.Uint64(rec)
	if end := binary.LittleEndian.Uint64(rec[size-numberSize:]); end != i {
		return 0, fmt.Errorf("%w: record %d ends like record %d", errWork, i, end)
	}
	return int(i), nil
}

// verify opens a log again and checks that it holds the records [0, n), each
// once, with all bytes.
func verify(s side, dir string, o logOptions, n int) (err error) {
	l, err := s.open(dir, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	seen, count := make([]bool, n), 0
	err = l.scan(func(rec []byte) error {
		i, err := number(rec, o.record)
		if err != nil {
			return err
		}
		if i >= n || seen[i] {
			return fmt.Errorf("%w: record %d is there twice or was never stored", errWork, i)
		}
		if !bytes.Equal(rec[filledFrom:o.record-numberSize], filler[filledFrom:o.record-numberSize]) {
			return fmt.Errorf("%w: record %d has other bytes", errWork, i)
		}
		seen[i] = true
		count++
		return nil
	})
	if err == nil && count != n {
		err = fmt.Errorf("%w: %d of %d records", errWork, count, n)
	}
	return err
}

// fillBatch is how many records fill stores at once.
const fillBatch = 100

// fill makes a log of n records, in order, and verifies it.
func fill(s side, dir string, o logOptions, n int) error {
	l, err := s.open(dir, o)
	if err != nil {
		return err
	}
	batch := make([][]byte, fillBatch)
	for i := range batch {
		batch[i] = newPayload(o.record)
	}
	for i := 0; i < n && err == nil; i += fillBatch {
		recs := batch[:min(fillBatch, n-i)]
		for k, r := range recs {
			payload(r).set(i+k, 0)
		}
		err = l.store(recs...)
	}
	if err = errors.Join(err, l.close()); err != nil {
		return err
	}
	return verify(s, dir, o, n)
}
