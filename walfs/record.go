package walfs

import (
	"encoding/binary"

	flatbuffers "github.com/google/flatbuffers/go"

	"lightcone/walfs/logrecord"
)

const (
	// recordOverhead is the most a LogRecord adds to its data: root offset,
	// vtable, table, vector length and alignment.
	recordOverhead = 56
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

// add appends the frame of r and returns where in frames it starts.
func (e *encoder) add(lsn LSN, r Record) int {
	b := e.builder
	b.Reset()
	data := b.CreateByteVector(r.Data)
	logrecord.LogRecordStart(b)
	logrecord.LogRecordAddLsn(b, lsn)
	logrecord.LogRecordAddKind(b, byte(r.Kind))
	logrecord.LogRecordAddData(b, data)
	b.Finish(logrecord.LogRecordEnd(b))
	at := len(e.frames)
	e.frames = appendFrame(e.frames, b.FinishedBytes())
	return at
}

// decodeRecord reads a LogRecord, checking every offset the accessors follow, so
// that no bytes whatever make them panic. The result's Data is a slice of b.
func decodeRecord(b []byte) (LSN, Kind, []byte, error) {
	if !wellFormed(b) {
		return 0, 0, nil, errRecord
	}
	var r logrecord.LogRecord
	r.Init(b, flatbuffers.GetUOffsetT(b))
	data := r.DataBytes()
	return r.Lsn(), Kind(r.Kind()), data[:len(data):len(data)], nil
}

// wellFormed reports whether b holds a table with all three fields in bounds.
// Fields a later version added behind them are ignored.
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
	vector := ref + int64(le.Uint32(b[ref:]))
	return vector+4 <= size && vector+4+int64(le.Uint32(b[vector:])) <= size
}
