package gossip

import (
	"errors"
	"fmt"

	"lightcone/memo"
	"lightcone/merge"
)

// This file is how two sides learn in what their vectors differ. Who accepted the
// session lists its heads, or, when they are many, gives the root of its vector tree
// and lets the opener walk down to what differs: that costs by the authors that
// changed, not by those there are. The opener answers with its own differing entries.

const (
	// treeFrom is how many authors a vector has that is offered as a tree: fewer are
	// listed at the cost of a few nodes, with no further round trip.
	treeFrom = 256
	// headBytes is what a head takes in a VEC, nodeBytes what a leaf of the tree takes,
	// about: 48 entries of 85 bytes.
	headBytes, nodeBytes = 75, 4 << 10
	// treeBytes bounds the nodes that one session brings or gives; an honest walk
	// turns to listing long before.
	treeBytes = sessionBytes
)

// offer is the part of a session that gives its vector as a tree.
type offer struct {
	tree  merge.BlockGetter
	bytes int // of nodes that were sent
}

// walked is the part of a session that looks into the other side's tree.
type walked struct {
	tree   merge.BlockGetter // our own, of the session's cut
	root   memo.ID           // of our own
	params merge.Params
	their  memo.ID            // root of theirs
	nodes  map[memo.ID][]byte // of theirs, and not of ours
	walk   *merge.Walk
	asked  []memo.ID // in the order of asking, not answered yet
	bytes  int       // of nodes that came
	heads  uint64    // below their root
}

// Block makes a walked the getter of both trees.
func (w *walked) Block(id memo.ID) ([]byte, error) {
	if data, ok := w.nodes[id]; ok {
		return data, nil
	}
	return w.tree.Block(id)
}

// offerVec says what the accepting side of a session holds. A peer that holds nothing
// would read all of a tree.
func (c *Core) offerVec(s *session, theirs memo.ID, e *Effects) error {
	if theirs == s.root { // forks alone differ
		c.sayVec(s, memo.Vector{}, e)
		return nil
	}
	if s.cut.Len() <= treeFrom || theirs == c.nothing {
		c.sayVec(s, s.cut, e)
		return nil
	}
	tree, err := c.cfg.Holdings.HadTree(s.space.id)
	if err != nil {
		return fmt.Errorf("%w: %w", errLocal, err)
	}
	s.offer = &offer{tree: tree}
	return s.sayNodes([]memo.ID{s.root}, e)
}

// sayNodes sends nodes of our vector tree.
func (s *session) sayNodes(ids []memo.ID, e *Effects) error {
	out, size := &vecNodes{Type: typeVecNodes}, 0
	for _, id := range ids {
		data, err := s.offer.tree.Block(id)
		switch {
		case errors.Is(err, merge.ErrNoBlock):
			return fmt.Errorf("%w: VECWANT of %s, which is not in the tree", ErrWire, id)
		case err != nil:
			return fmt.Errorf("%w: %w", errLocal, err)
		}
		if size+len(data) > nodesFrame && size > 0 {
			s.send(e, out)
			out, size = &vecNodes{Type: typeVecNodes}, 0
		}
		out.Nodes, size = append(out.Nodes, memo.Bytes(data)), size+len(data)
		s.offer.bytes += len(data)
	}
	s.send(e, out)
	if s.offer.bytes > treeBytes {
		return fmt.Errorf("%w: %d bytes of a vector's tree in one session", errFull, s.offer.bytes)
	}
	return nil
}

// onVecWant gives nodes, or lists the vector after all.
func (c *Core) onVecWant(s *session, m *vecWant, e *Effects) error {
	if s.offer == nil || s.known || s.equal {
		return fmt.Errorf("%w: unexpected VECWANT", ErrWire)
	}
	if len(m.IDs) > 0 {
		return s.sayNodes(m.IDs, e)
	}
	s.offer = nil // once
	c.sayVec(s, s.cut, e)
	return nil
}

