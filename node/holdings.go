package node

import (
	"lightcone/memo"
	"lightcone/merge"
	"lightcone/store"
)

// holdings lets the protocol read what the replica has: the owner's newest view,
// and blocks.
type holdings struct{ n *Node }

func (h holdings) now() *store.View { return h.n.view.Load().store }

func (h holdings) Vector(s memo.SpaceID) memo.Vector { return h.now().Vector(s) }

func (h holdings) VecRoot(s memo.SpaceID) (memo.ID, error) { return h.now().VecRoot(s) }

func (h holdings) VecTree(s memo.SpaceID) (merge.BlockGetter, error) { return h.now().VecTree(s) }

func (h holdings) NextRun(s memo.SpaceID, a memo.Author, after uint64) (order, last uint64, ok bool, err error) {
	return h.now().NextRun(s, a, after)
}

func (h holdings) Run(s memo.SpaceID, a memo.Author, last uint64) ([]byte, error) {
	return h.now().Run(s, a, last)
}

func (h holdings) Params(s memo.SpaceID) (merge.Params, bool) {
	_, held := h.now().Genesis(s)
	return (&Space{node: h.n, id: s}).params(h.n.view.Load()), held
}

func (h holdings) Root(s memo.SpaceID) (memo.ID, merge.Root, bool) {
	last, ok := h.n.folder.latest(s)
	return last.id, last.root, ok
}

func (h holdings) Block(s memo.SpaceID, id memo.ID) ([]byte, error) {
	return h.n.store.Blocks(s).Block(id)
}

func (h holdings) Seal(s memo.SpaceID, a memo.Author, seq uint64) (memo.Seal, bool, error) {
	return h.now().Seal(s, a, seq)
}
