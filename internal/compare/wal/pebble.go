package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/record"
)

const (
	// pebbleSegment is the size of CockroachDB's memtables, for each of which
	// pebble begins a new log, in bytes.
	pebbleSegment = 64 << 20
	// pebbleNumber is the number of all log files: it tells the records of a file
	// from those it had when it was another one, and these are always new.
	pebbleNumber = 1
)

// pebbleLog uses pebble's record log as pebble's commit pipeline does: writers
// take turns with a mutex to hand a record to the LogWriter, whose goroutine
// writes and syncs, and wait outside of it.
type pebbleLog struct {
	dir     string
	o       logOptions
	waits   bool     // until a record is written
	old     []string // the files that were there
	pending chan struct{}

	mu     sync.Mutex
	files  int
	file   *pebbleFile
	writer *record.LogWriter
}

func openPebble(waits bool) func(string, logOptions) (recordLog, error) {
	return func(dir string, o logOptions) (recordLog, error) {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
		if o.segment == 0 {
			o.segment = pebbleSegment
		}
		old, err := filepath.Glob(filepath.Join(dir, "*.log"))
		if err != nil {
			return nil, err
		}
		l := &pebbleLog{
			dir: dir, o: o, waits: waits, old: old, files: len(old),
			pending: make(chan struct{}, record.SyncConcurrency-1),
		}
		// Pebble replays the old files and goes on in a new one.
		if err := l.scan(func([]byte) error { return nil }); err != nil {
			return nil, err
		}
		return l, l.rotate()
	}
}

// rotate begins a new file, of full length: the cost is that of the files that
// pebble uses again.
func (l *pebbleLog) rotate() error {
	if l.writer != nil {
		if err := l.closeFile(); err != nil {
			return err
		}
	}
	f, err := newSegmentFile(filepath.Join(l.dir, fmt.Sprintf("%08d.log", l.files)), l.o.segment)
	if err != nil {
		return err
	}
	l.files++
	l.file = &pebbleFile{File: f}
	l.file.unsynced.Store(!l.o.synced)
	l.writer = record.NewLogWriter(l.file, pebbleNumber, record.LogWriterConfig{
		QueueSemChan: l.pending, WriteWALSyncOffsets: func() bool { return true },
	})
	return nil
}

func (l *pebbleLog) closeFile() error {
	l.file.unsynced.Store(false)
	return l.writer.Close()
}

// pebbleFile leaves out the syncs of unsynced records, not those of full files.
type pebbleFile struct {
	*os.File
	unsynced atomic.Bool
}

func (f *pebbleFile) Sync() error {
	if f.unsynced.Load() {
		return nil
	}
	return datasync(f.File)
}

func (l *pebbleLog) store(recs ...[]byte) error {
	if !l.waits {
		return l.write(recs, nil, nil)
	}
	var fault error
	var written sync.WaitGroup
	written.Add(1)
	l.pending <- struct{}{}
	if err := l.write(recs, &written, &fault); err != nil {
		return err
	}
	written.Wait()
	return fault
}

// write hands records over; written is told when the last one is.
func (l *pebbleLog) write(recs [][]byte, written *sync.WaitGroup, fault *error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, r := range recs {
		if l.writer.Size() > l.o.segment {
			if err := l.rotate(); err != nil {
				return err
			}
		}
		wg := written
		if i < len(recs)-1 {
			wg = nil
		}
		if _, err := l.writer.SyncRecord(r, wg, fault); err != nil {
			return err
		}
	}
	return nil
}

// scan reads as pebble's replay does.
func (l *pebbleLog) scan(visit func([]byte) error) error {
	var buf bytes.Buffer
	for _, name := range l.old {
		if err := scanPebble(name, &buf, visit); err != nil {
			return err
		}
	}
	return nil
}

func scanPebble(name string, buf *bytes.Buffer, visit func([]byte) error) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	for r := record.NewReader(f, pebbleNumber); ; {
		one, err := r.Next()
		if err == nil {
			buf.Reset()
			_, err = io.Copy(buf, one)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := visit(buf.Bytes()); err != nil {
			return err
		}
	}
}

func (l *pebbleLog) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closeFile()
}
