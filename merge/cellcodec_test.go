package merge_test

import (
	"bytes"
	"errors"
	"testing"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/merge/mergetest"
)

// richRow has every form of a counter, multi and set: bases of all sorts, gaps,
// dots of authors without a memo in the row, atoms and none.
func richRow(t testing.TB) merge.Row {
	change := func(of memo.CellType, field string, c memo.Change) memo.Delta {
		return memo.Delta{Field: field, Type: of, Op: memo.Op{Operands: &c}}
	}
	count := func(field string, c memo.Count) memo.Delta {
		return memo.Delta{Field: field, Type: memo.Counter, Op: memo.Op{Operands: &c}}
	}
	other := mergetest.Author(9)
	cleared, later := stamp(2, 1), stamp(4, 3)
	base := memo.Base{Time: later.Time, Author: later.Author, ID: later.ID}
	row := delta(t, cleared, true,
		count("n", memo.Count{Base: memo.Base{Own: true}, K: 1, Minus: 3}),
		change(memo.Set, "s", memo.Change{K: 4, Add: []memo.Value{memo.Int(-1), text("x")}, Remove: []memo.Dots{{Ks: []uint64{2}}}}),
	)
	return merge.Join(row, delta(t, stamp(5, 2), false,
		change(memo.Multi, "gone", memo.Change{Remove: []memo.Dots{{Author: other, Ks: []uint64{1, 2, 3}}}}),
		change(memo.Multi, "m", memo.Change{K: 1, Add: []memo.Value{text("v")}}),
		count("n", memo.Count{Base: base, K: 2, Plus: 1}),
		set("r", "w"),
		change(memo.Set, "s", memo.Change{K: 1, Add: []memo.Value{text("x")}, Remove: []memo.Dots{{Author: cleared.Author, Ks: []uint64{5, 9}}}}),
	))
}

// TestCellsAreTheDocumentedArrays writes the state of richRow out by hand.
func TestCellsAreTheDocumentedArrays(t *testing.T) {
	one, two, later := stamp(2, 1), stamp(5, 2), stamp(4, 3)
	i1, i2 := 0, 1
	table, seen := arr{prov(one), prov(two)}, arr{arr{i1, 9, 1, 1, 3, 3, 6, 8}, arr{i2, 1}}
	if one.Author.Compare(two.Author) > 0 {
		t.Fatal("the authors of the test are in the wrong order")
	}
	want := cbor(t, arr{
		table, i1,
		arr{memo.Bytes("gone"), 1, arr{i2}, arr{arr{mergetest.Author(9), 3}}},
		arr{memo.Bytes("m"), 1, arr{i2}, arr{arr{i2, 1}}, arr{i2, 1, "v"}},
		arr{memo.Bytes("n"), 2, arr{i1, 1, 1, 0, 3}, arr{i2, arr{later.Time, later.Author, later.ID}, 2, 1}},
		arr{memo.Bytes("r"), 0, i2, 1, "w"},
		arr{memo.Bytes("s"), 3, arr{i1, i2}, seen, arr{i1, 4, -1}, arr{i2, 1, "x"}},
	})
	if got := encode(t, richRow(t)); !bytes.Equal(got, want) {
		t.Errorf("got  %x\nwant %x", got, want)
	}
}

// strictCells are states of a row with two memos of one author, one cell, and the
// index of its tombstone, below 0 when it has none.
type strictCells map[string]struct {
	tombstone int
	cell      arr
	want      error
}

const none, first, second = -1, 0, 1

func (cells strictCells) check(t *testing.T) {
	s, later := stamp(3, 1), stamp(4, 1)
	for name, c := range cells {
		table, mark := arr{prov(s), prov(later)}, any(nil)
		if c.tombstone >= 0 {
			mark = c.tombstone
		}
		row, err := merge.DecodeRow(cbor(t, arr{table, mark, c.cell}))
		if c.want == nil && errors.Is(err, memo.ErrNotCanonical) { // the second memo is not used
			row, err = merge.DecodeRow(cbor(t, arr{table[:1], mark, c.cell}))
		}
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if err != nil && row.Cells != nil {
			t.Errorf("%s: a failed decode returned %v", name, row)
		}
	}
}

