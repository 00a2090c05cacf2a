package projection

import (
	"iter"

	"github.com/tidwall/btree"

	"lightcone/memo"
	"lightcone/merge"
)

// entry is a row as a layer holds it: decoded in a memtable, encoded in the file.
type entry struct {
	key   string // the row's key, without the space
	live  bool
	row   *merge.Row // from a memtable
	state []byte     // from the file
}

// layer walks the rows of one layer in the order of a span.
type layer interface {
	// next returns the next row; at the end ok is false.
	next() (e entry, ok bool, err error)
}

// tableLayer walks a memtable.
type tableLayer struct {
	it    btree.IterG[item]
	space string
	span  span
	begun bool
}

func (l *tableLayer) next() (entry, bool, error) {
	if !l.step() {
		return entry{}, false, nil
	}
	it := l.it.Item()
	space, rowKey := splitTableKey(it.key)
	if space != l.space || !l.span.holds(rowKey) {
		return entry{}, false, nil
	}
	return entry{key: rowKey, live: it.row.Live(), row: it.row}, true, nil
}

// step goes to the next item of the tree in the order of the walk.
func (l *tableLayer) step() bool {
	switch begun := l.begun; {
	case begun && l.span.reverse:
		return l.it.Prev()
	case begun:
		return l.it.Next()
	}
	l.begun = true
	if !l.span.reverse {
		return l.it.Seek(item{key: l.space + l.span.lo})
	}
	end := l.space + l.span.hi
	if l.span.hi == "" {
		end = successor(l.space)
	}
	if l.it.Seek(item{key: end}) { // the first that is too far
		return l.it.Prev()
	}
	return l.it.Last()
}

// fileLayer walks a space in the file, chunk by chunk.
type fileLayer struct {
	base  *base
	space string
	span  span // what is not yet read
	rows  []entry
	size  int // of the chunk read last
}

func (l *fileLayer) next() (entry, bool, error) {
	if len(l.rows) == 0 {
		if err := l.fill(); err != nil || len(l.rows) == 0 {
			return entry{}, false, err
		}
	}
	e := l.rows[0]
	l.rows = l.rows[1:]
	return e, true, nil
}

func (l *fileLayer) fill() (err error) {
	l.size = min(max(minChunk, 2*l.size), maxChunk)
	l.rows, err = l.base.chunk(l.space, l.span, l.size)
	if n := len(l.rows); n > 0 {
		l.span = l.span.after(l.rows[n-1].key)
	}
	return err
}

// entries merges the layers of v: every row of a space within s, in its order,
// in its newest state.
func (v *view) entries(space memo.SpaceID, s span) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		layers := v.layers(string(space[:]), s) // newest first
		heads := make([]entry, len(layers))
		open := make([]bool, len(layers))
		advance := func(i int) (err error) {
			heads[i], open[i], err = layers[i].next()
			return err
		}
		for i := range layers {
			if err := advance(i); err != nil {
				yield(entry{}, err)
				return
			}
		}
		for {
			first := -1
			for i := range layers {
				if open[i] && (first < 0 || s.first(heads[i].key, heads[first].key)) {
					first = i
				}
			}
			if first < 0 {
				return
			}
			e := heads[first]
			if !yield(e, nil) {
				return
			}
			for i := range layers {
				if open[i] && heads[i].key == e.key { // e, and what it hides
					if err := advance(i); err != nil {
						yield(entry{}, err)
						return
					}
				}
			}
		}
	}
}

func (v *view) layers(space string, s span) []layer {
	layers := []layer{&tableLayer{it: v.active.Iter(), space: space, span: s}}
	if v.flushing != nil {
		layers = append(layers, &tableLayer{it: v.flushing.Iter(), space: space, span: s})
	}
	return append(layers, &fileLayer{base: v.base, space: space, span: s})
}
