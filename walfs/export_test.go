package walfs

// What the tests outside of the package share with those inside.
var (
	Records     = records
	SegmentName = segmentName
	ZeroCRCData = zeroCRCData
)

// FixHeader gives the header of a segment file the checksum it should have.
func FixHeader(file []byte) { copy(file, checked(file[:headerSize])) }

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