// stranger is an author, or a digest, that no memo of strictCells has.
var stranger = memo.Bytes(bytes.Repeat([]byte{7}, 32))

func TestDecodeCountersIsStrict(t *testing.T) {
	s := stamp(3, 1)
	counter := func(tallies ...any) arr { return append(arr{memo.Bytes("f"), 2}, tallies...) }
	base := arr{2, stranger, stranger}
	strictCells{
		"counter":                      {none, counter(arr{0, nil, 1}), nil},
		"counter since the tombstone":  {first, counter(arr{1, 1, 1, 2, 3}), nil},
		"counter since its own":        {first, counter(arr{0, 1, 1, 2, 3}), nil},
		"counter since a later one":    {none, counter(arr{0, base, 1}), nil},
		"counter of no tally":          {none, counter(), memo.ErrMalformed},
		"a tally without k":            {none, counter(arr{0, nil}), memo.ErrMalformed},
		"a tally of k 0":               {none, counter(arr{0, nil, 0}), memo.ErrMalformed},
		"a tally of 6 parts":           {none, counter(arr{0, nil, 1, 2, 3, 4}), memo.ErrMalformed},
		"plus of zero":                 {none, counter(arr{0, nil, 1, 0}), memo.ErrNotCanonical},
		"minus of zero":                {none, counter(arr{0, nil, 1, 1, 0}), memo.ErrNotCanonical},
		"k too large":                  {none, counter(arr{0, nil, uint64(memo.MaxCount) + 1}), memo.ErrMalformed},
		"plus too large":               {none, counter(arr{0, nil, 1, uint64(memo.MaxCount) + 1}), memo.ErrMalformed},
		"a tally below the tombstone":  {first, counter(arr{1, nil, 1}), memo.ErrMalformed},
		"a base below the tombstone":   {first, counter(arr{1, base, 1}), memo.ErrMalformed},
		"the tombstone in full":        {first, counter(arr{1, arr{s.Time, s.Author, s.ID}, 1}), memo.ErrNotCanonical},
		"a tombstone there is not":     {none, counter(arr{0, 1, 1}), memo.ErrMalformed},
		"a base of 2":                  {first, counter(arr{1, 2, 1}), memo.ErrMalformed},
		"a base after the memo":        {none, counter(arr{0, arr{3, stranger, stranger}, 1}), memo.ErrMalformed},
		"the tombstone after the memo": {second, counter(arr{0, 1, 1}), memo.ErrMalformed},
		"a base without a digest":      {none, counter(arr{0, arr{2, stranger, memo.ID{}}, 1}), memo.ErrMalformed},
		"a base of 2 parts":            {none, counter(arr{0, base[:2], 1}), memo.ErrMalformed},
		"two tallies of one author":    {none, counter(arr{0, nil, 1}, arr{1, nil, 1}), memo.ErrMalformed},
		"more tallies than memos":      {none, counter(arr{0, nil, 1}, arr{1, nil, 1}, arr{1, nil, 1}), memo.ErrMalformed},
	}.check(t)
}

