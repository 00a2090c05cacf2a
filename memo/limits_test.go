package memo

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"
)

// manyHeads makes causes by n authors, in order.
func manyHeads(n int) (heads []Head) {
	for i := range uint32(n) {
		h := Head{Seq: 1, ID: ID{1}}
		binary.BigEndian.PutUint32(h.Author[:], i)
		heads = append(heads, h)
	}
	return heads
}

// A memo has MaxDeps causes at most, made here or by others; of a hundred thousand
// nothing is built.
func TestManyParents(t *testing.T) {
	with := func(n int) error {
		_, err := New(Memo{Space: SpaceID{1}, Author: Author{0xff}, Seq: 1, Deps: manyHeads(n), Body: Join{}})
		return err
	}
	if err := with(MaxDeps); err != nil {
		t.Errorf("%d causes: %v", MaxDeps, err)
	}
	if err := with(MaxDeps + 1); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%d causes: %v, want ErrTooLarge", MaxDeps+1, err)
	}
	for _, n := range []int{MaxDeps + 1, 100_000} {
		w := wire{V: version, Space: SpaceID{1}, Author: Author{0xff}, Seq: 1, Deps: toWireDeps(manyHeads(n)), Kind: KindJoin, Body: Raw{0x80}}
		data, err := Marshal(w)
		if err != nil {
			t.Fatal(err)
		}
		cost := allocated(func() {
			if _, err := Decode(data); !errors.Is(err, ErrTooLarge) {
				t.Errorf("a memo with %d causes: %v, want ErrTooLarge", n, err)
			}
		})
		if n > 1000 && cost > 64<<10 {
			t.Errorf("refusing %d causes allocates %d bytes", n, cost)
		}
	}
}

// tinyRun is an encoded run of n memos, each with a body.
func tinyRun(t *testing.T, n int, body string) []byte {
	t.Helper()
	w := wireRun{V: version, Space: SpaceID{1}, Author: Author{0xff}, FirstSeq: 1}
	raw, err := Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	for range n {
		w.Memos = append(w.Memos, wireRunMemo{Deps: toWireDeps(manyHeads(1)), Kind: 77, Body: raw})
	}
	data, err := Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// A run has MaxRunMemos memos and MaxRunBytes bytes at most.
func TestLimitsOfARun(t *testing.T) {
	for _, c := range []struct {
		memos, body int
		fine        bool
	}{
		{MaxRunMemos, 1, true},
		{MaxRunMemos + 1, 1, false},
		{2, (MaxRunBytes - 512) / 2, true},
		{2, MaxRunBytes / 2, false},
	} {
		data := tinyRun(t, c.memos, strings.Repeat("x", c.body))
		if _, err := DecodeRun(data); (err == nil) != c.fine {
			t.Errorf("a run of %d memos and %d bytes: %v", c.memos, len(data), err)
		}
	}
}

// An edit has MaxDeltas deltas at most, however small they are.
func TestLimitsOfAnEdit(t *testing.T) {
	of := func(n int) error {
		e := &Edit{Topics: []TopicEdit{{Topic: "t"}}}
		for i := range n {
			row := Bytes(binary.BigEndian.AppendUint32(nil, uint32(i)))
			e.Topics[0].Rows = append(e.Topics[0].Rows, RowEdit{Row: row, Tombstone: true})
		}
		_, err := New(Memo{Space: SpaceID{1}, Author: Author{0xff}, Seq: 1, Deps: manyHeads(1), Body: e})
		return err
	}
	if err := of(MaxDeltas); err != nil {
		t.Errorf("%d deltas: %v", MaxDeltas, err)
	}
	if err := of(MaxDeltas + 1); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%d deltas: %v, want ErrTooLarge", MaxDeltas+1, err)
	}
}

// What is nested too deep, or has too many elements, is refused where nothing else of it
// is looked at: in the body of an unknown kind.
func TestNesting(t *testing.T) {
	of := func(raw Raw) error {
		_, err := New(Memo{Space: SpaceID{1}, Author: Author{0xff}, Seq: 1, Deps: manyHeads(1), Body: &Opaque{Kind: 77, Raw: raw}})
		return err
	}
	deep := func(n int) Raw { return append([]byte(strings.Repeat("\x81", n-1)), 0x80) }
	long := func(n int) Raw {
		return append(binary.BigEndian.AppendUint32([]byte{0x9a}, uint32(n)), strings.Repeat("\xf6", n)...)
	}
	for name, c := range map[string]struct {
		raw  Raw
		fine bool
	}{
		"as deep as may be": {deep(maxNesting), true},
		"too deep":          {deep(maxNesting + 1), false},
		"as many elements":  {long(maxElements), true},
		"too many elements": {long(maxElements + 1), false},
	} {
		if err := of(c.raw); (err == nil) != c.fine {
			t.Errorf("%s: %v", name, err)
		}
	}
}
