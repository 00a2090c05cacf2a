package walfs

import (
	"fmt"
	"io"
	"iter"
	"path/filepath"
	"strings"
	"time"
)

// Segment is what a look at every byte of a segment found.
type Segment struct {
	ID      uint64
	File    string
	Version uint32 // of the format; this and the next five are 0 when the header is damaged
	Created time.Time
	// Modified is when the header was written last.
	Modified time.Time
	Sealed   bool
	Mark     int64  // the durable mark, a byte of the file
	Marked   uint64 // records below it

	Size        int64  // of the file
	End         int64  // of the records
	First, Last LSN    // of the records that are sound; Last < First when there are none
	Records     uint64 // that are sound
	Kinds       map[Kind]Tally
	Torn        int64 // bytes of a torn tail, which an ordinary Open takes off
	Damage      []Lost
}

// String names the kinds the store writes.
func (k Kind) String() string {
	names := [...]string{KindRun: "run", KindOwnMemo: "own memo", KindOwnSeal: "own seal", KindAdopt: "adopt", KindBlock: "block", KindCheckpoint: "checkpoint"}
	if int(k) < len(names) && names[k] != "" {
		return names[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Tally is records of one kind.
type Tally struct {
	Records uint64
	Bytes   int64 // of data
}

const (
	errStray = frameError("bytes behind the end of a sealed segment are not zero; no record ever lay there")
	errMark  = frameError("the header's durable mark and count do not agree with the records")
	errOpen  = frameError("the last batch is not complete")
)

// Segments looks at every byte of the log, one segment at a time: headers, frames,
// what lies behind them, and how the segments join. It changes nothing and also
// works while the log is written.
func (l *Log) Segments() iter.Seq2[Segment, error] {
	return func(yield func(Segment, error) bool) {
		var before *segment
		var due LSN // behind before
		for _, s := range *l.segs.Load() {
			if l.closed.Load() {
				yield(Segment{}, ErrClosed)
				return
			}
			seen := l.inspect(s)
			if s.gone.Load() {
				continue // pruned meanwhile
			}
			if before != nil && before.id+1 == s.id && before.bad == nil && s.bad == nil && due != s.first {
				seen.harm(Lost{First: due, Last: s.first - 1, Err: errShort})
			}
			if before != nil && before.id+1 != s.id {
				missing := Lost{File: l.absent(before.id + 1).path, First: due, Last: s.first - 1, Err: errMissing}
				if s.loose {
					missing.Last = unknownLSN
				}
				seen.Damage = append([]Lost{missing}, seen.Damage...)
			}
			if before, due = s, seen.due(); !yield(seen, nil) {
				return
			}
		}
	}
}

// Verify looks at every byte of the log and returns what is damaged. A torn tail,
// which a crash may leave, is no damage.
func (l *Log) Verify() ([]Lost, error) {
	var all []Lost
	for s, err := range l.Segments() {
		if err != nil {
			return all, err
		}
		all = append(all, s.Damage...)
	}
	return all, nil
}

// inspect looks at s, through a mapping of its own in which nothing was found
// sound yet.
func (l *Log) inspect(s *segment) Segment {
	fresh := l.absent(s.id)
	l.mu.Lock() // nobody writes the header meanwhile
	headErr := l.loadHeader(fresh)
	p, err := l.site(s)
	writing := s == l.active && !l.o.Degraded && !s.header.sealed
	l.mu.Unlock()

	seen := Segment{ID: s.id, File: s.path, Size: fresh.size, End: p.end, First: p.first, Last: p.first - 1, Kinds: map[Kind]Tally{}}
	seen.header(fresh.header)
	if headErr == nil {
		headErr = s.bad
	}
	if headErr != nil {
		seen.harm(Lost{To: min(headerSize, fresh.size), First: p.first, Last: p.first - 1, Err: headErr})
	}
	if err == nil && fresh.size >= headerSize {
		p.memory, err = fresh.view(l.fs)
	}
	if err != nil || fresh.size < p.end {
		p.end = p.from
		if err == nil {
			err = io.ErrUnexpectedEOF
		}
		if p.limit != p.first {
			seen.harm(Lost{From: headerSize, To: fresh.size, First: p.first, Last: p.limit - 1, Err: err})
		}
		return seen
	}
	seen.records(p)
	if s.bad == nil && headErr == nil && !writing {
		seen.behind(p)
	}
	return seen
}

func (seen *Segment) header(h header) {
	if h.version == 0 {
		return
	}
	seen.Version, seen.Sealed, seen.Mark, seen.Marked = h.version, h.sealed, h.mark, h.count
	seen.Created, seen.Modified = time.Unix(0, h.created), time.Unix(0, h.modified)
}

// due is the LSN behind the segment, lost records included.
func (seen *Segment) due() LSN {
	due := seen.Last + 1
	for _, lost := range seen.Damage {
		if lost.Last != unknownLSN {
			due = max(due, lost.Last+1)
		}
	}
	return due
}

func (seen *Segment) harm(lost Lost) {
	lost.File = seen.File
	seen.Damage = append(seen.Damage, lost)
}

// records looks at the records of p, and at what is between them.
func (seen *Segment) records(p site) {
	var before *stretch
	var left uint32
	marked, onMark := uint64(0), seen.Mark == headerSize
	for _, s := range p.survey() {
		if before != nil || s.from > p.from {
			seen.gap(p, before, &s)
			left = 0
		}
		if before = &s; seen.Records == 0 {
			seen.First = s.first
		}
		p.each(s, func(off, size int64, r logRecord) {
			if left != 0 && r.left != left-1 {
				seen.harm(Lost{From: off, To: off, First: r.lsn, Last: r.lsn - 1, Err: errBatch})
			}
			left = r.left
			if off < seen.Mark {
				marked++
			}
			onMark = onMark || off+size == seen.Mark
			t := seen.Kinds[r.kind]
			seen.Kinds[r.kind] = Tally{t.Records + 1, t.Bytes + int64(len(r.data))}
			seen.Records, seen.Last = seen.Records+1, r.lsn
		})
	}
	switch {
	case before == nil && p.from < p.end, before != nil && before.to < p.end:
		seen.gap(p, before, nil)
	case p.limit != 0 && (before == nil && p.limit != p.first || before != nil && p.limit != before.due):
		seen.gap(p, before, nil)
	case left > 0:
		seen.harm(Lost{From: p.end, To: p.end, First: before.due, Last: before.due - 1, Err: errOpen})
	}
	if seen.Version != 0 && len(seen.Damage) == 0 && (!onMark || marked != seen.Marked) {
		seen.harm(Lost{To: headerSize, First: p.first, Last: p.first - 1, Err: errMark})
	}
}

// gap notes what is missing between two stretches.
func (seen *Segment) gap(p site, a, b *stretch) {
	lost := p.between(a, b)
	switch _, _, err := p.memory.record(lost.From, p.end); {
	case lost.From == p.end:
		lost.Err = errShort
	case err == io.EOF:
		lost.Err = errNoFrame
	case err == nil:
		lost.Err = errLSN
	default:
		lost.Err = err
	}
	seen.harm(lost)
}

// behind looks at what is behind the records.
func (seen *Segment) behind(p site) {
	n, err := lastNonZero(p.memory, p.end, seen.Size)
	none := Lost{From: p.end, To: p.end + n, First: seen.Last + 1, Last: seen.Last, Err: err}
	switch {
	case err != nil:
		none.To = seen.Size
		seen.harm(none)
	case n > 0 && seen.Sealed:
		none.Err = errStray
		seen.harm(none)
	default:
		seen.Torn = n
	}
}

// each calls f for the records of s.
func (p site) each(s stretch, f func(off, size int64, r logRecord)) {
	for off := s.from; off < s.to; {
		r, size, err := p.memory.record(off, s.to)
		if err != nil {
			return // found sound a moment ago: the next look will tell
		}
		f(off, size, r)
		off += size
	}
}

// TornFile is a torn tail that a recovery saved.
type TornFile struct {
	File string
	Size int64
}

// TornFiles lists what recoveries saved beside the log, ever.
func (l *Log) TornFiles() ([]TornFile, error) {
	names, err := l.fs.List(l.dir)
	if err != nil {
		return nil, fmt.Errorf("list torn files: %w", err)
	}
	var all []TornFile
	for _, name := range names {
		if !strings.HasSuffix(name, tornSuffix) {
			continue
		}
		t := TornFile{File: filepath.Join(l.dir, name)}
		f, err := l.fs.Open(t.File)
		if err != nil {
			return nil, fmt.Errorf("open torn file: %w", err)
		}
		t.Size, err = f.Size()
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("size of %s: %w", t.File, err)
		}
		all = append(all, t)
	}
	return all, nil
}
