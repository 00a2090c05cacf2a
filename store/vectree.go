package store

import (
	"fmt"

	"lightcone/memo"
	"lightcone/merge"
)

// vectorBlocks are the nodes of one vector tree, in memory: some 90 bytes an author.
type vectorBlocks map[memo.ID][]byte

func (b vectorBlocks) PutBlock(id memo.ID, data []byte) error {
	b[id] = data
	return nil
}

func (b vectorBlocks) Block(id memo.ID) ([]byte, error) {
	data, ok := b[id]
	if !ok {
		return nil, fmt.Errorf("%w: %s is no node of this vector", merge.ErrNoBlock, id)
	}
	return data, nil
}
