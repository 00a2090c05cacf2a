package walfs

import (
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

const (
	segmentSuffix = ".wal"
	tempSuffix    = ".tmp"  // a segment being made: holds no records yet
	tornSuffix    = ".torn" // bytes a recovery took off the end
	segmentDigits = 20      // of the id in a file name, so that names sort

	// indexStride is how far apart, in bytes, the entries of a segment's sparse
	// index are. Seek reads at most about this much to find a record.
	indexStride = 16 << 10
)

// segment is one file of the log. What readers look at is atomic or immutable;
// header belongs to the holder of Log.mu.
type segment struct {
	id    uint64
	path  string
	size  int64 // of the file: it rules, whatever Options say now
	first LSN

	end  atomic.Int64            // where the readable frames end; only grows
	next atomic.Pointer[segment] // set after end has its final value

	header  header
	noted   int64 // offset of the newest entry of index; belongs to the holder of Log.mu
	retired bool  // its file is closed: it was sealed and another follows; guarded by Log.syncMu

	mu     sync.Mutex // guards index, and making mapped
	index  []indexEntry
	mapped atomic.Pointer[mapping] // nil until somebody reads
}

type indexEntry struct {
	lsn LSN
	off int64
}

func segmentName(id uint64) string {
	return fmt.Sprintf("%0*d%s", segmentDigits, id, segmentSuffix)
}

// segmentID is the inverse of segmentName.
func segmentID(name string) (id uint64, ok bool) {
	digits, ok := strings.CutSuffix(name, segmentSuffix)
	if !ok || len(digits) != segmentDigits {
		return 0, false
	}
	id, err := strconv.ParseUint(digits, 10, 64)
	return id, err == nil && id > 0
}

// note remembers that a record starts at off, if the index wants to know. The
// first record of a segment needs no entry. Callers hold Log.mu.
func (s *segment) note(lsn LSN, off int64) {
	if off-s.noted < indexStride {
		return
	}
	s.noted = off
	s.mu.Lock()
	defer s.mu.Unlock()
	s.index = append(s.index, indexEntry{lsn, off})
}

// view is the segment as memory.
func (s *segment) view(fsys FS) (*mapping, error) {
	if m := s.mapped.Load(); m != nil {
		return m, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.mapped.Load(); m != nil {
		return m, nil
	}
	f, err := fsys.Open(s.path)
	if err != nil {
		return nil, fmt.Errorf("open segment: %w", err)
	}
	m, err := mapFile(f, s.size)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("map segment: %w", err)
	}
	s.mapped.Store(m)
	return m, nil
}

// before is the last indexed record at or before lsn.
func (s *segment) before(lsn LSN) indexEntry {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := sort.Search(len(s.index), func(i int) bool { return s.index[i].lsn > lsn })
	if i == 0 {
		return indexEntry{s.first, headerSize}
	}
	return s.index[i-1]
}

// writeHeader replaces the header of s on disk, and in memory when that worked.
// Callers hold Log.mu.
func (l *Log) writeHeader(f File, s *segment, h header) error {
	h.version, h.modified = headerVersion, l.o.Now().UnixNano()
	if _, err := f.WriteAt(h.encode(), 0); err != nil {
		return fmt.Errorf("write header of %s: %w", s.path, err)
	}
	s.header = h
	return nil
}
