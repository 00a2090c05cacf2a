package walfs

// What the tests outside of the package share with those inside.
var (
	Records     = records
	SegmentName = segmentName
)
