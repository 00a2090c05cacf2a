package merge

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"lightcone/memo"
)

// ErrNoBlock reports a block that a BlockGetter does not hold.
var ErrNoBlock = errors.New("block is not held here")

// BlockGetter finds blocks; ErrNoBlock when it does not hold the one asked for.
// The data is not changed by either side. It need not be trusted: what is not
// the block asked for is refused.
type BlockGetter interface {
	Block(id memo.ID) ([]byte, error)
}

// Get returns the value of key in the tree under root, reading one node a level.
func Get(p Params, g BlockGetter, root memo.ID, key string) ([]byte, bool, error) {
	l, id, place := newLoader(p, g), root, Place{}
	for {
		n, _, err := l.load(id, place)
		if err != nil {
			return nil, false, err
		}
		i, found := n.find(key)
		if n.Level == 0 {
			if !found {
				return nil, false, nil
			}
			return n.Items[i].Value, true, nil
		}
		if i < 0 {
			return nil, false, nil // smaller than every key
		}
		id, place = n.Items[i].Child, place.Below(n, i)
	}
}

// Rank returns the number of keys below key in the tree under root, whether key
// is one of them or not. It reads one node a level.
func Rank(p Params, g BlockGetter, root memo.ID, key string) (uint64, error) {
	l, id, place, rank := newLoader(p, g), root, Place{}, uint64(0)
	for {
		n, _, err := l.load(id, place)
		if err != nil {
			return 0, err
		}
		i, found := n.find(key)
		switch {
		case n.Level == 0 && found:
			return rank + uint64(i), nil
		case n.Level == 0 || i < 0:
			return rank + uint64(i+1), nil
		}
		for j := range i {
			rank += n.Items[j].Count
		}
		id, place = n.Items[i].Child, place.Below(n, i)
	}
}

// Scan yields the entries of the tree under root from key from on, ascending.
// It ends after the first error.
func Scan(p Params, g BlockGetter, root memo.ID, from string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		s := scan{loader: newLoader(p, g), from: from, yield: yield}
		s.visit(root, Place{})
	}
}

type scan struct {
	*loader
	from  string
	yield func(Entry, error) bool
}

// visit yields what is below the node and reports whether to go on.
func (s *scan) visit(id memo.ID, place Place) bool {
	n, _, err := s.load(id, place)
	if err != nil {
		s.yield(Entry{}, err)
		return false
	}
	i, found := n.find(s.from)
	if n.Level == 0 && !found {
		i++ // the first key above
	}
	for i = max(i, 0); i < len(n.Items); i++ {
		it := &n.Items[i]
		switch {
		case n.Level > 0:
			if !s.visit(it.Child, place.Below(n, i)) {
				return false
			}
		case !s.yield(Entry{Key: it.Key, Value: it.Value}, nil):
			return false
		}
	}
	return true
}

// find returns the place of the last item whose key is not above key, -1 if
// there is none, and whether it has just that key.
func (n Node) find(key string) (int, bool) {
	i, found := slices.BinarySearchFunc(n.Items, key, func(it Item, key string) int {
		return strings.Compare(it.Key, key)
	})
	if !found {
		i--
	}
	return i, found
}

// loader reads nodes from a BlockGetter.
type loader struct {
	*nodeReader
	g BlockGetter
}

func newLoader(p Params, g BlockGetter) *loader { return &loader{newNodeReader(p), g} }

// load reads and checks one node. It also returns the priorities of the items in
// domain 0 if it had to compute them.
func (l *loader) load(id memo.ID, place Place) (Node, []priority, error) {
	data, err := l.g.Block(id)
	if err != nil {
		return Node{}, nil, fmt.Errorf("read node %s: %w", id, err)
	}
	if got := memo.Sum(data); got != id {
		return Node{}, nil, fmt.Errorf("read node %s: %w: the block given has digest %s", id, ErrNode, got)
	}
	n, prios, err := l.node(data, place)
	if err != nil {
		return Node{}, nil, fmt.Errorf("node %s: %w", id, err)
	}
	return n, prios, nil
}
