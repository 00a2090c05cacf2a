package gossip

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/bits"

	"lightcone/memo"
)

// This file is the wire format of what sessions say of forked authors, see wire.go.

// The types of these messages. Numbers are never used again.
const (
	typeRanges   = 13
	typeNeed     = 14
	typeBranches = 15
	typeProbe    = 16
	typeProbed   = 17
	typeParted   = 18
)

// Limits of one frame about forks.
const (
	// rangesChunk is the most ranges of a RANGES frame, and the most heads that a range
	// lists.
	rangesChunk = 1024
	// needChunk is the most runs that a NEED frame asks for.
	needChunk = 1024
	// branchesChunk is the most runs of a BRANCHES frame.
	branchesChunk = 4096
	// probeFan is the most places that a PROBE asks about.
	probeFan = 16
	// rangesFrame is the size at which a RANGES frame is sent, about.
	rangesFrame = 128 << 10
	// authorItem is the encoded size of an author.
	authorItem = 2 + 32
)

// What a range says of the sender's runs in it.
const (
	rangePrint = iota // their fingerprint: answer if yours differs
	rangeList         // these are all of them: answer what you have beyond
	rangeMore         // these are those beyond what you listed
)

// ranges compares the runs of one forked author. Turns alternate, the opener's first;
// the last frame of a turn has More false. A turn without any range, but for the
// first, ends the comparison.
type ranges struct {
	_      struct{} `cbor:",toarray"`
	Type   uint64
	Author memo.Author
	Ranges []runRange
	More   bool
}

// runRange is what is held between two bounds, ordered by (time, digest) of the runs'
// heads: from the first on and below the second. Those of kind rangeMore have none.
type runRange struct {
	_        struct{} `cbor:",toarray"`
	From, To bound
	Kind     uint64
	Print    print      // kind rangePrint
	Heads    memo.Bytes // of the other kinds: 40 bytes each, a seq and a digest
}

// bound is a place between runs: a time, and the front of a digest.
type bound struct {
	_     struct{} `cbor:",toarray"`
	Time  uint64
	Front memo.Bytes
}

// rangeHead is the head of a run whose author is known.
type rangeHead struct {
	Seq uint64
	ID  memo.ID
}

const rangeHeadSize = 8 + len(memo.ID{})

func packHeads(heads []rangeHead) memo.Bytes {
	b := make([]byte, 0, len(heads)*rangeHeadSize)
	for _, h := range heads {
		b = append(binary.BigEndian.AppendUint64(b, h.Seq), h.ID[:]...)
	}
	return memo.Bytes(b)
}

// listed unpacks the heads of a checked range.
func (r runRange) listed() []rangeHead {
	out := make([]rangeHead, 0, len(r.Heads)/rangeHeadSize)
	for b := []byte(r.Heads); len(b) > 0; b = b[rangeHeadSize:] {
		out = append(out, rangeHead{binary.BigEndian.Uint64(b), memo.ID(b[8:rangeHeadSize])})
	}
	return out
}

// print is the number of runs in a range and the wrapping sum of their keyed digests.
type print struct {
	_         struct{} `cbor:",toarray"`
	Count     uint64
	High, Low uint64
}

// need asks for runs by their heads; naming none says that nothing more is asked for.
type need struct {
	_    struct{} `cbor:",toarray"`
	Type uint64
	IDs  []memo.ID
}

// branches answers needs in their order; null stands for a run that is not held.
type branches struct {
	_    struct{} `cbor:",toarray"`
	Type uint64
	Runs []*memo.Bytes
}

// probe asks for the digests of an author's memos at some places, of whose chain each
// side holds another branch.
type probe struct {
	_      struct{} `cbor:",toarray"`
	Type   uint64
	Author memo.Author
	Seqs   []uint64
}

// probed answers a probe in its order; zero stands for a memo that is not held.
type probed struct {
	_    struct{} `cbor:",toarray"`
	Type uint64
	IDs  []memo.ID
}

// parted says up to where both sides hold the same chain of an author: each sends the
// other what it has behind that.
type parted struct {
	_      struct{} `cbor:",toarray"`
	Type   uint64
	Author memo.Author
	After  uint64
}

func (*ranges) message()   {}
func (*need) message()     {}
func (*branches) message() {}
func (*probe) message()    {}
func (*probed) message()   {}
func (*parted) message()   {}

// verifiedBranches is a branches message whose runs were decoded and whose seals hold;
// nil for what is not held there.
type verifiedBranches struct {
	runs  []*memo.Run
	bytes int
}

func (*verifiedBranches) message() {}

func verifyBranches(m *branches) (*verifiedBranches, error) {
	out := &verifiedBranches{runs: make([]*memo.Run, len(m.Runs))}
	for i, raw := range m.Runs {
		if raw == nil {
			continue
		}
		r, err := verifyRun([]byte(*raw))
		if err != nil {
			return nil, err
		}
		out.runs[i], out.bytes = r, out.bytes+len(*raw)
	}
	return out, nil
}

// check refuses ranges that overlap, or say what their kind does not.
func (m *ranges) check() error {
	var last bound
	for _, r := range m.Ranges {
		n := len(r.Heads) / rangeHeadSize
		switch {
		case r.Kind > rangeMore || r.Kind == rangePrint && n > 0 || r.Kind != rangePrint && r.Print != (print{}):
			return fmt.Errorf("%w: a range of kind %d with %d heads", ErrWire, r.Kind, n)
		case len(r.Heads)%rangeHeadSize > 0 || n > rangesChunk:
			return fmt.Errorf("%w: a range with %d bytes of heads", ErrWire, len(r.Heads))
		case len(r.From.Front) > len(memo.ID{}) || len(r.To.Front) > len(memo.ID{}):
			return fmt.Errorf("%w: a bound longer than a digest", ErrWire)
		case r.Kind == rangeMore:
			continue
		case r.From.compare(last) < 0 || r.From.compare(r.To) >= 0:
			return fmt.Errorf("%w: ranges do not ascend", ErrWire)
		}
		last = r.To
	}
	return nil
}

// rangeKey is what the fingerprints of a session are computed with: who makes runs
// cannot know it, so that no two sets are made to look alike.
func rangeKey(s Secret, opener, acceptor uint64) (key [sha256.Size]byte) {
	mac := hmac.New(sha256.New, s[:])
	mac.Write([]byte("lightcone/ranges/1"))
	mac.Write(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, opener), acceptor))
	copy(key[:], mac.Sum(nil))
	return key
}

// printOf is the fingerprint of one run.
func printOf(key [sha256.Size]byte, id memo.ID) print {
	sum := sha256.Sum256(append(key[:], id[:]...))
	return print{Count: 1, High: binary.BigEndian.Uint64(sum[:]), Low: binary.BigEndian.Uint64(sum[8:])}
}

func (p print) plus(o print) print {
	low, carry := bits.Add64(p.Low, o.Low, 0)
	high, _ := bits.Add64(p.High, o.High, carry)
	return print{Count: p.Count + o.Count, High: high, Low: low}
}

func (p print) minus(o print) print {
	low, borrow := bits.Sub64(p.Low, o.Low, 0)
	high, _ := bits.Sub64(p.High, o.High, borrow)
	return print{Count: p.Count - o.Count, High: high, Low: low}
}
