package memo

import (
	"errors"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// drawOp draws an operation on a cell of type t; many break a rule.
func drawOp(t *rapid.T, of CellType, raws *rapid.Generator[Raw]) Op {
	small := rapid.OneOf(rapid.Uint64Range(0, 4), rapid.SampledFrom([]uint64{23, 24, MaxCount, MaxCount + 1}))
	switch of {
	case Register:
		if rapid.Bool().Draw(t, "set") {
			return Op{Set: true, Value: Int(rapid.Int64().Draw(t, "value"))}
		}
		return Op{}
	case Counter:
		c := &Count{K: small.Draw(t, "k"), Plus: small.Draw(t, "plus"), Minus: small.Draw(t, "minus")}
		switch rapid.IntRange(0, 3).Draw(t, "base") {
		case 0:
			c.Base.Own = true
		case 1:
			c.Base = Base{Time: Time(small.Draw(t, "seen")), ID: ID{1}}
		}
		return Op{Operands: c}
	case Multi, Set:
		c := &Change{K: small.Draw(t, "k"), Add: rapid.SliceOfN(values(), 0, 2).Draw(t, "add")}
		for range rapid.IntRange(0, 2).Draw(t, "authors") {
			c.Remove = append(c.Remove, Dots{
				Author: Author{byte(rapid.IntRange(0, 2).Draw(t, "author"))}, Ks: rapid.SliceOfN(small, 0, 3).Draw(t, "ks"),
			})
		}
		return Op{Operands: c}
	}
	return Op{Operands: Unknown(rapid.SliceOfN(raws, 0, 2).Draw(t, "operands"))}
}

// values draws values at the edges of their order.
func values() *rapid.Generator[Value] {
	return rapid.OneOf(
		rapid.SampledFrom([]Value{Null(), Bool(false), Bool(true)}),
		rapid.Map(rapid.SampledFrom([]int64{math.MinInt64, -256, -1, 0, 1, 23, 24, math.MaxInt64}), Int),
		rapid.Map(rapid.SampledFrom([]float64{-math.MaxFloat64, -1, math.Copysign(0, -1), 0, 1e-300, 2, math.MaxFloat64}), func(f float64) Value {
			v, _ := Float(f)
			return v
		}),
		rapid.Map(rapid.SampledFrom([]string{"", "a", "aa", "b", "ä"}), func(s string) Value {
			v, _ := Text(s)
			return v
		}),
		rapid.Map(rapid.SampledFrom([]string{"", "\x00", "\xff"}), func(s string) Value { return Blob([]byte(s)) }),
	)
}

// The order of values is part of the format: a set's elements are written in it.
func TestValuesAreInOrder(t *testing.T) {
	float := func(f float64) Value {
		v, err := Float(f)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	ascending := []Value{
		Null(), Bool(false), Bool(true),
		Int(math.MinInt64), Int(-1), Int(0), Int(1), Int(256), Int(math.MaxInt64),
		float(-math.MaxFloat64), float(-1), float(-math.SmallestNonzeroFloat64), float(math.Copysign(0, -1)),
		float(0), float(math.SmallestNonzeroFloat64), float(1), float(math.MaxFloat64),
		mustText(t, ""), mustText(t, "a"), mustText(t, "aa"), mustText(t, "b"),
		Blob(nil), Blob([]byte{0}), Blob([]byte{0, 0}), Blob([]byte{1}),
	}
	for i, a := range ascending {
		for j, b := range ascending {
			if got := a.Compare(b); got > 0 != (i > j) || got < 0 != (i < j) {
				t.Errorf("%v (%d) and %v (%d) compare as %d", a, a.Kind(), b, b.Kind(), got)
			}
		}
	}
}

// now is the time of the memos of the tests below, bob their author.
const now = 1000

// broken checks what New says of memos with one delta, in a row that they clear or
// not.
type broken map[string]struct {
	clears bool
	d      Delta
	want   error
}

func (b broken) check(t *testing.T) {
	g, _ := testGenesis(t)
	_, bob := testKey("bob")
	for name, c := range b {
		e := editOf("t", "r", c.d)
		e.Topics[0].Rows[0].Tombstone = c.clears
		_, err := New(Memo{Space: g.SpaceID(), Author: bob, Seq: 1, Deps: []Head{g.Head()}, Time: now, Body: e})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func ints(n int) (vs []Value) {
	for i := range n {
		vs = append(vs, Int(int64(i)))
	}
	return vs
}

// Each rule of a count and of operands, by a memo that breaks it alone.
func TestCountsThatBreakARule(t *testing.T) {
	count := func(c Count) Delta { return Delta{Type: Counter, Op: Op{Operands: &c}} }
	seen := Base{Time: now - 1, ID: ID{1}}
	broken{
		"counter":                       {false, count(Count{Base: seen, K: MaxCount, Plus: MaxCount, Minus: MaxCount}), nil},
		"counter in a cleared row":      {true, count(Count{Base: Base{Own: true}, K: 1}), nil},
		"counter k 0":                   {false, count(Count{Plus: 1}), ErrInvalid},
		"counter k too large":           {false, count(Count{K: MaxCount + 1}), ErrInvalid},
		"counter plus too large":        {false, count(Count{K: 1, Plus: MaxCount + 1}), ErrTooLarge},
		"counter minus too large":       {false, count(Count{K: 1, Minus: MaxCount + 1}), ErrTooLarge},
		"own base, row not cleared":     {false, count(Count{Base: Base{Own: true}, K: 1}), ErrInvalid},
		"seen base, row cleared":        {true, count(Count{Base: seen, K: 1}), ErrInvalid},
		"no base, row cleared":          {true, count(Count{K: 1}), ErrInvalid},
		"two bases":                     {true, count(Count{Base: Base{Own: true, ID: ID{1}}, K: 1}), ErrInvalid},
		"base without a digest":         {false, count(Count{Base: Base{Time: 1}, K: 1}), ErrInvalid},
		"base of the memo's time":       {false, count(Count{Base: Base{Time: now, ID: ID{1}}, K: 1}), ErrInvalid},
		"counter without operands":      {false, Delta{Type: Counter}, ErrInvalid},
		"counter with a set's operands": {false, Delta{Type: Counter, Op: Op{Operands: &Change{K: 1, Add: ints(1)}}}, ErrInvalid},
		"counter with a value":          {false, Delta{Type: Counter, Op: Op{Set: true, Operands: &Count{K: 1}}}, ErrInvalid},
		"register with a count":         {false, Delta{Op: Op{Operands: &Count{K: 1}}}, ErrInvalid},
		"set with opaque operands":      {false, Delta{Type: Set, Op: Op{Operands: Unknown{{0x01}, {0x80}}}}, ErrInvalid},
		"unknown type with a change":    {false, Delta{Type: BlobCell, Op: Op{Operands: &Change{K: 1, Add: ints(1)}}}, ErrInvalid},
	}.check(t)
}

// Each rule of a change, by a memo that breaks it alone.
func TestChangesThatBreakARule(t *testing.T) {
	_, bob := testKey("bob")
	_, carol := testKey("carol")
	multi := func(c Change) Delta { return Delta{Type: Multi, Op: Op{Operands: &c}} }
	set := func(c Change) Delta { return Delta{Type: Set, Op: Op{Operands: &c}} }
	ks := func(from, to uint64) (out []uint64) {
		for k := from; k <= to; k++ {
			out = append(out, k)
		}
		return out
	}
	own := func(ks ...uint64) []Dots { return []Dots{{Ks: ks}} }
	broken{
		"multi":                          {false, multi(Change{K: MaxCount - 1, Add: ints(1), Remove: []Dots{{Ks: ks(1, 9)}, {Author: carol, Ks: ks(1, 9)}}}), nil},
		"multi of two values":            {false, multi(Change{K: 1, Add: ints(2)}), ErrInvalid},
		"multi that does nothing":        {false, multi(Change{}), ErrInvalid},
		"multi that adds without k":      {false, multi(Change{Add: ints(1)}), ErrInvalid},
		"multi with k and without value": {false, multi(Change{K: 1, Remove: own(1)}), ErrInvalid},
		"largest set delta":              {false, set(Change{K: MaxRemoved + 1, Add: ints(MaxElements), Remove: []Dots{{Ks: ks(1, MaxRemoved)}}}), nil},
		"too many elements":              {false, set(Change{K: 1, Add: ints(MaxElements + 1)}), ErrTooLarge},
		"too many removed":               {false, set(Change{Remove: []Dots{{Ks: ks(1, MaxRemoved)}, {Author: carol, Ks: ks(1, 1)}}}), ErrTooLarge},
		"set that does nothing":          {false, set(Change{}), ErrInvalid},
		"set with k past the end":        {false, set(Change{K: MaxCount, Add: ints(2)}), ErrInvalid},
		"element twice":                  {false, set(Change{K: 1, Add: []Value{Int(1), Int(1)}}), ErrInvalid},
		"elements unsorted":              {false, set(Change{K: 1, Add: []Value{Int(2), Int(1)}}), ErrInvalid},
		"removed twice":                  {false, set(Change{Remove: own(1, 1)}), ErrInvalid},
		"removed unsorted":               {false, set(Change{Remove: own(2, 1)}), ErrInvalid},
		"removed dot 0":                  {false, set(Change{Remove: own(0, 1)}), ErrInvalid},
		"removed dot too large":          {false, set(Change{Remove: own(MaxCount + 1)}), ErrInvalid},
		"removed what it adds":           {false, set(Change{K: 5, Add: ints(1), Remove: own(5)}), ErrInvalid},
		"removed all but what it adds":   {false, set(Change{K: 5, Add: ints(2), Remove: own(4, 7)}), nil},
		"removed the last it adds":       {false, set(Change{K: 5, Add: ints(2), Remove: own(6)}), ErrInvalid},
		"removed authors unsorted":       {false, set(Change{Remove: []Dots{{Author: carol, Ks: ks(1, 1)}, {Ks: ks(1, 1)}}}), ErrInvalid},
		"removed author twice":           {false, set(Change{Remove: []Dots{{Ks: ks(1, 1)}, {Ks: ks(2, 2)}}}), ErrInvalid},
		"removed author without dots":    {false, set(Change{Remove: []Dots{{}}}), ErrInvalid},
		"own author by its key":          {false, set(Change{Remove: []Dots{{Author: bob, Ks: ks(1, 1)}}}), ErrInvalid},
	}.check(t)
}

// What another program may write for an operation and this one never does.
func TestOperationsHaveOneEncoding(t *testing.T) {
	ok := [][]any{
		{Counter, nil, 1},
		{Counter, nil, 1, 2},
		{Counter, nil, 1, 0, 2},
		{Counter, []any{1, Author{1}, ID{1}}, 1},
		{Multi, 1, "v"},
		{Multi, 2, "v", []any{[]any{nil, 1}}},
		{Multi, 0, []any{[]any{Author{1}, 1, 2}}},
		{Set, 1, []any{1, "v"}},
		{Set, 2, []any{"v"}, []any{[]any{nil, 1}}},
		{Set, 0, []any{[]any{nil, 1}}},
		{TextCell, 0},
		{BlobCell, "x", 7},
	}
	bad := [][]any{
		{Counter, nil},
		{Counter, nil, 1, 0},
		{Counter, nil, 1, 2, 0},
		{Counter, nil, 1, 2, 3, 4},
		{Counter, 0, 1},
		{Counter, 2, 1},
		{Counter, []any{1, Author{1}}, 1},
		{Counter, nil, -1},
		{Counter, nil, 1.0},
		{Counter, nil, nil},
		{Multi, 1},
		{Multi, 1, []any{"v"}},
		{Multi, 1, "v", []any{}},
		{Multi, 1, "v", []any{[]any{nil, 1}}, 1},
		{Multi, 0, "v"},
		{Multi, 0},
		{Multi, 0, []any{}},
		{Multi, 0, []any{[]any{nil}}},
		{Multi, 0, []any{[]any{}}},
		{Multi, nil, "v"},
		{Set, 1, "v"},
		{Set, 1, []any{}},
		{Set, 1, nil},
		{Set, 1, []any{[]any{}}},
		{Set, 1, []any{"v"}, nil},
		{Set, 0, []any{1}},
		{Set, 0, []any{[]any{Author{}, 1}}},
		{Set, 0, []any{[]any{Bytes("short"), 1}}},
		{Set, 0, []any{[]any{nil, 1.0}}},
		{TextCell},
	}
	edit := func(op []any) error {
		delta := append([]any{Bytes("f")}, op...)
		data, err := Marshal([]any{[]any{"t", []any{[]any{Bytes("r"), false, []any{delta}}}}})
		if err != nil {
			t.Fatal(err)
		}
		body, err := decodeEdit(data)
		if err != nil {
			return err
		}
		return body.check()
	}
	for _, op := range ok {
		if err := edit(op); err != nil {
			t.Errorf("%v: %v", op, err)
		}
	}
	for _, op := range bad {
		if err := edit(op); err == nil {
			t.Errorf("%v: accepted", op)
		}
	}
}

// TestKnownTypes: an edit is known when all of its cells are.
func TestKnownTypes(t *testing.T) {
	names, memos := goldenMemos(t)
	for _, name := range []string{"edit with a counter", "edit with multis, counters and sets"} {
		if err := memos[slices.Index(names, name)].Known(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, unknown := range []CellType{TextCell, BlobCell, 6, 1 << 40} {
		e := editOf("t", "r", Delta{Field: "f", Type: unknown, Op: Op{Operands: Unknown{{0x01}}}})
		if err := (&Memo{Body: e}).Known(); !errors.Is(err, ErrUnknownKind) {
			t.Errorf("cell type %d: %v", unknown, err)
		}
	}
}
