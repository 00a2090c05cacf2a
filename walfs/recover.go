package walfs

import (
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
	// Damage is what a degraded Open met and went on in spite of.
	Damage []*DamageError
}

// Open opens the log in dir, making both when they are missing, and recovers
// from whatever a crash left (README.md, "Recovery"). It fails with a
// DamageError, and changes nothing, when bytes are missing that were durable.
// Records of full segments it does not read: damage to those is for their reader,
// and for Verify, to find. With Options.Degraded it opens whatever there is, and
// changes nothing either.
func Open(dir string, o Options) (*Log, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	l := &Log{dir: dir, o: o, fs: o.FS}
	open := l.recover
	if o.Degraded {
		open = l.look
	}
	if err := open(); err != nil {
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
	segs, err := l.load(segmentIDs(names))
	if err != nil {
		return err
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
	l.take(segs)
	if l.file == nil {
		if l.file, err = l.fs.Open(l.active.path); err != nil {
			return fmt.Errorf("open segment: %w", err)
		}
	}
	return l.settle()
}

// take makes segs the log.
func (l *Log) take(segs []*segment) {
	l.active = segs[len(segs)-1]
	l.segs.Store(&segs)
	l.report.Segments, l.report.Records = len(segs), l.last.Load()+1-segs[0].first
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
