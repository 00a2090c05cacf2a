package walfs

// What the tests outside of the package share with those inside.
var (
	Records     = records
	SegmentName = segmentName
	ZeroCRCData = zeroCRCData
)

// FixHeader gives the header of a segment file the checksum it should have.
func FixHeader(file []byte) { copy(file, checked(file[:headerSize])) }
