package walfs

import (
	"fmt"
	"sync"
)

// maxIdleHandles is how many segment files nobody uses are kept open for random
// reads. Files in use stay open beyond it.
const maxIdleHandles = 64

// handles shares open files between the writer and all readers of a segment, and
// keeps each open for as long as somebody has it.
type handles struct {
	fs FS

	mu     sync.Mutex
	open   map[uint64]*handle // by segment id
	idle   []*handle          // refs == 0, least recently used first
	closed bool
}

// handle is an open segment file. refs belongs to handles.mu.
type handle struct {
	file File
	id   uint64
	refs int
}

func newHandles(fs FS) *handles { return &handles{fs: fs, open: map[uint64]*handle{}} }

// add takes over f, held once by the caller.
func (hs *handles) add(s *segment, f File) *handle {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	h := &handle{file: f, id: s.id, refs: 1}
	hs.open[s.id] = h
	return h
}

// acquire returns the open file of s; the caller releases it.
func (hs *handles) acquire(s *segment) (*handle, error) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	if hs.closed {
		return nil, ErrClosed
	}
	if h, ok := hs.open[s.id]; ok {
		if h.refs++; h.refs == 1 {
			hs.unidle(h)
		}
		return h, nil
	}
	f, err := hs.fs.Open(s.path)
	if err != nil {
		return nil, fmt.Errorf("open segment: %w", err)
	}
	h := &handle{file: f, id: s.id, refs: 1}
	hs.open[s.id] = h
	return h, nil
}

func (hs *handles) unidle(h *handle) {
	for i, other := range hs.idle {
		if other == h {
			hs.idle = append(hs.idle[:i], hs.idle[i+1:]...)
			return
		}
	}
}

// release gives up one hold. The last one closes the file, at once or when
// others need the place.
func (hs *handles) release(h *handle) error {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	if h.refs--; h.refs > 0 {
		return nil
	}
	hs.idle = append(hs.idle, h)
	keep := maxIdleHandles
	if hs.closed {
		keep = 0
	}
	return hs.shrink(keep)
}

// shrink closes idle files until keep are left, and returns the first error.
func (hs *handles) shrink(keep int) error {
	var first error
	for len(hs.idle) > keep {
		h := hs.idle[0]
		hs.idle = hs.idle[1:]
		delete(hs.open, h.id)
		if err := h.file.Close(); err != nil && first == nil {
			first = fmt.Errorf("close segment: %w", err)
		}
	}
	return first
}

// close lets nobody acquire any more. Files in use close as they are released:
// closing a log never waits for a reader.
func (hs *handles) close() error {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	hs.closed = true
	return hs.shrink(0)
}
