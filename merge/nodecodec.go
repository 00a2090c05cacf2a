package merge

import (
	"bytes"
	"fmt"

	"lightcone/memo"
)

// A node is the CBOR array
//
//	[1, 0,     [[sharedPrefixLen, keySuffix, value], …]]                    a leaf
//	[1, level, [[sharedPrefixLen, keySuffix, childDigest, count, dom], …]]  an inner node
//
// sharedPrefixLen is the length of the longest common prefix with the key
// before, 0 for the first. The value is embedded as it is. The block's id is
// the SHA-256 of these bytes.

// nodeVersion is the first element of a node and of a root.
const nodeVersion = 1

// nodeParts, leafParts and innerParts are the lengths of the arrays above.
const (
	nodeParts  = 3
	leafParts  = 3
	innerParts = 5
)

// EncodeNode appends the canonical bytes of n to b. The items are strictly
// ascending and within the limits; Build and DecodeNode make no other nodes.
func EncodeNode(b []byte, n Node) []byte {
	b = appendArray(b, nodeParts)
	b = appendUint(b, nodeVersion)
	b = appendUint(b, uint64(n.Level))
	b = appendArray(b, len(n.Items))
	prev := ""
	for i := range n.Items {
		it := &n.Items[i]
		shared := sharedPrefix(prev, it.Key)
		prev = it.Key
		if n.Level == 0 {
			b = appendArray(b, leafParts)
		} else {
			b = appendArray(b, innerParts)
		}
		b = appendUint(b, uint64(shared))
		b = appendBytes(b, it.Key[shared:])
		if n.Level == 0 {
			b = append(b, it.Value...)
			continue
		}
		b = appendBytes(b, it.Child[:])
		b = appendUint(b, it.Count)
		b = appendUint(b, uint64(it.Dom))
	}
	return b
}

// DecodeNode reads the node at place strictly: it accepts only what Build could
// have made there, as far as the node and its place show it. Errors:
// memo.ErrMalformed, memo.ErrNotCanonical and ErrNode. Values share memory with
// data.
//
// Decidable, and checked: form, order, sizes, level, count, key range, and every
// natural cut whose window lies within the node, in each domain that the node
// came through. For a root that is all there is.
//
// Not decidable from one node, and not checked: cuts within w items of its ends
// and whether it begins with a peak at all, since those windows reach into its
// neighbours; where an overlong run was halved; whether the run it came from was
// overlong in each domain below its own. Building the tree again from its
// entries decides all of it.
func DecodeNode(p Params, data []byte, place Place) (Node, error) {
	n, _, err := newNodeReader(p).node(data, place)
	return n, err
}

// nodeReader reads nodes; it owns memory that serves one after the other: one
// goroutine each.
type nodeReader struct {
	Params
	prios *priorities
	again []byte // the node, encoded once more
	keys  []byte // of the node, one after the other
	ends  []int  // where each ends there
}

func newNodeReader(p Params) *nodeReader {
	return &nodeReader{Params: p, prios: newPriorities(p)}
}

// node is DecodeNode. It also returns the priorities of the items in domain 0 if
// it had to compute them.
func (d *nodeReader) node(data []byte, place Place) (Node, []priority, error) {
	if err := d.Validate(); err != nil {
		return Node{}, nil, err
	}
	var prios []priority
	n, err := d.decode(data)
	if err == nil {
		d.again = EncodeNode(d.again[:0], n)
		if !bytes.Equal(d.again, data) { // a prefix not maximal, for one
			err = memo.ErrNotCanonical
		}
	}
	if err == nil {
		err = n.check(d.Params, place)
	}
	if err == nil {
		prios, err = n.checkCuts(d.Params, d.prios, place)
	}
	if err != nil {
		return Node{}, nil, fmt.Errorf("tree node: %w", err)
	}
	return n, prios, nil
}

// decode reads a node as far as its bytes alone tell.
func (d *nodeReader) decode(data []byte) (Node, error) {
	r := &reader{b: data}
	r.arrayOf(nodeParts, "a node")
	if v := r.uint(); v != nodeVersion {
		r.fail("version %d, this program reads %d", v, nodeVersion)
	}
	level := r.uint()
	if level > maxLevel {
		r.fail("level %d, at most %d", level, maxLevel)
	}
	n := Node{Level: int(level), Items: make([]Item, r.array(d.M))}
	d.keys, d.ends = d.keys[:0], d.ends[:0]
	var prev []byte
	for i := range n.Items {
		shared, suffix := r.nodeItem(n.Level, &n.Items[i], len(prev))
		start := len(d.keys)
		d.keys = append(append(d.keys, prev[:shared]...), suffix...)
		d.ends = append(d.ends, len(d.keys))
		key := d.keys[start:]
		if i > 0 && bytes.Compare(key, prev) <= 0 {
			r.fail("keys are not strictly ascending at %q", key)
		}
		if r.err != nil {
			return Node{}, r.err
		}
		prev = key
	}
	all, start := string(d.keys), 0 // one string for all keys costs one allocation
	for i, end := range d.ends {
		n.Items[i].Key, start = all[start:end], end
	}
	return n, r.end()
}

// nodeItem reads one item of a node but for its key, which is that many bytes of
// the key before, which has size bytes, and a suffix.
func (r *reader) nodeItem(level int, it *Item, size int) (shared int, suffix []byte) {
	if level == 0 {
		r.arrayOf(leafParts, "an item of a leaf")
	} else {
		r.arrayOf(innerParts, "an item of an inner node")
	}
	n := r.uint()
	if n > uint64(size) {
		r.fail("a shared prefix of %d bytes of a key of %d", n, size)
		return 0, nil
	}
	shared = int(n)
	suffix = r.bytes(MaxKey - shared)
	if level == 0 {
		it.Value = r.item()
		if len(it.Value) > InlineMax {
			r.fail("a value of %d bytes, the limit is %d", len(it.Value), InlineMax)
		}
		return shared, suffix
	}
	it.Child = r.digest()
	it.Count = r.uint()
	dom := r.uint()
	if dom > MaxDomain+1 {
		r.fail("domain %d, at most %d", dom, MaxDomain+1)
	}
	it.Dom = int(dom)
	return shared, suffix
}

func sharedPrefix(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}
