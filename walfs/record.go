package walfs

import (
	"encoding/binary"

	flatbuffers "github.com/google/flatbuffers/go"

	"lightcone/walfs/logrecord"
)

const (
	// recordOverhead is the most a LogRecord adds to its data: root offset,
	// vtable, table, vector length and alignment.
	recordOverhead = 64
	// maxKeptBuffer is the largest encoding buffer kept between appends, so that
	// one huge batch does not hold its memory for ever.
	maxKeptBuffer = 1 << 20
)

const errRecord = frameError("frame holds no well-formed LogRecord")

// encoder turns records into consecutive frames. Its buffers are reused: the
// result of frames is valid until the next reset.
type encoder struct {
	builder *flatbuffers.Builder
	frames  []byte
}

func (e *encoder) reset() {
	if cap(e.frames) > maxKeptBuffer {
		e.frames = nil
	}
	e.frames = e.frames[:0]
	if e.builder == nil || cap(e.builder.Bytes) > maxKeptBuffer {
		e.builder = flatbuffers.NewBuilder(4 << 10)
	}
}

// add appends the frame of r, which left more records of its batch follow, and
// returns where in frames it starts.
func (e *encoder) add(lsn LSN, r Record, left int) int {
	b := e.builder
	b.Reset()
	data := b.CreateByteVector(r.Data)
	logrecord.LogRecordStart(b)
	logrecord.LogRecordAddLsn(b, lsn)
	logrecord.LogRecordAddKind(b, byte(r.Kind))
	logrecord.LogRecordAddData(b, data)
	logrecord.LogRecordAddLeft(b, uint32(left))
	b.Finish(logrecord.LogRecordEnd(b))
	at := len(e.frames)
	e.frames = appendFrame(e.frames, b.FinishedBytes())
	return at
}

// logRecord is a decoded LogRecord. data is a slice of the frame.
type logRecord struct {
	lsn  LSN
	kind Kind
	left uint32 // records of the same batch that follow
	data []byte
}

// decodeRecord reads a LogRecord, checking every offset the accessors follow, so
// that no bytes whatever make them panic.
func decodeRecord(b []byte) (logRecord, error) {
	if !wellFormed(b) {
		return logRecord{}, errRecord
	}
	var r logrecord.LogRecord
	r.Init(b, flatbuffers.GetUOffsetT(b))
	data := r.DataBytes()
	return logRecord{r.Lsn(), Kind(r.Kind()), r.Left(), data[:len(data):len(data)]}, nil
}

// wellFormed reports whether b holds a table with lsn, kind and data in bounds,
// and left too when it is there.
func wellFormed(b []byte) bool {
	le, size := binary.LittleEndian, int64(len(b))
	if size < 4 {
		return false
	}
	table := int64(le.Uint32(b))
	if table+4 > size {
		return false
	}
	vtable := table - int64(int32(le.Uint32(b[table:])))
	if vtable < 4 || vtable+10 > size || le.Uint16(b[vtable:]) < 10 {
		return false
	}
	field := func(slot, width int64) (at int64, ok bool) {
		rel := int64(le.Uint16(b[vtable+slot:]))
		return table + rel, rel != 0 && table+rel+width <= size
	}
	_, lsnOK := field(4, 8)
	_, kindOK := field(6, 1)
	ref, dataOK := field(8, 4)
	if !lsnOK || !kindOK || !dataOK {
		return false
	}
	if le.Uint16(b[vtable:]) >= 12 {
		if vtable+12 > size {
			return false
		}
		if _, ok := field(10, 4); !ok && le.Uint16(b[vtable+10:]) != 0 {
			return false
		}
	}
	vector := ref + int64(le.Uint32(b[ref:]))
	return vector+4 <= size && vector+4+int64(le.Uint32(b[vector:])) <= size
}
