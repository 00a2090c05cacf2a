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
	Patch       = patch
	ReadFile    = readFile
	Read        = read
	Salvage     = salvage
	LSNRange    = lsnRange
	Without     = without
	Promised    = promised
	Refuses     = refuses
)

// Bounds and parts of the format that tests reckon with.
const (
	HeaderVersion = headerVersion
	MaxUnsynced   = maxUnsynced
	TempSuffix    = tempSuffix
	UnknownLSN    = unknownLSN
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

// WaitingForSync is how many appenders wait for a sync, without the one that has the role.
func (l *Log) WaitingForSync() (n int) {
	l.group.mu.Lock()
	defer l.group.mu.Unlock()
	for a := l.group.waiting.first; a != nil; a = a.next {
		n++
	}
	return n
}

// WaitingForWrite is how many appenders wait for the writer's role.
func (l *Log) WaitingForWrite() (n int) {
	l.queue.mu.Lock()
	defer l.queue.mu.Unlock()
	for a := l.queue.waiting.first; a != nil; a = a.next {
		n++
	}
	return n
}

// RotateNow goes on with another segment, empty as the active one may be.
func (l *Log) RotateNow() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rotate(0)
}

// Stopped is why the log takes no more records; nil if it does.
func (l *Log) Stopped() error { return l.group.err() }

// WaitDurable waits as an appender does.
var WaitDurable = (*Log).waitDurable
