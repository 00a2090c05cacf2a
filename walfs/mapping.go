package walfs

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync/atomic"
)

// mapping is a segment file seen as memory. Whoever holds it may read: the bytes
// stay mapped until the garbage collector finds that nobody holds it any more,
// also when the log is closed or the segment deleted meanwhile. That is why an
// Entry keeps its mapping, and why neither Close nor Prune waits for readers.
type mapping struct {
	data []byte
	// checked has a bit for every place a frame can start at: set when the frame
	// there was found sound. A record's checksum is computed once per mapping, unless
	// Options.CheckReads asks for more.
	checked []atomic.Uint64
}

// checkedBits is how many frame places a word of mapping.checked covers.
const checkedBits = 64

// mapFile maps the first size bytes of f. The mapping outlives f.
func mapFile(f File, size int64) (*mapping, error) {
	data, unmap, err := f.Map(size)
	if err != nil {
		return nil, err
	}
	places := size/frameAlign + 1
	m := &mapping{data: data, checked: make([]atomic.Uint64, places/checkedBits+1)}
	runtime.AddCleanup(m, func(unmap func() error) { _ = unmap() }, unmap)
	return m, nil
}

// isChecked reports whether the frame at off was found sound before.
func (m *mapping) isChecked(off int64) bool {
	place := off / frameAlign
	return m.checked[place/checkedBits].Load()&(1<<(place%checkedBits)) != 0
}

func (m *mapping) setChecked(off int64) {
	place := off / frameAlign
	m.checked[place/checkedBits].Or(1 << (place % checkedBits))
}

// doubt has the frame at off checked anew when it is read next.
func (m *mapping) doubt(off int64) {
	place := off / frameAlign
	m.checked[place/checkedBits].And(^uint64(1 << (place % checkedBits)))
}

// record reads the record whose frame starts at off, all of which must lie below
// limit; size is what the frame takes on disk. io.EOF means that the frames end
// at off, a frameError that the bytes are no record.
//
// A page the disk cannot deliver, or a file somebody cut short, is an error
// wrapping ErrUnreadable: without the guard here the process would die of SIGBUS.
func (m *mapping) record(off, limit int64) (r logRecord, size int64, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			r, size, err = logRecord{}, 0, unreadable(p)
		}
	}()
	trusted := m.isChecked(off)
	data, size, err := readFrame(m.data, off, limit, trusted)
	if err != nil {
		return logRecord{}, 0, err
	}
	if r, err = decodeRecord(data); err == nil && !trusted {
		m.setChecked(off)
	}
	return r, size, err
}

// bytes calls look on a part of the file, with the same guard.
func (m *mapping) bytes(from, to int64, look func(b []byte) error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = unreadable(p)
		}
	}()
	return look(m.data[from:to])
}

// unreadable makes an error of a panic that is a memory fault; others go on.
func unreadable(p any) error {
	fault, ok := p.(interface {
		runtime.Error
		Addr() uintptr
	})
	if !ok {
		panic(p)
	}
	return fmt.Errorf("%w: %v", ErrUnreadable, fault)
}
