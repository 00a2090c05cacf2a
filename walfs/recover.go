package walfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// scanChunk is how much of a segment recovery reads at once, in bytes.
const scanChunk = 1 << 20

// Report is what Open found and did.
type Report struct {
	Segments int    // files in the log
	Records  uint64 // in all of them
	// Torn is the length in bytes of the torn tail that was taken off the last
	// segment, 0 when there was none; TornFile is where it was saved.
	Torn     int64
	TornFile string
	// Stray counts bytes that are not zero behind the end of sealed segments. No
	// record ever lay there: the disk, or somebody, wrote them.
	Stray int64
}

// Open opens the log in dir, making both when they are missing, and recovers
// from whatever a crash left (README.md, "Recovery"). It fails with a
// DamageError, and changes nothing, when bytes are missing that were durable.
func Open(dir string, o Options) (*Log, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	l := &Log{dir: dir, o: o, fs: o.FS}
	if err := l.recover(); err != nil {
		if l.file != nil {
			err = errors.Join(err, l.file.Close())
		}
		return nil, fmt.Errorf("open log: %w", err)
	}
	return l, nil
}

func (l *Log) recover() error {
	if err := l.fs.MkdirAll(l.dir); err != nil {
		return err
	}
	names, err := l.fs.List(l.dir)
	if err != nil {
		return err
	}
	ids := segmentIDs(names)
	segs := make([]*segment, 0, len(ids)+1)
	for i, id := range ids {
		if id != uint64(i+1) {
			return &DamageError{filepath.Join(l.dir, segmentName(uint64(i+1))), 0, frameError("the file is missing")}
		}
		s, err := l.load(id, i == len(ids)-1)
		if err != nil {
			return err
		}
		if i > 0 {
			segs[i-1].next.Store(s)
		}
		segs = append(segs, s)
	}
	// Every segment has been found sound: only now anything may be changed.
	if err := l.removeTemps(names); err != nil {
		return err
	}
	if len(segs) == 0 {
		s, err := l.begin()
		if err != nil {
			return err
		}
		segs = append(segs, s)
	}
	l.active = segs[len(segs)-1]
	l.segs.Store(&segs)
	l.report.Segments, l.report.Records = len(segs), l.last.Load()
	return l.settle()
}

// begin makes the first segment of an empty log.
func (l *Log) begin() (*segment, error) {
	s, f, err := l.prepare(1, 1, 0)
	if err != nil {
		return nil, err
	}
	if err := l.place(s, f); err != nil {
		return nil, err
	}
	l.file = f
	return s, nil
}

