package walfs

// What the tests outside of the package share with those inside.
var (
	MustOpen    = mustOpen
	MustClose   = mustClose
	MustAppend  = mustAppend
	MustTexts   = mustTexts
	Records     = records
	Numbered    = numbered
	Files       = files
	CopyDir     = copyDir
	SegmentName = segmentName
	SegmentPath = segmentPath
	Small       = small
	Inline      = inline
	Summed      = summed
	ZeroCRCData = zeroCRCData
)

// FixHeader gives the header of a segment file the checksum it should have.
func FixHeader(file []byte) { copy(file, checked(file[:headerSize])) }

// Header is a header of the present version with the fields that recovery goes by.
func Header(mark int64, count uint64, sealed bool) []byte {
	return header{mark: mark, count: count, sealed: sealed, first: 1}.encode()
}

// FrameAt decodes the record whose frame starts at off of a segment file; size is
// what the frame takes.
func FrameAt(file []byte, off int) (lsn LSN, text string, size int, err error) {
	data, n, err := readFrame(file, int64(off), int64(len(file)), false)
	if err != nil {
		return 0, "", 0, err
	}
	r, err := decodeRecord(data)
	return r.lsn, string(r.data), int(n), err
}

// FramesOf are the frames of records from LSN 1 on, each a batch of its own.
var FramesOf = framesOf
