package merge

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"sort"
	"strings"

	"lightcone/memo"
)

// A row is a list of items, the least parts that state comes in, ascending by key:
//
//	""                           the row's tombstone
//	field 00 type                a register
//	field 00 type author         a counter's tally of the author
//	field 00 type author 0₈      of a multi or set, the author's last memo and what was seen of the author
//	field 00 type author k₈      an atom
//
// A zero byte within a field is written 00 ff, so that keys ascend as cells do;
// type is a byte, author 32, k eight, big-endian. A row state lists its items in
// that order, so to join pieces again is to append them.
//
// The list is cut where its keys part: a list that weighs more than MaxPiece is cut
// in two at the first bit in which its first and last keys differ, and its parts
// likewise. What is left is a piece, whose key is that of its first item. So pieces
// depend on what is in the row alone, and an item that comes or goes changes its
// own piece or two: one is cut in more only by an item that is heavier than others.
// A piece of one item may be of any size.

// MaxPiece bounds the weight of a piece of several items: about its bytes.
const MaxPiece = 4 << 10

// What items weigh. The pieces, and so digests, depend on it: it never changes.
const (
	weightItem = 16 // and the sizes of a register's field and of values
	weightSpan = 18 // of what was seen
	weightBase = 70 // of a tally
	weightMemo = 80 // that the item stands on, unless the item before stands on it too
)

// item is one item of a row.
type item struct {
	key    string
	by     *Stamp // the memo it stands on; nil when only others tell of the author
	weight int    // without that
	part   *Cell  // the part of a cell that it is; nil for the tombstone
}

// pieces returns the pieces of a row, ascending by key, as row states in form.
func (r Row) pieces() ([]KeyedRow, error) {
	c := pieceCutter{items: r.items()}
	c.sums = make([]int, 1, len(c.items)+1)
	for i := range c.items {
		sum := c.sums[i] + c.items[i].weight
		if !c.shares(i) {
			sum += weightMemo
		}
		c.sums = append(c.sums, sum)
	}
	if len(c.items) > 0 {
		c.split(0, len(c.items))
	}
	return c.out, c.err
}

// decodePiece reads the piece of the given key. Whether it fits in with the others,
// and is in its canonical form, all of them show.
func decodePiece(key string, state []byte) (Row, error) {
	p, err := decodeRow(state)
	if err != nil {
		return Row{}, err
	}
	switch items := p.items(); {
	case len(items) == 0:
		return Row{}, malformed("it is empty")
	case items[0].key != key:
		return Row{}, malformed("its first item has the key %x", items[0].key)
	}
	return p, nil
}

// append appends the part of a cell that comes behind all of r. Row.check tells
// whether it did.
func (r *Row) append(c *Cell) {
	last := len(r.Cells) - 1
	if last < 0 || r.Cells[last].compareKey(c) != 0 || c.Type == memo.Register {
		part := *c
		if c.Counter != nil {
			part.Counter = new(Counter)
		}
		if c.Atoms != nil {
			part.Atoms = new(Atoms)
		}
		r.Cells = append(r.Cells, part)
		last++
	}
	if to := r.Cells[last].Counter; to != nil {
		to.Tallies = append(to.Tallies, c.Counter.Tallies...)
	}
	if to := r.Cells[last].Atoms; to != nil {
		to.Live = append(to.Live, c.Atoms.Live...)
		to.Seen = append(to.Seen, c.Atoms.Seen...)
		to.Writers = append(to.Writers, c.Atoms.Writers...)
	}
}

// items returns the items of a row, or of a piece, ascending by key.
func (r Row) items() []item {
	n := 1 + len(r.Cells)
	for i := range r.Cells {
		if x := r.Cells[i].Atoms; x != nil {
			n += len(x.Writers) + len(x.Live)
		}
	}
	out := make([]item, 0, n)
	if !r.Tombstone.IsZero() {
		out = append(out, item{by: &r.Tombstone, weight: weightItem})
	}
	for i := range r.Cells {
		c := &r.Cells[i]
		key := strings.ReplaceAll(c.Field, "\x00", "\x00\xff") + "\x00" + string([]byte{byte(c.Type)})
		switch {
		case c.Counter != nil:
			out = c.tallies(out, key)
		case c.Atoms != nil:
			out = c.atoms(out, key)
		default:
			weight := weightItem + len(c.Field) + c.Register.Value.Size()
			out = append(out, item{key: key, by: &c.Register.Stamp, weight: weight, part: c})
		}
	}
	return out
}

