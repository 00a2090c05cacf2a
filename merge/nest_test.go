package merge_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/merge/mergetest"
)

// the one row of the trees of these tests
var nestKey = merge.RowKey("t", "r")

// large returns the state of a set of n elements that authors added in turn, so
// many elements a memo.
func large(n, authors, perMemo int) merge.Row {
	cell := &merge.Atoms{}
	for a := 1; a <= authors; a++ {
		var s merge.Stamp
		k := uint64(0)
		for i := a - 1; i < n; i += authors {
			if k%uint64(perMemo) == 0 {
				s = when(i, a)
				s.Seq, s.ID = uint64(i+1), memo.Sum(binary.BigEndian.AppendUint64([]byte{byte(a)}, uint64(i)))
			}
			k++
			cell.Live = append(cell.Live, merge.Atom{Stamp: s, K: k, Value: memo.Int(int64(i))})
		}
		cell.Writers = append(cell.Writers, s)
		cell.Seen = append(cell.Seen, merge.AuthorSeen{Author: s.Author, Spans: []merge.Span{{From: 1, To: k}}})
	}
	slices.SortFunc(cell.Writers, func(a, b merge.Stamp) int { return a.Author.Compare(b.Author) })
	slices.SortFunc(cell.Seen, func(a, b merge.AuthorSeen) int { return a.Author.Compare(b.Author) })
	slices.SortStableFunc(cell.Live, func(a, b merge.Atom) int { return a.Stamp.Author.Compare(b.Stamp.Author) })
	return merge.Row{Cells: []merge.Cell{{Field: "s", Type: memo.Set, Atoms: cell}}}
}

// wide returns the state of a row of n registers of one memo.
func wide(t testing.TB, n int) merge.Row {
	ds := make([]memo.Delta, n)
	for i := range ds {
		ds[i] = set(fmt.Sprintf("field%05d", i), fmt.Sprintf("a value of its own, %d", i))
	}
	return delta(t, when(0, 1), false, ds...)
}

