package merge

import "lightcone/memo"

// page is a node of the tree that is being changed, at its place among the
// others.
type page struct {
	Node
	place  Place
	id     memo.ID
	parent *page      // nil for the root
	index  int        // of its item in the parent
	below  []*page    // children read so far, by index; empty for a leaf
	prios  []priority // of the items in domain 0; computed when first needed
}

// pages reads the nodes of a tree when they are first needed.
type pages struct {
	*loader
	root *page
}

func openPages(p Params, g BlockGetter, root memo.ID) (*pages, error) {
	s := &pages{loader: newLoader(p, g)}
	var err error
	s.root, err = s.read(root, Place{})
	return s, err
}

func (s *pages) read(id memo.ID, place Place) (*page, error) {
	n, prios, err := s.load(id, place)
	if err != nil {
		return nil, err
	}
	q := &page{Node: n, place: place, id: id, prios: prios}
	if n.Level > 0 {
		q.below = make([]*page, len(n.Items))
	}
	return q, nil
}

func (s *pages) child(q *page, i int) (*page, error) {
	if q.below[i] != nil {
		return q.below[i], nil
	}
	c, err := s.read(q.Items[i].Child, q.place.Below(q.Node, i))
	if err != nil {
		return nil, err
	}
	c.parent, c.index = q, i
	q.below[i] = c
	return c, nil
}

// find returns the page of the given level in whose range key is.
func (s *pages) find(level int, key string) (*page, error) {
	q, err := s.root, error(nil)
	for err == nil && q.Level > level {
		i, _ := q.Node.find(key)
		q, err = s.child(q, max(i, 0))
	}
	return q, err
}

// get returns the value of key, and whether there is one.
func (s *pages) get(key string) ([]byte, bool, error) {
	leaf, err := s.find(0, key)
	if err != nil {
		return nil, false, err
	}
	i, found := leaf.Node.find(key)
	if !found {
		return nil, false, nil
	}
	return leaf.Items[i].Value, true, nil
}

// beside returns the next page of the same level, or with a step of -1 the one
// before. q is not the outermost there.
func (s *pages) beside(q *page, step int) (*page, error) {
	i, up := q.index+step, q.parent
	for i < 0 || i >= len(up.Items) {
		i, up = up.index+step, up.parent
	}
	up, err := s.child(up, i)
	for err == nil && up.Level > q.Level {
		i = 0
		if step < 0 {
			i = len(up.Items) - 1
		}
		up, err = s.child(up, i)
	}
	return up, err
}

// drop forgets q, which is not needed any more.
func (q *page) drop() {
	if q.parent != nil {
		q.parent.below[q.index] = nil
	}
}

// priorities returns the priorities of the items in domain 0.
func (q *page) priorities(of *priorities) []priority {
	if q.prios == nil {
		q.prios = make([]priority, len(q.Items))
		for i := range q.Items {
			q.prios[i] = of.of(q.Level, 0, q.Items[i].Key)
		}
	}
	return q.prios
}
