package gossip

import (
	"fmt"

	"lightcone/memo"
)

// This file is the wire format of vectors that are exchanged as trees, see wire.go.

// The types of these messages. Numbers are never used again.
const (
	typeVecNodes = 11
	typeVecWant  = 12
)

const (
	// nodesFrame is the most bytes of nodes in a VECNODES frame, but for one that is
	// alone.
	nodesFrame = 256 << 10
	// nodesChunk is the most nodes of a VECNODES frame, and of a VECWANT frame.
	nodesChunk = 256
)

// vecNodes carries nodes of the sender's vector tree: its root, unasked, in the place
// of a VEC; or what a vecWant asks for, in its order, in one frame or several.
type vecNodes struct {
	_     struct{} `cbor:",toarray"`
	Type  uint64
	Nodes []memo.Bytes
}

// vecWant asks for nodes of the tree, or, naming none, for a VEC of everything after
// all.
type vecWant struct {
	_    struct{} `cbor:",toarray"`
	Type uint64
	IDs  []memo.ID
}

func (*vecNodes) message() {}
func (*vecWant) message()  {}

// hashedNodes is a vecNodes message whose digests were computed.
type hashedNodes struct {
	nodes []Block
	bytes int
}

func (*hashedNodes) message() {}

func hashNodes(m *vecNodes) (*hashedNodes, error) {
	out := &hashedNodes{nodes: make([]Block, len(m.Nodes))}
	for i, n := range m.Nodes {
		data := []byte(n)
		out.nodes[i] = Block{ID: memo.Sum(data), Data: data}
		out.bytes += len(data)
	}
	if out.bytes > nodesFrame && len(m.Nodes) > 1 {
		return nil, fmt.Errorf("%w: %d bytes of nodes in a frame, the limit is %d", ErrWire, out.bytes, nodesFrame)
	}
	return out, nil
}
