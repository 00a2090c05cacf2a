package main

import (
	"fmt"

	"lightcone/memo"
	"lightcone/merge"
)

// collectAfter is after how many new blocks, at least, those are deleted that no
// root in use needs.
const collectAfter = 200_000

// heap keeps blocks in memory.
type heap struct {
	blocks map[memo.ID][]byte
	limit  int // of blocks, before the next collection
}

func newHeap() *heap { return &heap{blocks: map[memo.ID][]byte{}, limit: collectAfter} }

func (h *heap) PutBlock(id memo.ID, data []byte) error {
	h.blocks[id] = data
	return nil
}

func (h *heap) Block(id memo.ID) ([]byte, error) {
	if data, ok := h.blocks[id]; ok {
		return data, nil
	}
	return nil, fmt.Errorf("block %s was collected", id)
}

// collect deletes what no root in use needs, once there is enough of it.
func (h *heap) collect(used map[memo.ID]bool) error {
	if len(h.blocks) < h.limit {
		return nil
	}
	needed := make(map[memo.ID][]byte, len(h.blocks)/2)
	for id := range used {
		data, err := h.Block(id)
		if err != nil {
			return err
		}
		root, err := merge.DecodeRoot(data)
		if err != nil {
			return err
		}
		needed[id] = data
		err = merge.Reach(h, root, func(id memo.ID) bool {
			if _, seen := needed[id]; seen {
				return false
			}
			needed[id] = h.blocks[id]
			return true
		})
		if err != nil {
			return err
		}
	}
	h.blocks, h.limit = needed, collectAfter+2*len(needed)
	return nil
}
