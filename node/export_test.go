package node

import (
	"lightcone/memo"
	"lightcone/merge"
)

// BlocksOf returns the blocks of a root that the node holds, its own among them.
func (s *Space) BlocksOf(id memo.ID) (map[memo.ID]string, error) {
	blocks := s.node.store.Blocks(s.id)
	own, err := blocks.Block(id)
	if err != nil {
		return nil, err
	}
	root, err := merge.DecodeRoot(own)
	if err != nil {
		return nil, err
	}
	out := map[memo.ID]string{id: string(own)}
	var missing error
	err = merge.Reach(blocks, root, func(id memo.ID) bool {
		data, err := blocks.Block(id)
		if err != nil {
			missing = err
		}
		_, again := out[id]
		out[id] = string(data)
		return !again
	})
	if err == nil {
		err = missing
	}
	return out, err
}
