package gossip

import (
	"fmt"

	"lightcone/memo"
)

// This file is the wire format of sessions that carry blocks, see wire.go.

// Limits of one frame of blocks.
const (
	// wantChunk is the most blocks of a WANT frame, and of a BLOCKS frame.
	wantChunk = 256
	// sealChunk is the most seals of a WANTSEALS frame, and of a SEALS frame (about
	// 140 bytes each).
	sealChunk = 1024
	// blocksFrame is the most bytes of blocks in a BLOCKS frame, but for one that is
	// alone.
	blocksFrame = 256 << 10
	// maxBlock bounds a block that can travel: with its frame it fits into MaxFrame.
	maxBlock = MaxFrame - 1<<10
	// spaceItem is the encoded size of a space's id.
	spaceItem = 2 + 32
)

// fetch opens a session that carries blocks, both ways. Root is that of the
// acceptor's newest root, null if it has none; Fresh asks it to fold before.
type fetch struct {
	_       struct{} `cbor:",toarray"`
	Type    uint64
	Version uint64
	Space   memo.SpaceID
	Proof   [proofSize]byte
	Root    *memo.Link
	Fresh   bool
}

// want asks for blocks.
type want struct {
	_    struct{} `cbor:",toarray"`
	Type uint64
	IDs  []memo.ID
}

// blocks answers a want in its order, in one frame or several; null stands for a
// block that is not held.
type blocks struct {
	_      struct{} `cbor:",toarray"`
	Type   uint64
	Blocks []*memo.Bytes
}

// wantSeals asks for the seals of heads.
type wantSeals struct {
	_     struct{} `cbor:",toarray"`
	Type  uint64
	Heads []vecHead
}

// seals answers a wantSeals in its order; null stands for a head whose seal is not
// held. It says what was sealed, so that it is verified without knowing what was
// asked.
type seals struct {
	_     struct{} `cbor:",toarray"`
	Type  uint64
	Space memo.SpaceID
	Seals []*sealedHead
}

type sealedHead struct {
	_      struct{} `cbor:",toarray"`
	Author memo.Author
	Seq    uint64
	ID     memo.ID
	Seal   memo.Seal
}

func (*fetch) message()     {}
func (*want) message()      {}
func (*blocks) message()    {}
func (*wantSeals) message() {}
func (*seals) message()     {}

// hashed is a blocks message whose digests were computed; Data is nil for a block
// that is not held there.
type hashed struct{ blocks []Block }

func (*hashed) message() {}

func hashBlocks(m *blocks) (*hashed, error) {
	out, size := &hashed{blocks: make([]Block, len(m.Blocks))}, 0
	for i, b := range m.Blocks {
		if b == nil {
			continue
		}
		data := []byte(*b)
		out.blocks[i] = Block{ID: memo.Sum(data), Data: data}
		size += len(data)
	}
	if size > blocksFrame && len(m.Blocks) > 1 {
		return nil, fmt.Errorf("%w: %d bytes of blocks in a frame, the limit is %d", ErrWire, size, blocksFrame)
	}
	return out, nil
}

// sealed is a seals message whose seals hold; seq is 0 for what is not held there.
type sealed struct {
	space memo.SpaceID
	heads []SealedHead
}

func (*sealed) message() {}

func verifySeals(m *seals) (*sealed, error) {
	out := &sealed{space: m.Space, heads: make([]SealedHead, len(m.Seals))}
	for i, s := range m.Seals {
		if s == nil {
			continue
		}
		head := memo.Head{Author: s.Author, Seq: s.Seq, ID: s.ID}
		if s.Seq == 0 {
			return nil, fmt.Errorf("%w: a seal of seq 0", ErrWire)
		}
		if err := memo.VerifySeal(m.Space, head, s.Seal); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrWire, err)
		}
		out.heads[i] = SealedHead{Head: head, Seal: s.Seal}
	}
	return out, nil
}
