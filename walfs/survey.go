package walfs

import (
	"encoding/binary"
	"math"
	"slices"
)

const (
	// minFrame is the least a frame takes on disk, in bytes: 4 of root offset, a
	// vtable of 10, a table of 17 and the 4 of an empty vector, framed.
	minFrame = (frameHeaderSize + 35 + 8 + frameAlign - 1) &^ (frameAlign - 1)
	// surveyBudget bounds the checksums a survey computes in vain, in multiples of
	// the bytes surveyed. Only data made to look like frames costs any.
	surveyBudget = 16
	// maxStretches bounds what a survey weighs against each other. More pieces
	// than this in one segment is not a log any more: the rest counts as lost.
	maxStretches = 4 << 10
	// pageSize is how much of a file is unreadable at least if any of it is.
	pageSize = 4 << 10
)

// stretch is sound frames, back to back, with consecutive LSNs.
type stretch struct {
	from, to   int64 // offsets of the first frame and of the end of the last
	first, due LSN   // of the first record, and of the one behind the last
	begun      LSN   // the last record's batch began here, or in front of the stretch
	head, left uint32
}

// site is a part of a segment to be surveyed, and what is known about it.
type site struct {
	memory    *mapping
	from, end int64
	first     LSN  // of the record at from
	atLeast   bool // first is a lower bound only: segments before it are missing
	limit     LSN  // of the record behind end, 0 when not known
	upTo      bool // end is an upper bound only: zeros may fill its place
}

// survey finds the records of a damaged segment. Frames are tried at every place
// where one can start, and those that are sound and follow each other make
// stretches. A record's data may hold whole frames too, put there by whoever
// wrote it, so soundness is not enough; a stretch must fit among the others:
//
//   - A frame lay where the sound ones stop. So in a gap at least one record is
//     missing, the one that was due, and no more than could lie there. This alone
//     keeps frames inside a damaged record out when what follows it is whole: that
//     begins with the very next LSN and leaves none for them.
//   - Where a stretch leads to the end of the segment, with the LSN that is due
//     there, it is beyond doubt, as is one from the beginning.
//   - Between those, the way that saves most records is taken.
//
// What remains is somebody who foresaw the LSN of a record of his own, or of those
// behind it, and whose record is then hit by damage that begins in a record before
// it, or is followed by more damage in the same segment.
func (p site) survey() []stretch { return p.likeliest(p.stretches()) }

// stretches returns all there are, in order.
func (p site) stretches() []stretch {
	var all []stretch
	budget := surveyBudget * (p.end - p.from)
	for off := p.from; off < p.end && budget > 0 && len(all) < maxStretches; {
		if s := p.walk(off); s.to > off {
			all = append(all, s)
			off = s.to
			continue
		}
		_, size := p.memory.shaped(off, min(off+frameAlign, p.end), p.end)
		budget -= size
		off, _ = p.memory.shaped(off+frameAlign, p.end, p.end)
	}
	return all
}

// walk returns the stretch that starts at off, an empty one when there is none.
func (p site) walk(off int64) stretch {
	s := stretch{from: off, to: off}
	for {
		r, size, err := p.memory.record(s.to, p.end)
		switch {
		case err != nil, s.to > off && r.lsn != s.due:
			return s
		case r.lsn < p.first, r.lsn == math.MaxUint64, p.limit != 0 && r.lsn >= p.limit:
			return s // not of this segment
		case s.to == off:
			s.first, s.begun, s.head = r.lsn, r.lsn, r.left
		case s.left == 0:
			s.begun = r.lsn
		}
		s.to, s.due, s.left = s.to+size, r.lsn+1, r.left
	}
}

// likeliest picks the stretches, or ends of stretches, that fit together.
func (p site) likeliest(all []stretch) []stretch {
	const beyondDoubt = uint64(1) << 61 // more than there can be records
	weight, before := make([]uint64, len(all)), make([]int, len(all))
	best := -1
	for i, s := range all {
		before[i] = -1
		switch {
		case p.atLeast:
			weight[i] = s.due - s.first
		case s.from == p.from && s.first == p.first:
			weight[i] = s.due - s.first + beyondDoubt
		default:
			weight[i] = s.behind(p.from, p.first)
		}
		for j, a := range all[:i] {
			if w := s.behind(a.to, a.due); weight[j] > 0 && w > 0 && weight[j]+w >= weight[i] {
				weight[i], before[i] = weight[j]+w, j
			}
		}
		if weight[i] > 0 && p.ends(s) {
			weight[i] += beyondDoubt
		}
		if weight[i] > 0 && (best < 0 || weight[i] >= weight[best]) {
			best = i
		}
	}
	var path []stretch
	for i := best; i >= 0; i = before[i] {
		s, from := all[i], p.first
		if before[i] >= 0 {
			from = all[before[i]].due + 1
		} else if !p.atLeast && s.from != p.from {
			from++
		}
		path = append(path, p.since(s, from))
	}
	slices.Reverse(path)
	return path
}

// behind returns how many records of s can follow what ends at off, where a record
// with the LSN due began once: that one is lost, so the records up to it at the
// beginning of s are false ones, and there must have been room for all that is
// missing.
func (s stretch) behind(off int64, due LSN) uint64 {
	gap := s.from - off
	if gap <= 0 || s.due <= due+1 || s.first > due && s.first-due > LSN(gap/minFrame) {
		return 0
	}
	return s.due - max(s.first, due+1)
}

// since is s without the records before lsn.
func (p site) since(s stretch, lsn LSN) stretch {
	for s.first < lsn {
		_, size, err := p.memory.record(s.from, p.end)
		if err != nil {
			break
		}
		s.from, s.first = s.from+size, s.first+1
		r, _, err := p.memory.record(s.from, p.end)
		if err == nil {
			s.head = r.left
		}
	}
	s.begun = max(s.begun, s.first)
	return s
}

// ends reports whether s leads to the end of the segment.
func (p site) ends(s stretch) bool {
	if p.limit != 0 {
		return s.due == p.limit && (s.to == p.end || p.upTo)
	}
	return s.to == p.end && !p.upTo
}

// shaped returns the first place from off up to limit where bytes below end have
// the shape of a frame, and its size; limit when there is none. Their checksum is
// left to others.
func (m *mapping) shaped(off, limit, end int64) (at, size int64) {
	for off < limit {
		stop := min((off/pageSize+1)*pageSize, limit)
		err := m.bytes(0, end, func(file []byte) error {
			for ; off < stop; off += frameAlign {
				if size = shape(file, off, end); size > 0 {
					return nil
				}
			}
			return nil
		})
		if err != nil {
			off += frameAlign // this place leads to a page that cannot be read
		} else if size > 0 {
			return off, size
		}
	}
	return limit, 0
}

// shape returns the size of what looks like a frame at off, 0 when nothing does.
func shape(file []byte, off, end int64) int64 {
	if end-off < minFrame {
		return 0
	}
	n := int64(binary.LittleEndian.Uint32(file[off+4:]))
	size := frameSize(n)
	if n == 0 || size > end-off {
		return 0
	}
	if at := off + frameHeaderSize + n; string(file[at:at+int64(len(frameTrailer))]) != frameTrailer {
		return 0
	}
	return size
}
