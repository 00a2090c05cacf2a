package merge_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"maps"
	"math"
	"runtime"
	"slices"
	"testing"

	"lightcone/memo"
	"lightcone/merge"
)

// refused checks that a decoder refused for a reason with a name.
func refused(t *testing.T, err error) {
	t.Helper()
	named := []error{memo.ErrMalformed, memo.ErrNotCanonical, merge.ErrUnknownCellType, merge.ErrNode, merge.ErrParams}
	if !slices.ContainsFunc(named, func(e error) bool { return errors.Is(err, e) }) {
		t.Fatalf("refused without a name: %v", err)
	}
}

// FuzzDecodeRow: a state that is accepted is its bytes, and joined with itself it
// stays what it is.
func FuzzDecodeRow(f *testing.F) {
	s, later := stamp(1, 1), stamp(2, 2)
	f.Add(encode(f, merge.Row{}))
	f.Add(encode(f, airport(f, s)))
	f.Add(encode(f, merge.Join(
		delta(f, s, true, set("", "kept"), del("gone")),
		delta(f, later, false, memo.Delta{Field: "n", Op: memo.Op{Set: true, Value: memo.Int(math.MinInt64)}}),
	)))
	f.Add(encode(f, richRow(f)))
	for _, r := range airportRows(f) {
		if enc := encode(f, r.row); len(enc) < 1<<10 {
			f.Add(enc)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		row, err := merge.DecodeRow(data)
		if err != nil {
			refused(t, err)
			return
		}
		if !bytes.Equal(encode(t, row), data) || !bytes.Equal(encode(t, merge.Join(row, row)), data) {
			t.Fatalf("accepted %x, which is %x", data, encode(t, row))
		}
	})
}

// FuzzDecodeNode: a node that is accepted, in whatever place, is its bytes.
func FuzzDecodeNode(f *testing.F) {
	p := smallParams()
	_, made := build(f, p, valued(sequentialKeys(50)))
	for _, data := range made {
		f.Add(data, uint8(0), uint8(0), uint64(0), "", "")
	}
	first := sequentialKeys(3)[0]
	f.Add(leafOf(f, uncut(p, 0, 1, 3)...), uint8(0), uint8(1), uint64(3), "key/0000", "z")
	f.Add([]byte{0x83, 0x01, 0x00, 0x80}, uint8(1), uint8(2), uint64(1), first, "")
	f.Fuzz(func(t *testing.T, data []byte, level, dom uint8, count uint64, first, limit string) {
		place := merge.Place{Level: int(level), Dom: int(dom), Count: count, First: first, Limit: limit}
		n, err := merge.DecodeNode(p, data, place)
		if err != nil {
			refused(t, err)
			return
		}
		if again := merge.EncodeNode(nil, n); !bytes.Equal(again, data) {
			t.Fatalf("accepted %x and wrote %x", data, again)
		}
		if dom != 0 && (n.Level != int(level) || n.Count() != count) {
			t.Fatalf("accepted %x in the place of another", data)
		}
	})
}

// FuzzDecodeRoot: a root that is accepted is its bytes.
func FuzzDecodeRoot(f *testing.F) {
	for _, r := range []merge.Root{
		{Params: testParams(), Vector: memo.Sum([]byte("v")), State: memo.Sum([]byte("s"))},
		{Params: smallParams()},
	} {
		data, err := r.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := merge.DecodeRoot(data)
		if err != nil {
			refused(t, err)
			return
		}
		if again, err := r.Encode(); err != nil || !bytes.Equal(again, data) {
			t.Fatalf("accepted %x and wrote %x (%v)", data, again, err)
		}
	})
}

// FuzzDecodeProof: a proof that is accepted is its bytes, and holds against a root
// only if its nodes are the tree's.
func FuzzDecodeProof(f *testing.F) {
	p := smallParams()
	m := valued(sequentialKeys(50))
	root, made := build(f, p, m)
	for _, key := range []string{"", "row/00000007", "row/00000007+", "z"} {
		proof, err := merge.Prove(p, made, root, key)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(proof.Encode(), key)
	}
	f.Add(merge.Proof{}.Encode(), "")
	f.Fuzz(func(t *testing.T, data []byte, key string) {
		proof, err := merge.DecodeProof(data)
		if err != nil {
			refused(t, err)
			return
		}
		if again := proof.Encode(); !bytes.Equal(again, data) {
			t.Fatalf("accepted %x and wrote %x", data, again)
		}
		v, found, err := merge.VerifyProof(p, root, key, proof)
		if want, has := m[key]; err == nil && (found != has || !bytes.Equal(v, want)) {
			t.Fatalf("%x proves %q to be %x %v", data, key, v, found)
		}
	})
}