// stateOf puts the state tree of one row.
func stateOf(t interface{ Fatal(...any) }, p merge.Params, row merge.Row, put merge.BlockPutter) memo.ID {
	root, err := merge.BuildState(p, keyed(map[string][]byte{nestKey: encode(t, row)}), put)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// rowIn returns the row of a state tree of one.
func rowIn(t interface{ Fatal(...any) }, p merge.Params, b merge.BlockGetter, root memo.ID) merge.Row {
	row, _, err := merge.StateRow(p, b, root, nestKey)
	if err != nil {
		t.Fatal(err)
	}
	return row
}

// head returns what a state tree holds for its nested row: the number of pieces
// and the root of their tree; false for a row that is not nested.
func head(t interface{ Fatal(...any) }, p merge.Params, b merge.BlockGetter, root memo.ID) (pieces uint64, tree memo.ID, ok bool) {
	value, _, err := merge.Get(p, b, root, nestKey)
	if err != nil {
		t.Fatal(err)
	}
	var parts []memo.Raw
	if memo.Unmarshal(value, &parts) != nil || len(parts) != 3 || !bytes.Equal(parts[0], []byte{2}) {
		return 0, memo.ID{}, false
	}
	for i, to := range []any{&pieces, &tree} {
		if err := memo.Unmarshal(parts[1+i], to); err != nil {
			t.Fatal(err)
		}
	}
	return pieces, tree, true
}

// Up to MaxRowBlock a row state is one block, the same as ever; one byte more and
// the row is nested.
func TestRowsAreNestedAboveTheLimit(t *testing.T) {
	p := testParams()
	for _, more := range []int{0, 1} {
		row := delta(t, stamp(1, 1), false, set("f", ""))
		pad := merge.MaxRowBlock - len(encode(t, row)) - 2 + more // a length of two bytes
		row = delta(t, stamp(1, 1), false, set("f", strings.Repeat("x", pad)))
		enc := encode(t, row)
		if len(enc) != merge.MaxRowBlock+more {
			t.Fatalf("a state of %d bytes does not test the limit", len(enc))
		}
		b := blocks{}
		root := stateOf(t, p, row, b)
		pieces, _, nested := head(t, p, b, root)
		if nested != (more > 0) || nested && pieces != 1 {
			t.Errorf("a state of %d bytes: nested %v, %d pieces", len(enc), nested, pieces)
		}
		if block := b[memo.Sum(enc)]; !nested && !bytes.Equal(block, enc) {
			t.Errorf("a state of %d bytes is no block", len(enc))
		}
		if got := encode(t, rowIn(t, p, b, root)); !bytes.Equal(got, enc) {
			t.Errorf("a state of %d bytes comes back as one of %d", len(enc), len(got))
		}
		empty := buildState(t, p, nil, b)
		if got, err := merge.ApplyState(p, b, empty, keyed(map[string][]byte{nestKey: enc}), b); err != nil || got != root {
			t.Errorf("a state of %d bytes: applied %s, built %s: %v", len(enc), got, root, err)
		}
	}
}

// Keys of pieces keep the order of cells, whatever bytes fields have, and the
// longest one is a key.
func TestPiecesOfOddFields(t *testing.T) {
	p := testParams()
	longest := strings.Repeat("\x00", memo.MaxField)
	var row merge.Row
	for i, field := range []string{"", "\x00", "\x00\x00", "\x00\x01", "\x00\xff", "a", "a\x00", "a\x00\xff", "a\x01", "\xff", "\xff\x00", longest} {
		d := delta(t, stamp(memo.Time(1+i), 1), false, set(field, strings.Repeat("x", 3000)),
			memo.Delta{Field: field, Type: memo.Set, Op: memo.Op{Operands: &memo.Change{K: 1, Add: []memo.Value{text(strings.Repeat("y", 5000))}}}})
		row = merge.Join(row, d)
	}
	b := blocks{}
	root := stateOf(t, p, row, b)
	if got := encode(t, rowIn(t, p, b, root)); !bytes.Equal(got, encode(t, row)) {
		t.Error("it comes back as another row")
	}
	_, tree, _ := head(t, p, b, root)
	most := 0
	for _, pc := range piecesIn(t, p, b, tree) {
		most = max(most, len(pc.key))
	}
	if most != merge.MaxKey {
		t.Errorf("the longest key has %d bytes, the limit is %d", most, merge.MaxKey)
	}
}

// Whatever a row holds: what is read is what was written, byte for byte; every
// piece is in form and not overlong without need; and Reach finds just the blocks
// that were put.
func TestNestedRowsRoundTrip(t *testing.T) {
	var nested, whole int
	rapid.Check(t, func(t *rapid.T) {
		p := treeParams().Draw(t, "params")
		row := mergetest.Naive(mergetest.Heavy().Draw(t, "history"))
		b := blocks{}
		root := stateOf(t, p, row, b)
		if dry := stateOf(t, p, row, nil); dry != root {
			t.Fatalf("without a putter %s, with one %s", dry, root)
		}
		enc := encode(t, row)
		if got := encode(t, rowIn(t, p, b, root)); !bytes.Equal(got, enc) {
			t.Fatalf("written\n%x\nread\n%x", enc, got)
		}
		if _, tree, ok := head(t, p, b, root); ok {
			nested++
			checkPieces(t, p, b, tree)
		} else {
			whole++
		}
		if _, _, ok := head(t, p, b, root); ok != (len(enc) > merge.MaxRowBlock) {
			t.Fatalf("a state of %d bytes: nested %v", len(enc), ok)
		}
		checkReach(t, p, b, root)
	})
	t.Logf("%d rows were nested, %d not", nested, whole)
	if nested == 0 || whole == 0 {
		t.Error("the generator does not reach both sides of the limit")
	}
}

// checkPieces checks what the nested tree holds.
func checkPieces(t *rapid.T, p merge.Params, b blocks, tree memo.ID) {
	for e, err := range merge.Scan(p, b, tree, "") {
		if err != nil {
			t.Fatal(err)
		}
		state := e.Value
		var id memo.ID
		if memo.Unmarshal(e.Value, &id) == nil {
			state = b[id]
		}
		var parts []memo.Raw
		if err := memo.Unmarshal(state, &parts); err != nil || len(parts) < 2 {
			t.Fatalf("piece %x is no row state in form: %v", e.Key, err)
		}
		if bytes.Equal(parts[1], []byte{0xf6}) && len(parts) == 2 {
			t.Fatalf("piece %x is empty", e.Key)
		}
		if (e.Key == "") == bytes.Equal(parts[1], []byte{0xf6}) {
			t.Fatalf("the tombstone of piece %x is %x", e.Key, parts[1])
		}
	}
}

// checkReach checks that the root reaches all blocks of b and no others.
func checkReach(t interface {
	Fatal(...any)
	Fatalf(string, ...any)
}, p merge.Params, b blocks, state memo.ID,
) {
	r := merge.Root{Params: p, State: state}
	var err error
	if r.Vector, err = merge.Build(p, entriesOf(nil), b); err != nil {
		t.Fatal(err)
	}
	found := blocks{}
	err = merge.Reach(b, r, func(id memo.ID) bool {
		_, had := found[id]
		found[id] = b[id]
		return !had
	})
	if err != nil || !maps.EqualFunc(found, b, bytes.Equal) {
		t.Fatalf("Reach found %d blocks of %d: %v", len(found), len(b), err)
	}
}

// rooted is a state tree of one row and its blocks; the zero one has no rows.
type rooted struct {
	root memo.ID
	b    blocks
}

// Nested rows are the lattice that rows are: however states meet, by MergeState,
// the trees are the same bytes.
func TestNestedRowLaws(t *testing.T) {
	p := testParams()
	p.W, p.M = 2, 8
	rooting := func(t *rapid.T, row merge.Row) rooted {
		b := blocks{}
		return rooted{stateOf(t, p, row, b), b}
	}
	mergetest.Laws(t, mergetest.Lattice[rooted]{
		Element: rapid.Custom(func(t *rapid.T) rooted { return rooting(t, fold(t, mergetest.Heavy().Draw(t, "history"))) }),
		Deltas: rapid.Custom(func(t *rapid.T) (out []rooted) {
			for _, d := range rows(mergetest.Heavy()).Deltas.Draw(t, "deltas") {
				out = append(out, rooting(t, d))
			}
			return out
		}),
		Join: func(x, y rooted) rooted {
			if x.b == nil || y.b == nil {
				return rooted{cmpOr(x.root, y.root), both(x.b, y.b)}
			}
			out := rooted{b: both(x.b, y.b)}
			var err error
			if out.root, err = merge.MergeState(p, out.b, x.root, y.root, out.b); err != nil {
				panic(err)
			}
			return out
		},
		Includes: func(x, d rooted) bool {
			var row merge.Row
			if x.b != nil {
				row = rowIn(t, p, x.b, x.root)
			}
			return row.Includes(rowIn(t, p, d.b, d.root))
		},
		Encode: func(x rooted) ([]byte, error) { return x.root[:], nil },
	})
}

func cmpOr(a, b memo.ID) memo.ID {
	if a.IsZero() {
		return b
	}
	return a
}

func both(x, y blocks) blocks {
	out := blocks{}
	maps.Copy(out, x)
	maps.Copy(out, y)
	return out
}

// A row that grows memo by memo, through nested and back, is at each step the tree
// that is built of its state from scratch, and no block of it is missing.
func TestNestedRowsGrow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := treeParams().Draw(t, "params")
		ds := rows(mergetest.Heavy()).Deltas.Draw(t, "deltas")
		b := blocks{}
		var row merge.Row
		root := stateOf(t, p, row, b)
		for _, d := range ds {
			row = merge.Join(row, d)
			var err error
			if root, err = merge.ApplyState(p, b, root, keyed(map[string][]byte{nestKey: encode(t, d)}), b); err != nil {
				t.Fatal(err)
			}
			if want := stateOf(t, p, row, nil); root != want {
				t.Fatalf("applied %s, built %s", root, want)
			}
		}
		fresh := blocks{}
		stateOf(t, p, row, fresh)
		for id := range fresh {
			if b[id] == nil {
				t.Fatalf("block %s was never put", id)
			}
		}
	})
}
