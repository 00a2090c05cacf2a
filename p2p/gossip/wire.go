package gossip

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"lightcone/memo"
)

// Limits of what one peer may put into a message. They are checked on lengths
// before anything is built from them.
const (
	// MaxFrame bounds one frame of a recon stream, without its length prefix.
	MaxFrame = 1 << 20
	// MaxMessage bounds a published message: a run behind its header.
	MaxMessage = memo.MaxForkProofRun + messageHeader
	// vecChunk is the most vector entries of a VEC frame (79 bytes each at most).
	vecChunk = 8192
	// maxVec bounds the authors a peer may list in one session.
	maxVec = 1 << 20
	// runsFrame is the size at which a RUNS frame is sent.
	runsFrame = 256 << 10
)

const (
	wireVersion   = 1
	messageHeader = 1 + 8 // version, hint
	proofSize     = 16    // bytes of the truncated HMAC-SHA256
)

// Secret is what the peers of a space share: knowing it is the right to take part.
type Secret [16]byte

// ErrWire reports a frame or message that does not follow the protocol.
var ErrWire = errors.New("message does not follow the protocol")

// The types of recon messages, the first element of each frame.
const (
	typeHello = iota + 1
	typeVec
	typeRuns
	typeCredit
	typeDone
	typeFetch
	typeWant
	typeBlocks
	typeWantSeals
	typeSeals
)

type message interface{ message() }

// hello opens a session, both ways. Root is the digest of what is held of forked
// authors, null where nobody is known to have forked.
type hello struct {
	_       struct{} `cbor:",toarray"`
	Type    uint64
	Version uint64
	Space   memo.SpaceID
	Proof   [proofSize]byte
	Root    *memo.Link
	VecRoot memo.ID
	Nonce   uint64
	Credit  uint64
}

// vec lists heads of chains; More says that another vec frame follows.
type vec struct {
	_     struct{} `cbor:",toarray"`
	Type  uint64
	Heads []vecHead
	More  bool
}

// vecHead is one author's head; seq 0 says that nothing of the author is held.
type vecHead struct {
	_      struct{} `cbor:",toarray"`
	Author memo.Author
	Seq    uint64
	ID     memo.ID
}

// runs carries encoded runs in causal order.
type runs struct {
	_    struct{} `cbor:",toarray"`
	Type uint64
	Runs []memo.Bytes
}

// credit allows the receiver to send that many more bytes of runs.
type credit struct {
	_     struct{} `cbor:",toarray"`
	Type  uint64
	Bytes uint64
}

// done says that no more runs follow in this session.
type done struct {
	_    struct{} `cbor:",toarray"`
	Type uint64
}

func (*hello) message()  {}
func (*vec) message()    {}
func (*runs) message()   {}
func (*credit) message() {}
func (*done) message()   {}

// encode never fails: every message is built of encodable parts.
func encode(m message) []byte {
	b, err := memo.Marshal(m)
	if err != nil {
		panic(err)
	}
	return b
}

// decode reads one frame strictly.
func decode(data []byte) (message, error) {
	if len(data) < 2 || len(data) > MaxFrame {
		return nil, fmt.Errorf("%w: a frame of %d bytes", ErrWire, len(data))
	}
	m, list, limit := frameOf(data)
	if m == nil {
		return nil, fmt.Errorf("%w: frame type %d", ErrWire, data[1])
	}
	if n := elements(list); limit > 0 && n > limit {
		return nil, fmt.Errorf("%w: %d items in a frame, the limit is %d", ErrWire, n, limit)
	}
	if err := memo.Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrWire, err)
	}
	return m, nil
}

// frameOf returns what to decode a frame into. Where that has a list of items that
// take more room than their bytes, it also returns where the list begins and how
// long it may be.
func frameOf(data []byte) (m message, list []byte, limit uint64) {
	switch rest := data[2:]; data[1] { // data[0] is the array's head, data[1] its first element
	case typeHello:
		return new(hello), nil, 0
	case typeVec:
		return new(vec), rest, vecChunk
	case typeRuns:
		return new(runs), nil, 0
	case typeCredit:
		return new(credit), nil, 0
	case typeDone:
		return new(done), nil, 0
	case typeFetch:
		return new(fetch), nil, 0
	case typeWant:
		return new(want), rest, wantChunk
	case typeBlocks:
		return new(blocks), rest, wantChunk
	case typeWantSeals:
		return new(wantSeals), rest, sealChunk
	case typeVecNodes:
		return new(vecNodes), rest, nodesChunk
	case typeVecWant:
		return new(vecWant), rest, nodesChunk
	case typeRanges:
		return new(ranges), rest[min(authorItem, len(rest)):], rangesChunk
	case typeNeed:
		return new(need), rest, needChunk
	case typeBranches:
		return new(branches), rest, branchesChunk
	case typeProbe:
		return new(probe), rest[min(authorItem, len(rest)):], probeFan
	case typeProbed:
		return new(probed), rest, probeFan
	case typeParted:
		return new(parted), nil, 0
	case typeWord:
		return new(word), nil, 0
	case typeWantRun:
		return new(wantRun), nil, 0
	case typeSeals:
		return new(seals), rest[min(spaceItem, len(rest)):], sealChunk
	}
	return nil, nil, 0
}

// elements is how many items the CBOR array at the front of b claims to have. The
// decoder would make room for them, at 72 bytes for a head that came as one null.
// It is 0 for anything but an array, which the decoder refuses.
func elements(b []byte) uint64 {
	if len(b) == 0 || b[0]>>5 != 4 {
		return 0
	}
	n := uint64(b[0] & 0x1f)
	if n < 24 {
		return n
	}
	size := 1 << (n - 24) // of the number that follows
	if n > 27 || len(b) <= size {
		return 0
	}
	n = 0
	for _, c := range b[1 : 1+size] {
		n = n<<8 | uint64(c)
	}
	return n
}

// proof shows that from knows the space's secret, to to alone: on the
// authenticated channel between the two nobody else can use it.
func proof(s Secret, space memo.SpaceID, from, to Peer) (p [proofSize]byte) {
	mac := hmac.New(sha256.New, s[:])
	mac.Write([]byte("lightcone/hello/1"))
	mac.Write(space[:])
	mac.Write(from[:])
	mac.Write(to[:])
	copy(p[:], mac.Sum(nil))
	return p
}

// publication is a message on a space's topic: version, hint of the sender's
// vector, and one run, or nothing when only the hint is news.
func publication(hint uint64, run []byte) []byte {
	b := make([]byte, 0, messageHeader+len(run))
	b = append(b, wireVersion)
	b = binary.BigEndian.AppendUint64(b, hint)
	return append(b, run...)
}

func parsePublication(data []byte) (hint uint64, run []byte, err error) {
	switch {
	case len(data) < messageHeader || len(data) > MaxMessage:
		return 0, nil, fmt.Errorf("%w: a message of %d bytes", ErrWire, len(data))
	case data[0] != wireVersion:
		return 0, nil, fmt.Errorf("%w: message version %d", ErrWire, data[0])
	}
	return binary.BigEndian.Uint64(data[1:messageHeader]), data[messageHeader:], nil
}

// MessageID names a published message for duplicate suppression: by its run
// alone, whatever hint travels with it.
func MessageID(data []byte) string {
	if len(data) > messageHeader {
		data = data[messageHeader:]
	}
	sum := sha256.Sum256(data)
	return string(sum[:])
}
