package merge

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"lightcone/memo"
)

// BlockGetter finds blocks. The data is not changed by either side. It need not
// be trusted: what is not the block asked for is refused.
type BlockGetter interface {
	Block(id memo.ID) ([]byte, error)
}

// Get returns the value of key in the tree under root, reading one node a level.
func Get(p Params, g BlockGetter, root memo.ID, key string) ([]byte, bool, error) {
	id, place := root, Place{}
	for {
		n, err := load(p, g, id, place)
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
	id, place, rank := root, Place{}, uint64(0)
	for {
		n, err := load(p, g, id, place)
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
		s := scan{p: p, g: g, from: from, yield: yield}
		s.visit(root, Place{})
	}
}

type scan struct {
	p     Params
	g     BlockGetter
	from  string
	yield func(Entry, error) bool
}

// visit yields what is below the node and reports whether to go on.
func (s *scan) visit(id memo.ID, place Place) bool {
	n, err := load(s.p, s.g, id, place)
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

// load reads and checks one node.
func load(p Params, g BlockGetter, id memo.ID, place Place) (Node, error) {
	data, err := g.Block(id)
	if err != nil {
		return Node{}, fmt.Errorf("read node %s: %w", id, err)
	}
	if got := memo.Sum(data); got != id {
		return Node{}, fmt.Errorf("read node %s: %w: the block given has digest %s", id, ErrNode, got)
	}
	n, err := DecodeNode(p, data, place)
	if err != nil {
		return Node{}, fmt.Errorf("node %s: %w", id, err)
	}
	return n, nil
}