// onVecNodes takes the root of their tree, or nodes that were asked for.
func (c *Core) onVecNodes(s *session, m *hashedNodes, e *Effects) error {
	if !s.opened || !s.replied || s.equal || s.known || s.listed > 0 || len(m.nodes) == 0 {
		return fmt.Errorf("%w: unexpected VECNODES", ErrWire)
	}
	w := s.walked
	if w == nil {
		list, err := c.beginWalk(s, m)
		if err != nil {
			return err
		}
		if list {
			s.send(e, &vecWant{Type: typeVecWant})
			return nil
		}
		w = s.walked
	}
	if len(m.nodes) > len(w.asked) {
		return fmt.Errorf("%w: more VECNODES than were asked for", ErrWire)
	}
	for _, n := range m.nodes {
		if err := w.walk.TakeHashed(w.asked[0], n.Data, n.ID); err != nil {
			return fmt.Errorf("%w: %w", ErrWire, err)
		}
		w.nodes[n.ID], w.asked = n.Data, w.asked[1:]
	}
	if w.bytes += m.bytes; w.bytes > treeBytes {
		return fmt.Errorf("%w: %d bytes of a vector's tree", ErrWire, w.bytes)
	}
	if len(w.asked) > 0 {
		return nil
	}
	return c.walkOn(s, e)
}

// beginWalk takes the root of their vector tree. With most of their authors unknown
// here all that is below would be read; it is listed then.
func (c *Core) beginWalk(s *session, m *hashedNodes) (list bool, err error) {
	h := c.cfg.Holdings
	if len(m.nodes) != 1 || m.nodes[0].ID != s.their {
		return false, fmt.Errorf("%w: VECNODES without the root that HELLO names", ErrWire)
	}
	params, held := h.Params(s.space.id)
	mine := h.Had(s.space.id)
	if !held || mine.Len() == 0 {
		s.walked = &walked{} // no second tree
		return true, nil
	}
	root, err := merge.DecodeNode(params, m.nodes[0].Data, merge.Place{})
	if err != nil {
		return false, fmt.Errorf("%w: the root of a vector: %w", ErrWire, err)
	}
	w := &walked{params: params, their: s.their, nodes: map[memo.ID][]byte{}, heads: root.Count()}
	if w.heads > maxVec {
		return false, fmt.Errorf("%w: a vector of %d authors", ErrWire, w.heads)
	}
	s.walked = w
	if w.heads > 2*uint64(mine.Len()) {
		return true, nil
	}
	w.root, err = h.HadRoot(s.space.id)
	if err == nil {
		w.tree, err = h.HadTree(s.space.id)
	}
	if err == nil {
		w.walk, err = merge.NewWalk(w, merge.WalkOptions{Params: params, Tree: w.their, Base: w.root})
	}
	if err == nil {
		w.asked, err = w.walk.Next(1)
	}
	if err != nil {
		return false, fmt.Errorf("%w: %w", errLocal, err)
	}
	s.cut = mine
	return false, nil
}

// walkOn asks for what differs one level further down; at the end both sides'
// entries are known. Where listing everything is cheaper than one leaf for each branch
// that differs, the least there is to read, it is listed.
func (c *Core) walkOn(s *session, e *Effects) error {
	w := s.walked
	var ids []memo.ID
	for len(ids) == 0 && !w.walk.Done() { // what is held may be read in several calls
		var err error
		if ids, err = w.walk.Next(maxVec); err != nil {
			return fmt.Errorf("%w: %w", ErrWire, err)
		}
	}
	if w.walk.Done() {
		return c.walkedDown(s, e)
	}
	if uint64(len(ids))*nodeBytes > w.heads*headBytes {
		s.walked = &walked{}
		s.send(e, &vecWant{Type: typeVecWant})
		return nil
	}
	w.asked = ids
	for len(ids) > 0 {
		n := min(len(ids), nodesChunk)
		s.send(e, &vecWant{Type: typeVecWant, IDs: ids[:n]})
		ids = ids[n:]
	}
	return nil
}

// walkedDown reads the differences out of both trees.
func (c *Core) walkedDown(s *session, e *Effects) error {
	w := s.walked
	s.walked, s.partial = &walked{}, true
	for d, err := range merge.DiffVector(w.params, w, w.root, w.their) {
		if err != nil {
			return fmt.Errorf("%w: %w", ErrWire, err)
		}
		c.learn(s, d.New.Head)
	}
	return c.vectorsKnown(s, s.cut, e)
}
