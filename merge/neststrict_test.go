package merge_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"lightcone/memo"
	"lightcone/merge"
)

// piece is one piece of a nested row: its key and its row state in form.
type piece struct {
	key   string
	state []byte
}

// piecesIn returns the pieces of a nested row.
func piecesIn(t testing.TB, p merge.Params, b blocks, tree memo.ID) (out []piece) {
	t.Helper()
	for e, err := range merge.Scan(p, b, tree, "") {
		if err != nil {
			t.Fatal(err)
		}
		state := e.Value
		var id memo.ID
		if memo.Unmarshal(e.Value, &id) == nil {
			state = b[id]
		}
		out = append(out, piece{e.Key, state})
	}
	return out
}

// treeOf puts a tree of pieces, whatever they are.
func treeOf(t testing.TB, p merge.Params, b blocks, pieces []piece) memo.ID {
	t.Helper()
	m := map[string][]byte{}
	for _, pc := range pieces {
		m[pc.key] = pc.state
		if len(pc.state) > merge.InlineMax {
			b[memo.Sum(pc.state)] = pc.state
			m[pc.key] = cbor(t, memo.Sum(pc.state))
		}
	}
	id, err := merge.Build(p, entriesOf(m), b)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// valueIn puts a state tree whose one row has the given value.
func valueIn(t testing.TB, p merge.Params, b blocks, value any) memo.ID {
	t.Helper()
	id, err := merge.Build(p, listed(merge.Entry{Key: nestKey, Value: cbor(t, value)}), b)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// mixedRow is a nested row of registers, a counter and a set, which was cleared once.
func mixedRow(t testing.TB) merge.Row {
	row := delta(t, stamp(1, 1), true, set("b", strings.Repeat("b", 5000)), set("c", strings.Repeat("c", 9000)))
	row = write(t, row, 2, 1, change(t, row, 1, []memo.Value{memo.Int(1), memo.Int(2), text(strings.Repeat("s", 3000))}, nil))
	row = write(t, row, 3, 2, change(t, row, 2, []memo.Value{memo.Int(3), text(strings.Repeat("t", 3000))}, []memo.Value{memo.Int(2)}))
	row = write(t, row, 4, 1, add(t, row, 1, 5))
	return write(t, row, 5, 2, add(t, row, 2, -3))
}

// rowBytes is the row state, or the form of one, of a table, a tombstone and cells.
func rowBytes(t testing.TB, table arr, tombstone any, cells ...any) []byte {
	return cbor(t, append(arr{table, tombstone}, cells...))
}

// strictNest is a nested row of a state tree and what it is made of.
type strictNest struct {
	p      merge.Params
	b      blocks
	row    merge.Row
	state  memo.ID // the state tree
	tree   memo.ID
	pieces []piece
}

func newStrictNest(t *testing.T) *strictNest {
	s := &strictNest{p: testParams(), b: blocks{}, row: mixedRow(t)}
	s.state = stateOf(t, s.p, s.row, s.b)
	n, tree, ok := head(t, s.p, s.b, s.state)
	s.tree, s.pieces = tree, piecesIn(t, s.p, s.b, tree)
	if !ok || n != uint64(len(s.pieces)) || n < 5 || valueIn(t, s.p, s.b, s.with(t, func(ps []piece) []piece { return ps })) != s.state {
		t.Fatalf("%d pieces, nested %v: not what these tests are about", n, ok)
	}
	return s
}

// with returns the value of a nested row of other pieces.
func (s *strictNest) with(t *testing.T, change func(ps []piece) []piece) arr {
	ps := change(slices.Clone(s.pieces))
	return arr{2, len(ps), treeOf(t, s.p, s.b, ps)}
}

// refuses checks that no reader takes value for a row.
func (s *strictNest) refuses(t *testing.T, name string, value any, want error) {
	bad := valueIn(t, s.p, s.b, value)
	for how, err := range errorsOf(s.p, s.b, s.state, bad, encode(t, s.row)) {
		if !errors.Is(err, want) {
			t.Errorf("%s: %s: %v, want %v", name, how, err, want)
		}
	}
}

func TestDecodeNestedRowsIsStrict(t *testing.T) {
	s := newStrictNest(t)
	p, b, tree, n := s.p, s.b, s.tree, len(s.pieces)
	small := delta(t, stamp(9, 1), false, set("f", strings.Repeat("x", 200)))
	long := encode(t, s.row)
	b[memo.Sum(long)] = long
	for name, c := range map[string]struct {
		value any
		want  error
	}{
		"no parts":            {arr{2}, memo.ErrMalformed},
		"a part too many":     {arr{2, n, tree, 0}, memo.ErrMalformed},
		"version 3":           {arr{3, n, tree}, memo.ErrMalformed},
		"no pieces":           {arr{2, 0, tree}, memo.ErrMalformed},
		"no tree":             {arr{2, n, memo.ID{}}, memo.ErrMalformed},
		"a piece fewer":       {arr{2, n + 1, tree}, memo.ErrNotCanonical},
		"a piece more":        {arr{2, n - 1, tree}, memo.ErrNotCanonical},
		"an empty tree":       {arr{2, 1, treeOf(t, p, b, nil)}, memo.ErrNotCanonical},
		"another tree's root": {arr{2, n, s.state}, memo.ErrMalformed},
		"a row that one block holds": {
			arr{2, 1, treeOf(t, p, b, []piece{{"f\x00\x00", encode(t, small)}})}, memo.ErrNotCanonical,
		},
		"a row in a block that is too long for it": {memo.Sum(long), memo.ErrNotCanonical},
	} {
		s.refuses(t, name, c.value, c.want)
	}
}

func TestDecodePiecesIsStrict(t *testing.T) {
	nest := newStrictNest(t)
	n := len(nest.pieces)
	s := stamp(9, 1)
	one := "a\x00\x00" // the key of register a
	register := func(field string, size int) arr { return arr{memo.Bytes(field), 0, 0, 1, strings.Repeat("x", size)} }
	for name, c := range map[string]struct {
		change func(ps []piece) []piece
		want   error
	}{
		"a piece of another key": {func(ps []piece) []piece {
			ps[n-1].key += "\x01"
			return ps
		}, memo.ErrMalformed},
		"an empty piece": {func(ps []piece) []piece {
			return append(ps, piece{one, rowBytes(t, arr{}, nil)})
		}, memo.ErrMalformed},
		"a piece of an empty cell": {func(ps []piece) []piece {
			return append(ps, piece{"z\x00\x03", rowBytes(t, arr{}, nil, arr{memo.Bytes("z"), 3, arr{}, arr{}})})
		}, memo.ErrMalformed},
		"a piece with an empty cell": {func(ps []piece) []piece {
			return append(ps, piece{one, rowBytes(t, arr{prov(s)}, nil, register("a", 1), arr{memo.Bytes("a"), 3, arr{}, arr{}})})
		}, memo.ErrMalformed},
		"a nested row within": {func(ps []piece) []piece {
			return append(ps, piece{one, cbor(t, arr{2, n, nest.tree})})
		}, memo.ErrMalformed},
		"two pieces in one": {func(ps []piece) []piece {
			return []piece{{"", encode(t, nest.row)}}
		}, memo.ErrMalformed},
		"small pieces apart": {func(ps []piece) []piece {
			return append(ps, piece{one, rowBytes(t, arr{prov(s)}, nil, register("a", 1))},
				piece{"aa\x00\x00", rowBytes(t, arr{prov(s)}, nil, register("aa", 1))})
		}, memo.ErrNotCanonical},
		"a cell twice": {func(ps []piece) []piece {
			return append(ps, piece{one, rowBytes(t, arr{prov(s)}, nil, register("a", 1), register("b", 1))})
		}, memo.ErrMalformed},
		"provenance that is not used": {func(ps []piece) []piece {
			return append(ps, piece{one, rowBytes(t, arr{prov(s), prov(stamp(10, 1))}, nil, register("a", 1))})
		}, memo.ErrNotCanonical},
		"older than the tombstone": {func(ps []piece) []piece {
			old := stamp(0, 1)
			old.Seq = 1
			return append(ps, piece{one, rowBytes(t, arr{prov(old)}, nil, register("a", 1))})
		}, memo.ErrMalformed},
		"atoms that nobody saw": {func(ps []piece) []piece {
			key := "s\x00\x03\x01" + string(s.Author[:]) + "\x00\x00\x00\x00\x00\x00\x00\x01"
			ps = slices.DeleteFunc(ps, func(pc piece) bool { return strings.HasPrefix(pc.key, "s\x00\x03") })
			return append(ps, piece{key, rowBytes(t, arr{prov(s)}, nil, arr{memo.Bytes("s"), 3, arr{}, arr{}, arr{0, 1, 7}})})
		}, memo.ErrMalformed},
		"a tombstone that is not there": {func(ps []piece) []piece {
			ps[0].key = "\x00"
			return ps
		}, memo.ErrMalformed},
	} {
		nest.refuses(t, name, nest.with(t, c.change), c.want)
	}
}

// errorsOf reads a row in all ways that there are.
func errorsOf(p merge.Params, b blocks, good, bad memo.ID, state []byte) map[string]error {
	_, _, get := merge.StateRow(p, b, bad, nestKey)
	var scan error
	for _, err := range merge.StateRows(p, b, bad, "") {
		scan = err
	}
	_, one := merge.MergeState(p, b, good, bad, blocks{})
	_, other := merge.MergeState(p, b, bad, good, blocks{})
	_, apply := merge.ApplyState(p, b, bad, keyed(map[string][]byte{nestKey: state}), blocks{})
	return map[string]error{"StateRow": get, "StateRows": scan, "MergeState": one, "merged with it": other, "ApplyState": apply}
}

// A block of a nested row that is missing or another one is an error of every
// reader, and so is a nested row within a nested row to Reach.
func TestNestedRowsAreVerified(t *testing.T) {
	p, b := testParams(), blocks{}
	row := mixedRow(t)
	state := stateOf(t, p, row, b)
	n, tree, _ := head(t, p, b, state)
	for id := range b {
		if id == state {
			continue
		}
		for _, data := range [][]byte{nil, {0x80}} {
			bad := both(b, nil)
			if bad[id] = data; data == nil {
				delete(bad, id)
			}
			if _, _, err := merge.StateRow(p, bad, state, nestKey); err == nil {
				t.Errorf("read without block %s", id)
			}
		}
	}
	within := treeOf(t, p, b, []piece{{"", cbor(t, arr{2, n, tree})}})
	r := merge.Root{Params: p, Vector: within, State: valueIn(t, p, b, arr{2, 1, within})}
	if err := merge.Reach(b, r, func(memo.ID) bool { return true }); !errors.Is(err, memo.ErrMalformed) {
		t.Errorf("reached what is nested twice: %v", err)
	}
}

// The proof of a nested row's key shows its tree, and so any piece of it.
func TestProofsOfNestedRows(t *testing.T) {
	p, b := testParams(), blocks{}
	state := stateOf(t, p, large(5_000, 2, 1), b)
	value, ok, err := merge.VerifyProof(p, state, nestKey, prove(t, p, b, state, nestKey))
	n, tree, _ := head(t, p, b, state)
	if err != nil || !ok || !bytes.Equal(value, cbor(t, arr{2, n, tree})) {
		t.Fatalf("%x %v, %v", value, ok, err)
	}
	for _, pc := range piecesIn(t, p, b, tree) {
		value, ok, err := merge.VerifyProof(p, tree, pc.key, prove(t, p, b, tree, pc.key))
		if err != nil || !ok || !bytes.Equal(value, cbor(t, memo.Sum(pc.state))) {
			t.Fatalf("piece %x: %x %v, %v", pc.key, value, ok, err)
		}
	}
}
