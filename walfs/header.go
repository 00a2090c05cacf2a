package walfs

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

const (
	headerSize  = 64
	headerMagic = 0x5557414C
	// headerVersion 2 lets a record say how many of its batch follow; in files of
	// version 1 every record is a batch of its own.
	headerVersion    = 2
	headerVersionMin = 1
	headerCRCAt      = 56 // the CRC covers the bytes before it

	flagActive = 1 << 0 // the segment may take more records
	flagSealed = 1 << 1 // it never will; mark is its end
)

// castagnoli is the polynomial of every checksum in the format.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// header is the first 64 bytes of a segment. It is rewritten in place, and never
// straddles a disk sector, so a crash leaves the old one or the new one.
type header struct {
	version  uint32 // of the file as it is; writing makes it headerVersion
	created  int64  // Unix ns
	modified int64  // Unix ns of the last header write
	// mark is the durable mark: frames that start below it were synced before
	// the mark was written. In a sealed segment it is the end of the records.
	mark   int64
	count  uint64 // records below mark
	sealed bool
	first  LSN // of the segment's first record, written or still to come
}

func (h header) encode() []byte {
	b := make([]byte, headerSize)
	le := binary.LittleEndian
	le.PutUint32(b[0:], headerMagic)
	le.PutUint32(b[4:], headerVersion)
	le.PutUint64(b[8:], uint64(h.created))
	le.PutUint64(b[16:], uint64(h.modified))
	le.PutUint64(b[24:], uint64(h.mark))
	le.PutUint64(b[32:], h.count)
	flags := uint32(flagActive)
	if h.sealed {
		flags = flagSealed
	}
	le.PutUint32(b[40:], flags)
	le.PutUint64(b[44:], h.first)
	le.PutUint32(b[headerCRCAt:], crc32.Checksum(b[:headerCRCAt], castagnoli))
	return b
}

// decodeHeader reads the header of a segment file of size bytes. It refuses
// whatever encode cannot have written.
func decodeHeader(b []byte, size int64) (header, error) {
	le := binary.LittleEndian
	if le.Uint32(b[0:]) != headerMagic {
		return header{}, frameError("header: not a walfs segment (magic)")
	}
	if crc32.Checksum(b[:headerCRCAt], castagnoli) != le.Uint32(b[headerCRCAt:]) {
		return header{}, frameError("header: checksum does not match")
	}
	version := le.Uint32(b[4:])
	if version < headerVersionMin || version > headerVersion {
		return header{}, fmt.Errorf("%w: version %d, this program knows %d to %d",
			ErrVersion, version, headerVersionMin, headerVersion)
	}
	flags := le.Uint32(b[40:])
	h := header{
		version:  version,
		created:  int64(le.Uint64(b[8:])),
		modified: int64(le.Uint64(b[16:])),
		mark:     int64(le.Uint64(b[24:])),
		count:    le.Uint64(b[32:]),
		sealed:   flags == flagSealed,
		first:    le.Uint64(b[44:]),
	}
	switch {
	case flags != flagActive && flags != flagSealed:
		return header{}, frameError("header: unknown flags")
	case h.mark < headerSize || h.mark%frameAlign != 0:
		return header{}, frameError("header: durable mark is no frame boundary")
	case h.mark > size:
		return header{}, frameError("file ends below its durable mark")
	case h.first == 0:
		return header{}, frameError("header: first LSN is 0")
	case le.Uint32(b[52:]) != 0 || le.Uint32(b[60:]) != 0:
		return header{}, frameError("header: padding is not zero")
	}
	return h, nil
}
