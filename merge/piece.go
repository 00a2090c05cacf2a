package merge

import (
	"encoding/binary"
	"fmt"
	"iter"
	"math/bits"
	"slices"
	"sort"
	"strings"

	"lightcone/memo"
)

// A row is a list of items, the least parts that state comes in, ascending by key:
//
//	""                           the row's tombstone
//	field 00 type                a register
//	field 00 type author         a counter's tally of the author
//	field 00 type 00 author      of a multi or set, the author's last memo and what was seen of the author
//	field 00 type 01 author k₈   an atom: all of that dot, if the author is forked
//
// A zero byte within a field is written 00 ff, so that keys ascend as cells do;
// type is a byte, author 32, k eight, big-endian. A row state lists its items in
// that order, so to join pieces again is to append them.
//
// The list is cut where its keys part: a list that weighs more than maxPiece is cut
// in two at the first bit in which its first and last keys differ, and its parts
// likewise. What is left is a piece, whose key is that of its first item. So pieces
// depend on what is in the row alone, and an item that comes or goes changes its
// own piece or two: one is cut in more only by an item that is heavier than others.
// A piece of one item may be of any size.

// maxPiece bounds the weight of a piece of several items: about its bytes.
const maxPiece = 4 << 10

// What items weigh. The pieces, and so digests, depend on it: it never changes.
const (
	weightItem = 16 // and the sizes of a register's field and of values
	weightSpan = 18 // of what was seen
	weightBase = 70 // of a tally
	weightMemo = 80 // that the item stands on, unless the row's item before stands on it too
)

// item is one item of a row. Its lists are parts of the row's.
type item struct {
	cell    *Cell  // that it is of; nil for the tombstone
	prefix  string // of the keys of the cell's items
	suffix  string // of this one's
	by      *Stamp // the memo it stands on; nil when only others tell of the author
	weight  int    // without that
	tallies []Tally
	atoms   Atoms
}

func (it *item) key() string { return it.prefix + it.suffix }

// symbol returns byte i of the key plus one, or 0 at its end, which comes first.
func (it *item) symbol(i int) uint {
	n := len(it.prefix)
	switch {
	case i < n:
		return uint(it.prefix[i]) + 1
	case i < n+len(it.suffix):
		return uint(it.suffix[i-n]) + 1
	}
	return 0
}

// pieces returns the pieces of a row, ascending by key, as row states in form.
func (r Row) pieces() ([]KeyedRow, error) {
	c := pieceCutter{items: slices.AppendSeq(make([]item, 0, r.mostItems()), r.items())}
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
	n, weight := 0, 0
	for it := range p.items() {
		if n == 0 && it.key() != key {
			return Row{}, malformed("its first item has the key %x", it.key())
		}
		n, weight = n+1, weight+it.weight
		if n > 1 && weight > maxPiece { // before anything is made of its many items
			return Row{}, malformed("it has several items and weighs more than %d", maxPiece)
		}
	}
	if n == 0 {
		return Row{}, malformed("it is empty")
	}
	return p, nil
}

// append appends a part of a cell that comes behind all of r: the register, or the
// lists. Row.check tells whether it did.
func (r *Row) append(c *Cell, tallies []Tally, atoms *Atoms) {
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
		to.Tallies = append(to.Tallies, tallies...)
	}
	if to := r.Cells[last].Atoms; to != nil {
		to.Live = append(to.Live, atoms.Live...)
		to.Seen = append(to.Seen, atoms.Seen...)
		to.Writers = append(to.Writers, atoms.Writers...)
	}
}

// appendAll appends all of a cell, or what a piece has of it.
func (r *Row) appendAll(c *Cell) {
	var tallies []Tally
	if c.Counter != nil {
		tallies = c.Counter.Tallies
	}
	r.append(c, tallies, c.Atoms)
}

// items yields the items of a row, or of a piece, ascending by key.
func (r Row) items() iter.Seq[item] {
	return func(yield func(item) bool) {
		if !r.Tombstone.IsZero() && !yield(item{by: &r.Tombstone, weight: weightItem}) {
			return
		}
		for i := range r.Cells {
			c := &r.Cells[i]
			it := item{cell: c, weight: weightItem}
			it.prefix = strings.ReplaceAll(c.Field, "\x00", "\x00\xff") + "\x00" + string([]byte{byte(c.Type)})
			more := true
			switch {
			case c.Counter != nil:
				more = it.eachTally(yield)
			case c.Atoms != nil:
				more = it.eachAtom(yield)
			default:
				it.by = &c.Register.Stamp
				it.weight += len(c.Field) + c.Register.Value.Size()
				more = yield(it)
			}
			if !more {
				return
			}
		}
	}
}