// TestMemoryIsBounded: a row state, whose length only the memos behind it bound,
// takes at most a small multiple of its bytes, whatever lengths it claims; of a
// node no more is read than a node may hold, of a root nothing above its limit.
func TestMemoryIsBounded(t *testing.T) {
	const size = 8 << 20
	const row, block = 64 * size, 1 << 20
	claim := func(head ...byte) []byte { // an array of as many items as there are bytes, after head
		data := append(bytes.Clone(head), 0x9a)
		data = append(binary.BigEndian.AppendUint32(data, size), 0x80, 0xf6)
		return append(data, bytes.Repeat([]byte{0x80}, size)...)
	}
	cell := func(head ...byte) []byte { // the first cell of a row with one memo; what head begins has many items
		start := append([]byte{0x83, 0x81}, cbor(t, prov(stamp(2, 1)))...)
		return claim(append(append(start, 0xf6), head...)...)
	}
	wide := func(n uint32, parts ...byte) []byte { // the same, where the cell itself has n parts
		data := cell()
		at := len(data) - size - 2
		binary.BigEndian.PutUint32(data[at-4:], n)
		return slices.Replace(data, at, at+2, parts...)
	}
	rowOf := func(data []byte) error { _, err := merge.DecodeRow(data); return err }
	nodeOf := func(data []byte) error { _, err := merge.DecodeNode(testParams(), data, merge.Place{}); return err }
	rootOf := func(data []byte) error { _, err := merge.DecodeRoot(data); return err }
	proofOf := func(data []byte) error { _, err := merge.DecodeProof(data); return err }
	for name, c := range map[string]struct {
		data   []byte
		decode func([]byte) error
		most   uint64
	}{
		"row of many cells":      {claim(), rowOf, row},
		"row of many causes":     {claim(0x82), rowOf, row},
		"cell of many tallies":   {wide(size, 0x40, 0x02), rowOf, row},
		"cell of many atoms":     {wide(size/4, 0x40, 0x03, 0x81, 0x00, 0x81, 0x82, 0x00, 0x01), rowOf, row},
		"cell of more than fit":  {wide(size, 0x40, 0x03, 0x81, 0x00, 0x81, 0x82, 0x00, 0x01), rowOf, row},
		"cell of many writers":   {cell(0x84, 0x40, 0x03), rowOf, row},
		"cell that saw many":     {cell(0x84, 0x40, 0x03, 0x81, 0x00), rowOf, row},
		"cell of many gaps":      {cell(0x84, 0x40, 0x03, 0x81, 0x00, 0x81), rowOf, row},
		"node of many items":     {claim(0x83, 1, 0), nodeOf, block},
		"node with a long value": {claim(0x83, 1, 0, 0x81, 0x83, 0, 0x40), nodeOf, block},
		"root":                   {claim(0x84, 1), rootOf, block},
		"proof of many nodes":    {claim(0x82, 1), proofOf, block},
	} {
		if n := allocated(func() { refused(t, c.decode(c.data)) }); n > c.most {
			t.Errorf("%s: refusing %d bytes allocates %d", name, len(c.data), n)
		}
	}
}

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// FuzzNestedRow: a nested row of which one piece is another, is gone or came from
// elsewhere is refused, or it is what is made of its row.
func FuzzNestedRow(f *testing.F) {
	p, made := smallParams(), blocks{}
	_, tree, _ := head(f, p, made, stateOf(f, p, mixedRow(f), made))
	good := piecesIn(f, p, made, tree)
	for i, pc := range good {
		f.Add(uint8(i), pc.key, []byte(nil))
		if len(pc.state) < 1<<10 {
			f.Add(uint8(i), pc.key, pc.state)
			f.Add(uint8(i), pc.key+"\x00", pc.state)
		}
	}
	f.Add(uint8(1), "b\x00\x00", encode(f, delta(f, stamp(9, 1), false, set("b", "another"))))
	f.Add(uint8(0), "a\x00\x00", encode(f, delta(f, stamp(9, 1), false, del("a"))))
	f.Fuzz(func(t *testing.T, which uint8, key string, state []byte) {
		pieces := slices.Clone(good)
		at := int(which) % len(pieces)
		pieces[at] = piece{key, state}
		if len(state) == 0 {
			pieces = slices.Delete(pieces, at, at+1)
		} else if len(key) > merge.MaxKey || len(state) <= merge.InlineMax && !canonical(state) {
			return // no tree has it
		}
		b := maps.Clone(made)
		tree := treeOf(t, p, b, pieces)
		root := valueIn(t, p, b, arr{2, len(piecesIn(t, p, b, tree)), tree})
		row, _, err := merge.StateRow(p, b, root, nestKey)
		if errors.Is(err, merge.ErrNoBlock) {
			return // the piece was a digest
		}
		if err != nil {
			refused(t, err)
			return
		}
		if again := stateOf(t, p, row, nil); again != root {
			t.Fatalf("accepted piece %x: %x, in %s, and made %s", key, state, root, again)
		}
	})
}

// canonical tells whether data is an item that a leaf can hold.
func canonical(data []byte) bool {
	_, err := merge.Build(smallParams(), listed(merge.Entry{Key: "k", Value: data}), nil)
	return err == nil
}
