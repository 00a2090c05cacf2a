package merge

import (
	"cmp"
	"fmt"
	"iter"

	"lightcone/memo"
)

// vectorEntry is what a vector tree holds for an author:
// [seq, digest, time, forked].
type vectorEntry struct {
	Seq    uint64
	ID     memo.ID
	Time   memo.Time
	Forked bool // the cut holds a proof that the author forked
}

// vectorParts is the length of the array above.
const vectorParts = 4

func entryOf(m memo.Mark) vectorEntry {
	return vectorEntry{Seq: m.Seq, ID: m.ID, Time: m.Time, Forked: m.Forked}
}

func (e vectorEntry) encode() []byte {
	b := appendArray(nil, vectorParts)
	b = appendUint(b, e.Seq)
	b = appendBytes(b, e.ID[:])
	b = appendUint(b, uint64(e.Time))
	if e.Forked {
		return append(b, itemTrue)
	}
	return append(b, itemFalse)
}

func decodeVectorEntry(b []byte) (vectorEntry, error) {
	r := &reader{b: b}
	r.arrayOf(vectorParts, "an entry of a vector")
	e := vectorEntry{Seq: r.uint(), ID: r.digest(), Time: memo.Time(r.uint())}
	switch e.Forked = r.peek() == itemTrue; {
	case e.Forked || r.peek() == itemFalse:
		r.take(1)
	default:
		r.fail("forked is true or false")
	}
	if r.err == nil && (e.Seq == 0 || e.ID.IsZero() || e.Time > memo.MaxTime) {
		r.fail("a head that no chain has: seq %d, time %d", e.Seq, uint64(e.Time))
	}
	return e, r.end()
}

// join keeps the greater head by (seq, digest) and the greater time, the rule of
// memo.Mark. Once forked, always forked.
func (e vectorEntry) join(o vectorEntry) vectorEntry {
	forked, t := e.Forked || o.Forked, max(e.Time, o.Time)
	if cmp.Or(cmp.Compare(e.Seq, o.Seq), e.ID.Compare(o.ID)) < 0 {
		e = o
	}
	e.Forked, e.Time = forked, t
	return e
}

// BuildVector makes the tree of a cut, author → [seq, digest, time, forked],
// and returns its id. Who is forked is said by the marks.
func BuildVector(p Params, v memo.Vector, put BlockPutter) (memo.ID, error) {
	return Build(p, func(yield func(Entry, error) bool) {
		for m := range v.All() {
			val := entryOf(m).encode()
			if !yield(Entry{Key: string(m.Author[:]), Value: val}, nil) {
				return
			}
		}
	}, put)
}

// ApplyVector joins marks, strictly ascending by author, into the vector tree
// under root and returns the id of what BuildVector makes of the joined vector:
// per author the greater head by (seq, digest); who is marked as forked stays so.
// Blocks are read and put as by Apply, so a few marks cost a few nodes a level.
func ApplyVector(p Params, g BlockGetter, root memo.ID, marks iter.Seq[memo.Mark], put BlockPutter) (memo.ID, error) {
	id, err := applyVector(p, g, root, marks, put)
	if err != nil {
		return memo.ID{}, fmt.Errorf("apply to vector %s: %w", root, err)
	}
	return id, nil
}

func applyVector(p Params, g BlockGetter, root memo.ID, marks iter.Seq[memo.Mark], put BlockPutter) (memo.ID, error) {
	old, err := openPages(p, g, root)
	if err != nil {
		return memo.ID{}, err
	}
	var edits []edit
	for m := range marks {
		key := string(m.Author[:])
		if n := len(edits) - 1; n >= 0 && key <= edits[n].Key {
			return memo.ID{}, fmt.Errorf("%w: author %s again or too late; sort them and keep one mark each", ErrUnsorted, m.Author)
		}
		leaf, err := old.find(0, key)
		if err != nil {
			return memo.ID{}, err
		}
		next := entryOf(m)
		if i, found := leaf.Node.find(key); found {
			had, err := decodeVectorEntry(leaf.Items[i].Value)
			if err != nil {
				return memo.ID{}, fmt.Errorf("author %s: %w", m.Author, err)
			}
			next = had.join(next)
		}
		edits = append(edits, edit{Item: Item{Key: key, Value: next.encode()}})
	}
	return apply(old, edits, put)
}

// MergeVector makes the vector tree of the union of two cuts out of their vector
// trees: per author the greater head by (seq, digest), forked if either says
// so. Blocks are read and put as by Merge.
func MergeVector(p Params, g BlockGetter, a, b memo.ID, put BlockPutter) (memo.ID, error) {
	return Merge(p, g, a, b, func(key string, a, b []byte) ([]byte, error) {
		x, err := decodeVectorEntry(a)
		if err != nil {
			return nil, fmt.Errorf("author %x: %w", key, err)
		}
		y, err := decodeVectorEntry(b)
		if err != nil {
			return nil, fmt.Errorf("author %x: %w", key, err)
		}
		return x.join(y).encode(), nil
	}, put)
}

// ReadVector returns the cut whose vector tree is under root. It reads all of it.
func ReadVector(p Params, g BlockGetter, root memo.ID) (memo.Vector, error) {
	var v memo.Vector
	for e, err := range Scan(p, g, root, "") {
		if err != nil {
			return memo.Vector{}, fmt.Errorf("read vector %s: %w", root, err)
		}
		val, err := decodeVectorEntry(e.Value)
		if err == nil && len(e.Key) != len(memo.Author{}) {
			err = fmt.Errorf("%w: a key of %d bytes is no author", memo.ErrMalformed, len(e.Key))
		}
		if err != nil {
			return memo.Vector{}, fmt.Errorf("read vector %s: author %x: %w", root, e.Key, err)
		}
		head := memo.Head{Author: memo.Author([]byte(e.Key)), Seq: val.Seq, ID: val.ID}
		v.Set(memo.Mark{Head: head, Time: val.Time, Forked: val.Forked})
	}
	return v, nil
}