func TestDecodeAtomsIsStrict(t *testing.T) {
	one := stamp(3, 1).Author
	author, f := memo.Bytes(one[:]), memo.Bytes("f")
	multi := func(parts ...any) arr { return append(arr{f, 1}, parts...) }
	seen := arr{arr{0, 5}}
	strictCells{
		"multi":                         {none, multi(arr{0}, seen, arr{0, 1, "v"}), nil},
		"multi of no value":             {none, multi(arr{0}, seen), nil},
		"gaps":                          {none, multi(arr{0}, arr{arr{0, 9, 1, 2, 4, 8}}), nil},
		"a stranger was seen":           {none, multi(arr{0}, arr{arr{stranger, 1}}), nil},
		"cleared, nothing left":         {second, multi(arr{0}, seen), nil},
		"multi of 3 parts":              {none, multi(arr{0}), memo.ErrMalformed},
		"no writers":                    {none, multi(arr{}, seen, arr{0, 1, "v"}), memo.ErrMalformed},
		"nothing seen":                  {none, multi(arr{0}, arr{}), memo.ErrMalformed},
		"an author's two writers":       {none, multi(arr{0, 1}, seen), memo.ErrMalformed},
		"a writer twice":                {none, multi(arr{0, 0}, seen), memo.ErrMalformed},
		"a dangling writer":             {none, multi(arr{2}, seen), memo.ErrMalformed},
		"seen until 0":                  {none, multi(arr{0}, arr{arr{0, 0}}), memo.ErrMalformed},
		"seen beyond the last k":        {none, multi(arr{0}, arr{arr{0, uint64(memo.MaxCount) + 1}}), memo.ErrMalformed},
		"an author seen twice":          {none, multi(arr{0}, arr{arr{0, 5}, arr{0, 6}}), memo.ErrMalformed},
		"a known author by key":         {none, multi(arr{0}, arr{arr{author, 5}}), memo.ErrNotCanonical},
		"an author by a later memo":     {none, multi(arr{0}, arr{arr{1, 5}}), memo.ErrNotCanonical},
		"a short key":                   {none, multi(arr{0}, arr{arr{memo.Bytes("k"), 5}}), memo.ErrMalformed},
		"half a gap":                    {none, multi(arr{0}, arr{arr{0, 5, 2}}), memo.ErrMalformed},
		"a gap backwards":               {none, multi(arr{0}, arr{arr{0, 5, 3, 2}}), memo.ErrMalformed},
		"a gap at the end":              {none, multi(arr{0}, arr{arr{0, 5, 3, 5}}), memo.ErrMalformed},
		"a gap from 0":                  {none, multi(arr{0}, arr{arr{0, 5, 0, 1}}), memo.ErrMalformed},
		"gaps that touch":               {none, multi(arr{0}, arr{arr{0, 9, 1, 2, 3, 4}}), memo.ErrMalformed},
		"gaps in disorder":              {none, multi(arr{0}, arr{arr{0, 9, 4, 5, 1, 2}}), memo.ErrMalformed},
		"an atom not seen":              {none, multi(arr{0}, seen, arr{0, 6, "v"}), memo.ErrMalformed},
		"an atom in a gap":              {none, multi(arr{0}, arr{arr{0, 5, 2, 3}}, arr{0, 2, "v"}), memo.ErrMalformed},
		"an atom of k 0":                {none, multi(arr{0}, seen, arr{0, 0, "v"}), memo.ErrMalformed},
		"atoms in disorder":             {none, multi(arr{0}, seen, arr{0, 2, "v"}, arr{0, 1, "v"}), memo.ErrMalformed},
		"an atom twice":                 {none, multi(arr{0}, seen, arr{0, 2, "v"}, arr{0, 2, "v"}), memo.ErrMalformed},
		"an atom after the last writer": {none, multi(arr{0}, seen, arr{1, 2, "v"}), memo.ErrMalformed},
		"an atom below the tombstone":   {second, multi(arr{0}, seen, arr{0, 2, "v"}), memo.ErrMalformed},
		"an atom of 2 parts":            {none, multi(arr{0}, seen, arr{0, 2}), memo.ErrMalformed},
		"an atom of no value":           {none, multi(arr{0}, seen, arr{0, 2, arr{}}), memo.ErrMalformed},
		"a register's parts in a set":   {none, arr{f, 3, 0, 1, "v"}, memo.ErrMalformed},
		"a set's parts in a register":   {none, arr{f, 0, arr{0}, seen}, memo.ErrMalformed},
		"a text":                        {none, arr{f, 4, 0, 1}, merge.ErrUnknownCellType},
	}.check(t)
}

// TestDamagedCells: whatever bit changes, a state is refused or is another one in
// its own canonical form.
func TestDamagedCells(t *testing.T) {
	enc := encode(t, richRow(t))
	for i := range enc {
		if _, err := merge.DecodeRow(enc[:i]); err == nil {
			t.Fatalf("accepted the first %d bytes", i)
		}
	}
	for i := range len(enc) * 8 {
		bad := bytes.Clone(enc)
		bad[i/8] ^= 1 << (i % 8)
		if back, err := merge.DecodeRow(bad); err == nil && !bytes.Equal(encode(t, back), bad) {
			t.Fatalf("bit %d: accepted bytes that are not canonical", i)
		}
	}
}
