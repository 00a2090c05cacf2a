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

// keySize is what room is made for, per key, before the keys are read.
const keySize = 32

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
	if err := p.Validate(); err != nil {
		return Node{}, err
	}
	n, err := decodeNode(p, data)
	if err == nil && !bytes.Equal(EncodeNode(make([]byte, 0, len(data)), n), data) { // a prefix not maximal, for one
		err = memo.ErrNotCanonical
	}
	if err == nil {
		err = n.check(p, place)
	}
	if err != nil {
		return Node{}, fmt.Errorf("tree node: %w", err)
	}
	return n, nil
}

func decodeNode(p Params, data []byte) (Node, error) {
	r := &reader{b: data}
	r.arrayOf(nodeParts, "a node")
	if v := r.uint(); v != nodeVersion {
		r.fail("version %d, this program reads %d", v, nodeVersion)
	}
	level := r.uint()
	if level > maxLevel {
		r.fail("level %d, at most %d", level, maxLevel)
	}
	n := Node{Level: int(level), Items: make([]Item, r.array(p.M))}
	keys := make([]byte, 0, keySize*len(n.Items)) // one after the other: one string for all costs one allocation
	ends := make([]int, len(n.Items))
	prev := keys
	for i := range n.Items {
		shared, suffix := r.nodeItem(n.Level, &n.Items[i], len(prev))
		keys = append(append(keys, prev[:shared]...), suffix...)
		ends[i] = len(keys)
		key := keys[len(keys)-shared-len(suffix):]
		if i > 0 && bytes.Compare(key, prev) <= 0 {
			r.fail("keys are not strictly ascending at %q", key)
		}
		if r.err != nil {
			return Node{}, r.err
		}
		prev = key
	}
	all, start := string(keys), 0
	for i, end := range ends {
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
