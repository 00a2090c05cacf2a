package merge_test

import (
	"bytes"
	"crypto/sha256"
	"maps"
	"slices"

	"lightcone/memo"
	"lightcone/merge"
)

// naiveBuild is the algorithm of DESIGN.md §4 as it stands there: whole levels
// in memory, every window looked at anew, every encoding by memo.Marshal.
func naiveBuild(p merge.Params, m map[string][]byte) memo.ID {
	n := &naive{p: p}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		n.items = append(n.items, naiveItem{key: k, count: 1, wire: []any{memo.Raw(m[k])}})
	}
	for {
		n.nodes = nil
		n.rec(n.items, 0)
		if len(n.nodes) == 1 {
			return n.nodes[0].id
		}
		n.items = n.nodes
		n.level++
	}
}

type naive struct {
	p            merge.Params
	level        int
	items, nodes []naiveItem
}

type naiveItem struct {
	key   string
	id    memo.ID
	count uint64
	wire  []any // what follows the key
}

func (n *naive) prio(dom int, key string) []byte {
	h := sha256.New()
	h.Write([]byte("lc1"))
	h.Write(n.p.Space[:])
	h.Write([]byte{byte(n.level), byte(dom)})
	h.Write([]byte(key))
	return h.Sum(nil)
}

func (n *naive) rec(run []naiveItem, dom int) {
	if dom > 0 && len(run) <= n.p.M {
		n.emit(run, dom)
		return
	}
	greatest := func(dom, from, to int) int {
		best := from
		for i := from; i < to; i++ {
			if bytes.Compare(n.prio(dom, run[i].key), n.prio(dom, run[best].key)) > 0 {
				best = i
			}
		}
		return best
	}
	if dom > n.p.D {
		cut := greatest(dom, len(run)/4, len(run)-len(run)/4)
		n.rec(run[:cut], dom)
		n.rec(run[cut:], dom)
		return
	}
	from := 0
	for i := n.p.W; i < len(run)-n.p.W; i++ {
		if greatest(dom, i-n.p.W, i+n.p.W+1) == i {
			n.rec(run[from:i], dom+1)
			from = i
		}
	}
	n.rec(run[from:], dom+1)
}

func (n *naive) emit(run []naiveItem, dom int) {
	items, prev := []any{}, ""
	var node naiveItem
	for _, it := range run {
		shared := 0
		for shared < len(prev) && shared < len(it.key) && prev[shared] == it.key[shared] {
			shared++
		}
		prev = it.key
		items = append(items, append([]any{shared, memo.Bytes(it.key[shared:])}, it.wire...))
		node.count += it.count
	}
	if len(run) > 0 {
		node.key = run[0].key
	}
	b, err := memo.Marshal([]any{1, n.level, items})
	if err != nil {
		panic(err)
	}
	node.id = memo.Sum(b)
	node.wire = []any{node.id, node.count, dom}
	n.nodes = append(n.nodes, node)
}