// segmentIDs picks the segments out of a directory, in order.
func segmentIDs(names []string) []uint64 {
	var ids []uint64
	for _, name := range names {
		if id, ok := segmentID(name); ok {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// removeTemps removes segments whose making a crash cut short: they held nothing.
func (l *Log) removeTemps(names []string) error {
	for _, name := range names {
		final, ok := strings.CutSuffix(name, tempSuffix)
		if _, isSegment := segmentID(final); !ok || !isSegment {
			continue
		}
		if err := l.fs.Remove(filepath.Join(l.dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// load reads a segment, checks everything that was promised to be in it, and
// advances l.last over its records. It changes nothing on disk.
func (l *Log) load(id uint64, isLast bool) (*segment, error) {
	s := &segment{id: id, path: filepath.Join(l.dir, segmentName(id))}
	f, err := l.fs.Open(s.path)
	if err != nil {
		return nil, fmt.Errorf("open segment: %w", err)
	}
	if isLast {
		l.file = f
	} else {
		defer f.Close()
	}
	if err := l.loadHeader(f, s, isLast); err != nil {
		return nil, err
	}
	m, err := s.view(l.fs)
	if err != nil {
		return nil, err
	}
	if err := l.scan(s, m, s.header.mark); err != nil {
		return nil, s.damage(s.end.Load(), err)
	}
	switch found := l.last.Load() + 1 - s.first; {
	case s.end.Load() != s.header.mark:
		return nil, s.damage(s.end.Load(), io.EOF)
	case found != s.header.count:
		return nil, s.damage(0, frameError(fmt.Sprintf("header counts %d records, there are %d", s.header.count, found)))
	}
	if s.header.sealed {
		n, err := lastNonZero(m, s.end.Load(), s.size)
		l.report.Stray += n
		return s, err
	}
	// Above the mark nothing was promised to be found: the first bytes that are
	// no frame are the torn tail of a crash.
	if err := l.scan(s, m, s.size); err != nil && !errors.As(err, new(frameError)) {
		return nil, s.damage(s.end.Load(), err)
	}
	return s, nil
}

func (l *Log) loadHeader(f File, s *segment, isLast bool) error {
	var err error
	if s.size, err = f.Size(); err != nil {
		return err
	}
	if s.size < headerSize {
		return s.damage(0, frameError("file is shorter than a header"))
	}
	b := make([]byte, headerSize)
	if _, err := f.ReadAt(b, 0); err != nil {
		return s.damage(0, err)
	}
	if s.header, err = decodeHeader(b, s.size); err != nil {
		return &DamageError{s.path, 0, err}
	}
	s.first = s.header.first
	if want := l.last.Load() + 1; s.first != want {
		return s.damage(0, frameError(fmt.Sprintf("first record is %d, want %d: records are missing or twice there", s.first, want)))
	}
	if !isLast && !s.header.sealed {
		return s.damage(0, frameError("segment is not sealed, yet another follows"))
	}
	s.end.Store(headerSize)
	return nil
}

// scan walks the frames from s.end up to limit and moves s.end and l.last over
// those that are sound and carry the LSN that is due, batch by batch: one whose
// end is missing was never promised. A frame with another LSN is no frame of this
// place: an old file's bytes, or a record that was wiped. The error says what
// stopped the scan, nil when the frames simply end.
func (l *Log) scan(s *segment, m *mapping, limit int64) error {
	var left uint32 // of the batch under way, which starts at s.end
	for off, due := s.end.Load(), l.last.Load()+1; ; due++ {
		r, size, err := m.record(off, limit)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		switch {
		case r.lsn != due:
			return errLSN
		case left != 0 && r.left != left-1:
			return errBatch
		}
		off += size
		if left = r.left; left == 0 {
			s.note(l.last.Load()+1, s.end.Load())
			s.end.Store(off)
			l.last.Store(r.lsn)
		}
	}
}

// settle makes the last segment safe to append to: what lies behind the records
// is saved and wiped, and everything found is made durable. The process before
// this one may have died after a write or rename and before its sync.
func (l *Log) settle() error {
	s, f := l.active, l.file
	if !s.header.sealed {
		end := s.end.Load()
		m, err := s.view(l.fs)
		if err != nil {
			return err
		}
		torn, err := lastNonZero(m, end, s.size)
		if err != nil {
			return err
		}
		if err := l.cut(s, f, end, torn); err != nil {
			return err
		}
		if err := rewrite(f, s.header.mark, end); err != nil {
			return fmt.Errorf("rewrite records above the durable mark: %w", err)
		}
	}
	// So is the header: one that says "sealed" in memory only would be the last of
	// its kind before a segment that follows.
	if err := l.writeHeader(f, s, s.header); err != nil {
		return err
	}
	if err := l.sync(f.Sync); err != nil {
		return err
	}
	if err := l.syncDir(); err != nil {
		return err
	}
	l.group.durable.Store(l.last.Load())
	return l.writeMark(l.tip())
}

// cut saves and wipes a torn tail of n bytes at off.
func (l *Log) cut(s *segment, f File, off, n int64) error {
	if n == 0 {
		return nil
	}
	if err := l.saveTorn(s, f, off, n); err != nil {
		return fmt.Errorf("save torn tail: %w", err)
	}
	if err := writeZeros(f, off, off+n); err != nil {
		return fmt.Errorf("wipe torn tail: %w", err)
	}
	return nil
}

// rewrite writes the bytes from one offset to another over themselves. They were
// read from memory, maybe: after a failed sync the system may have forgotten
// that the disk lacks them, and the next sync would do nothing about it.
func rewrite(f File, from, to int64) error {
	buf := make([]byte, min(to-from, scanChunk))
	for from < to {
		b := buf[:min(to-from, int64(len(buf)))]
		if _, err := f.ReadAt(b, from); err != nil && err != io.EOF {
			return err
		}
		if _, err := f.WriteAt(b, from); err != nil {
			return err
		}
		from += int64(len(b))
	}
	return nil
}

// lastNonZero returns how many bytes from off on, up to limit, it takes to cover
// all that are not zero.
func lastNonZero(m *mapping, off, limit int64) (int64, error) {
	covered := int64(0)
	err := m.bytes(off, limit, func(b []byte) error {
		covered = int64(len(bytes.TrimRight(b, "\x00")))
		return nil
	})
	return covered, err
}

// saveTorn copies n bytes at off of s to a file of its own, durably. It never
// writes over an earlier one: the tail of another crash, or this one's when the
// recovery crashed too.
func (l *Log) saveTorn(s *segment, f File, off, n int64) error {
	base := fmt.Sprintf("%s-%d", strings.TrimSuffix(s.path, segmentSuffix), off)
	name := base + tornSuffix
	t, err := l.fs.Create(name)
	for i := 2; errors.Is(err, fs.ErrExist); i++ {
		name = fmt.Sprintf("%s-%d%s", base, i, tornSuffix)
		t, err = l.fs.Create(name)
	}
	if err != nil {
		return err
	}
	_, err = io.Copy(io.NewOffsetWriter(t, 0), io.NewSectionReader(f, off, n))
	if err == nil {
		err = l.sync(t.Sync)
	}
	if err = errors.Join(err, t.Close()); err != nil {
		return err
	}
	l.report.Torn, l.report.TornFile = n, name
	return l.syncDir()
}