// tallies appends the items of a counter.
func (c *Cell) tallies(out []item, key string) []item {
	for i := range c.Counter.Tallies {
		t := &c.Counter.Tallies[i]
		it := item{key: key + string(t.Stamp.Author[:]), by: &t.Stamp, weight: weightItem}
		if !t.Base.IsZero() {
			it.weight += weightBase
		}
		it.part = &Cell{Field: c.Field, Type: c.Type, Counter: &Counter{Tallies: c.Counter.Tallies[i : i+1]}}
		out = append(out, it)
	}
	return out
}

// atoms appends the items of a multi or set.
func (c *Cell) atoms(out []item, key string) []item {
	writers, seen, live := c.Atoms.Writers, c.Atoms.Seen, c.Atoms.Live
	for len(writers)+len(seen)+len(live) > 0 {
		author, k := nextItem(writers, seen, live)
		part := new(Atoms)
		it := item{weight: weightItem, part: &Cell{Field: c.Field, Type: c.Type, Atoms: part}}
		it.key = key + string(binary.BigEndian.AppendUint64(author[:], k))
		if k == 0 && len(writers) > 0 && writers[0].Author == author {
			it.by = &writers[0]
			part.Writers, writers = writers[:1], writers[1:]
		}
		if k == 0 && len(seen) > 0 && seen[0].Author == author {
			it.weight += weightSpan * len(seen[0].Spans)
			part.Seen, seen = seen[:1], seen[1:]
		}
		n := 0
		for ; k > 0 && n < len(live) && live[n].Stamp.Author == author && live[n].K == k; n++ {
			it.by = &live[n].Stamp
			it.weight += live[n].Value.Size()
		}
		part.Live, live = live[:n], live[n:]
		out = append(out, it)
	}
	return out
}

// nextItem returns author and k of the first item of lists that are not all empty.
func nextItem(writers []Stamp, seen Seen, live []Atom) (author memo.Author, k uint64) {
	first := true
	see := func(a memo.Author, at uint64) {
		if c := a.Compare(author); first || c < 0 || c == 0 && at < k {
			author, k, first = a, at, false
		}
	}
	if len(writers) > 0 {
		see(writers[0].Author, 0)
	}
	if len(seen) > 0 {
		see(seen[0].Author, 0)
	}
	if len(live) > 0 {
		see(live[0].Stamp.Author, live[0].K)
	}
	return author, k
}

// pieceCutter cuts a list of items into pieces.
type pieceCutter struct {
	items []item
	sums  []int // weight of the items before each, and of all
	out   []KeyedRow
	err   error
}

// shares tells whether item i stands on the memo of the item before.
func (c *pieceCutter) shares(i int) bool {
	if i == 0 {
		return false
	}
	a, b := c.items[i-1].by, c.items[i].by
	return a != nil && b != nil && *a == *b
}

// weight returns that of the items from i to j.
func (c *pieceCutter) weight(i, j int) int {
	sum := c.sums[j] - c.sums[i]
	if c.shares(i) {
		sum += weightMemo
	}
	return sum
}

// split makes pieces of the items from i to j.
func (c *pieceCutter) split(i, j int) {
	if j-i > 1 && c.weight(i, j) > MaxPiece {
		cut := c.cut(i, j)
		c.split(i, cut)
		c.split(cut, j)
		return
	}
	var p Row
	for _, it := range c.items[i:j] {
		if it.part == nil {
			p.Tombstone = *it.by
			continue
		}
		p.append(it.part)
	}
	state, err := p.Encode()
	if err != nil && c.err == nil {
		c.err = fmt.Errorf("piece %x: %w", c.items[i].key, err)
	}
	c.out = append(c.out, KeyedRow{Key: c.items[i].key, State: state})
}

// cut returns where the keys from i to j have a one for the first time in the first
// bit in which they differ.
func (c *pieceCutter) cut(i, j int) int {
	first, last := c.items[i].key, c.items[j-1].key
	at := sharedPrefix(first, last)
	low, high := symbol(first, at), symbol(last, at)
	top := bits.Len(low^high) - 1
	from := high >> top << top
	return i + sort.Search(j-i, func(n int) bool { return symbol(c.items[i+n].key, at) >= from })
}

// symbol returns the byte of key at i plus one, or 0 at its end, which comes first.
func symbol(key string, i int) uint {
	if i == len(key) {
		return 0
	}
	return uint(key[i]) + 1
}
