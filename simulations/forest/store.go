package forest

import (
	"fmt"
	"sync"
	"sync/atomic"

	"lightcone/memo"
	"lightcone/merge"
)

// store is all blocks, by their digests.
type store struct {
	parts [locks]struct {
		sync.RWMutex
		blocks map[memo.ID]block
	}
	n atomic.Uint32
}

// block is a block and its number, in the order in which they came.
type block struct {
	data   []byte
	number uint32
}

func (s *store) find(id memo.ID) (block, error) {
	p := &s.parts[id[0]%locks]
	p.RLock()
	b, ok := p.blocks[id]
	p.RUnlock()
	if !ok {
		return b, fmt.Errorf("%w: %s", merge.ErrNoBlock, id)
	}
	return b, nil
}

// Block implements merge.BlockGetter.
func (s *store) Block(id memo.ID) ([]byte, error) {
	b, err := s.find(id)
	return b.data, err
}

// PutBlock implements merge.BlockPutter.
func (s *store) PutBlock(id memo.ID, data []byte) error {
	p := &s.parts[id[0]%locks]
	p.Lock()
	defer p.Unlock()
	if _, ok := p.blocks[id]; !ok {
		if p.blocks == nil {
			p.blocks = map[memo.ID]block{}
		}
		p.blocks[id] = block{data, s.n.Add(1) - 1}
	}
	return nil
}

func (s *store) len() int { return int(s.n.Load()) }

// counted counts what is read of a store, and put.
type counted struct {
	*store
	read, put int
}

func (c *counted) Block(id memo.ID) ([]byte, error) {
	c.read++
	return c.store.Block(id)
}

func (c *counted) PutBlock(id memo.ID, data []byte) error {
	c.put++
	return c.store.PutBlock(id, data)
}
