package merge

import (
	"fmt"
	"iter"

	"lightcone/memo"
)

// VectorDifference is one author whose head two vector trees do not hold alike; seq 0
// stands for an author that a tree does not have.
type VectorDifference struct{ Old, New memo.Mark }

// DiffVector yields the authors whose heads differ between the vector trees under a
// and b, ascending, at the cost of Diff. Entries that differ in their time or their
// forked mark alone are passed over. It ends after the first error.
func DiffVector(p Params, g BlockGetter, a, b memo.ID) iter.Seq2[VectorDifference, error] {
	return func(yield func(VectorDifference, error) bool) {
		for d, err := range Diff(p, g, a, b) {
			var v VectorDifference
			if err == nil {
				v, err = d.ofVector()
			}
			if err != nil {
				yield(VectorDifference{}, err)
				return
			}
			if v.Old.Head != v.New.Head && !yield(v, nil) {
				return
			}
		}
	}
}

// ofVector reads the values as entries of vectors.
func (d Difference) ofVector() (v VectorDifference, err error) {
	if len(d.Key) != len(memo.Author{}) {
		return v, fmt.Errorf("%w: a key of %d bytes is no author", memo.ErrMalformed, len(d.Key))
	}
	author := memo.Author([]byte(d.Key))
	read := func(value []byte, m *memo.Mark) {
		m.Author = author
		if value == nil || err != nil {
			return
		}
		var e vectorEntry
		if e, err = decodeVectorEntry(value); err != nil {
			err = fmt.Errorf("author %s: %w", author, err)
			return
		}
		*m = memo.Mark{Head: memo.Head{Author: author, Seq: e.Seq, ID: e.ID}, Time: e.Time}
	}
	read(d.Old, &v.Old)
	read(d.New, &v.New)
	return v, err
}