// mostItems bounds the number of items.
func (r Row) mostItems() int {
	n := 1 + len(r.Cells)
	for i := range r.Cells {
		if x := r.Cells[i].Atoms; x != nil {
			n += len(x.Writers) + len(x.Seen) + len(x.Live)
		}
		if c := r.Cells[i].Counter; c != nil {
			n += len(c.Tallies)
		}
	}
	return n
}

// eachTally yields the items of a counter. it has what they have in common.
func (it item) eachTally(yield func(item) bool) bool {
	all := it.cell.Counter.Tallies
	for i := range all {
		one := it
		one.suffix, one.by, one.tallies = string(all[i].Stamp.Author[:]), &all[i].Stamp, all[i:i+1]
		if !all[i].Base.IsZero() {
			one.weight += weightBase
		}
		if !yield(one) {
			return false
		}
	}
	return true
}

// eachAtom yields the items of a multi or set: first what it knows of its authors.
func (it item) eachAtom(yield func(item) bool) bool {
	x := *it.cell.Atoms
	for len(x.Writers)+len(x.Seen) > 0 {
		one := it
		author := x.author()
		one.suffix = "\x00" + string(author[:])
		if len(x.Writers) > 0 && x.Writers[0].Author == author {
			one.by = &x.Writers[0]
			one.atoms.Writers, x.Writers = x.Writers[:1], x.Writers[1:]
		}
		if len(x.Seen) > 0 && x.Seen[0].Author == author {
			one.weight += weightSpan * len(x.Seen[0].Spans)
			one.atoms.Seen, x.Seen = x.Seen[:1], x.Seen[1:]
		}
		if !yield(one) {
			return false
		}
	}
	for len(x.Live) > 0 {
		one, a, n := it, &x.Live[0], 0
		one.suffix = "\x01" + string(binary.BigEndian.AppendUint64(a.Stamp.Author[:], a.K))
		one.by = &a.Stamp
		for ; n < len(x.Live) && x.Live[n].Stamp.Author == a.Stamp.Author && x.Live[n].K == a.K; n++ {
			one.weight += x.Live[n].Value.Size()
		}
		one.atoms.Live, x.Live = x.Live[:n], x.Live[n:]
		if !yield(one) {
			return false
		}
	}
	return true
}

// author returns the first author of the writers and of what was seen, which are
// not both empty.
func (x *Atoms) author() memo.Author {
	if len(x.Seen) == 0 || len(x.Writers) > 0 && x.Writers[0].Author.Compare(x.Seen[0].Author) < 0 {
		return x.Writers[0].Author
	}
	return x.Seen[0].Author
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

// split makes pieces of the items from i to j.
func (c *pieceCutter) split(i, j int) {
	if j-i > 1 && c.sums[j]-c.sums[i] > maxPiece {
		cut := c.cut(i, j)
		c.split(i, cut)
		c.split(cut, j)
		return
	}
	var p Row
	for n := i; n < j; n++ {
		it := &c.items[n]
		if it.cell == nil {
			p.Tombstone = *it.by
			continue
		}
		p.append(it.cell, it.tallies, &it.atoms)
	}
	key := c.items[i].key()
	state, err := p.Encode()
	if err != nil && c.err == nil {
		c.err = fmt.Errorf("piece %x: %w", key, err)
	}
	c.out = append(c.out, KeyedRow{Key: key, State: state})
}

// cut returns where the keys from i to j have a one for the first time in the first
// bit in which they differ.
func (c *pieceCutter) cut(i, j int) int {
	first, last := &c.items[i], &c.items[j-1]
	at := sharedPrefix(first.key(), last.key())
	low, high := first.symbol(at), last.symbol(at)
	top := bits.Len(low^high) - 1
	from := high >> top << top
	return i + sort.Search(j-i, func(n int) bool { return c.items[i+n].symbol(at) >= from })
}
