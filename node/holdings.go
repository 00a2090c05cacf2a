package node

import (
	"lightcone/memo"
	"lightcone/merge"
	"lightcone/p2p/gossip"
	"lightcone/store"
)

// holdings lets the protocol read what the replica has: the owner's newest view,
// and blocks.
type holdings struct{ n *Node }

func (h holdings) now() *store.View { return h.n.view.Load().store }

func (h holdings) Vector(s memo.SpaceID) memo.Vector { return h.now().Vector(s) }

func (h holdings) VecRoot(s memo.SpaceID) (memo.ID, error) { return h.now().VecRoot(s) }

func (h holdings) Had(s memo.SpaceID) memo.Vector { return h.now().Had(s).Vector() }

func (h holdings) HadRoot(s memo.SpaceID) (memo.ID, error) { return h.now().Had(s).Root() }

func (h holdings) HadTree(s memo.SpaceID) (merge.BlockGetter, error) { return h.now().Had(s).Tree() }

func (h holdings) NextRun(s memo.SpaceID, a memo.Author, after uint64) (order, last uint64, ok bool, err error) {
	return h.now().Had(s).NextRun(a, after)
}

func (h holdings) Run(s memo.SpaceID, a memo.Author, last uint64) ([]byte, error) {
	return h.now().Had(s).Run(a, last)
}

func (h holdings) ID(s memo.SpaceID, a memo.Author, seq uint64) (memo.ID, bool, error) {
	return h.now().Had(s).ID(a, seq)
}

func (h holdings) Forked(s memo.SpaceID) []memo.Author { return h.now().Forked(s) }

func (h holdings) BranchRuns(s memo.SpaceID, a memo.Author) ([]gossip.BranchRun, error) {
	runs, err := h.now().BranchRuns(s, a)
	out := make([]gossip.BranchRun, len(runs))
	for i, r := range runs {
		out[i] = gossip.BranchRun(r)
	}
	return out, err
}

func (h holdings) RunByID(s memo.SpaceID, id memo.ID) ([]byte, error) { return h.now().RunByID(s, id) }

func (h holdings) Holds(s memo.SpaceID, head memo.Head) (bool, error) { return h.now().Holds(s, head) }

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

func (h holdings) Adopts(s memo.SpaceID) bool {
	return (&Space{node: h.n, id: s}).adopts(h.n.view.Load())
}
