package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const (
	// bareSegment is the length of a file when the sides take their own sizes.
	bareSegment = 64 << 20
	// bareChunk is how much a scan reads at once, in bytes.
	bareChunk = 64 << 10
)

// bareLog is the floor: pwrite of the records into preallocated files, without
// frames or checksums, and fdatasync.
type bareLog struct {
	dir   string
	o     logOptions
	files []*os.File
	off   int64 // in the last file
	buf   []byte
}

func openBare(dir string, o logOptions) (recordLog, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if o.segment == 0 {
		o.segment = bareSegment
	}
	o.segment -= o.segment % int64(o.record)
	l := &bareLog{dir: dir, o: o}
	names, err := filepath.Glob(filepath.Join(dir, "*.bare"))
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			return nil, err
		}
		l.files = append(l.files, f)
	}
	if len(names) > 0 {
		l.off, err = l.files[len(names)-1].Seek(0, io.SeekEnd)
		return l, err
	}
	return l, l.rotate()
}

// rotate begins another file; the last one is synced, and ends where its
// records do.
func (l *bareLog) rotate() error {
	if len(l.files) > 0 {
		if err := l.seal(); err != nil {
			return err
		}
	}
	f, err := newSegmentFile(filepath.Join(l.dir, fmt.Sprintf("%08d.bare", len(l.files))), l.o.segment)
	l.files, l.off = append(l.files, f), 0
	return err
}

func (l *bareLog) seal() error {
	f := l.files[len(l.files)-1]
	return errors.Join(f.Truncate(l.off), datasync(f))
}

// store writes all of recs at once.
func (l *bareLog) store(recs ...[]byte) error {
	data := recs[0]
	if len(recs) > 1 {
		l.buf = l.buf[:0]
		for _, r := range recs {
			l.buf = append(l.buf, r...)
		}
		data = l.buf
	}
	if l.off+int64(len(data)) > l.o.segment {
		if err := l.rotate(); err != nil {
			return err
		}
	}
	f := l.files[len(l.files)-1]
	if _, err := f.WriteAt(data, l.off); err != nil {
		return err
	}
	l.off += int64(len(data))
	if l.o.synced {
		return datasync(f)
	}
	return nil
}

func (l *bareLog) scan(visit func([]byte) error) error {
	chunk := make([]byte, bareChunk-bareChunk%l.o.record)
	for _, f := range l.files {
		for off := int64(0); ; off += int64(len(chunk)) {
			n, err := f.ReadAt(chunk, off)
			for at := 0; at+l.o.record <= n; at += l.o.record {
				if err := visit(chunk[at : at+l.o.record]); err != nil {
					return err
				}
			}
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// at reads one record; all but the last file hold as many as the first.
func (l *bareLog) at(i int) ([]byte, error) {
	if l.buf == nil {
		l.buf = make([]byte, l.o.record)
	}
	info, err := l.files[0].Stat()
	if err != nil {
		return nil, err
	}
	each := int(info.Size()) / l.o.record
	_, err = l.files[i/each].ReadAt(l.buf, int64(i%each*l.o.record))
	return l.buf, err
}

func (l *bareLog) close() error {
	err := l.seal()
	for _, f := range l.files {
		err = errors.Join(err, f.Close())
	}
	return err
}

// newSegmentFile makes a file with space for size bytes, which is in its
// directory for good.
func newSegmentFile(name string, size int64) (*os.File, error) {
	f, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	dir, err := os.Open(filepath.Dir(name))
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	err = errors.Join(unix.Fallocate(int(f.Fd()), 0, 0, size), dir.Sync(), dir.Close())
	return f, err
}

func datasync(f *os.File) error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
