package memo

import (
	"crypto/ed25519"
	"crypto/sha256"
	_ "embed"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// golden holds what the format is, bit by bit: the bytes of memos and of a run,
// and the digests and the seal that follow from them. Data on disks and on the
// wire depends on it, so it never changes; a new format gets new vectors beside
// these. The file says how to read it, for programs in other languages.
//
//go:embed testdata/golden.txt
var golden string

// bytesPerRow is what real rows cost in the format as it was frozen: 100 airports
// of 7 text fields, bytes per row. TestBytesPerRow holds the format to it.
//
// The values themselves take 62. Most of the rest are field names, written again
// in every row, which compress well wherever runs are compressed. Three bytes a
// delta, the array, the type and the operation, are what any cell type needs. One
// row a memo adds 24, of which the time has 9 and the topic 9; a memo in a run has
// no space, author and prev of its own. Rows that are sealed one by one pay 179 for
// those and the seal: that is why writers share a run.
const bytesPerRow = `
                     one row a run    one row a memo   100 rows a memo
memos in the run                 1                64                16
rows in the run                  1                64              1600
field names                  48.00             48.00             48.00
values                       56.00             62.72             61.97
row key                       4.00              4.00              4.01
delta framing                21.00             21.00             21.00
row framing                   3.00              3.00              3.00
memo and topic               24.00             24.00              0.25
run framing                 113.00              1.78              0.07
seal                         66.00              1.03              0.04
sum                         335.00            165.53            138.34
`

// goldenMemos makes the memos of the vectors anew, in the order of the file.
func goldenMemos(t *testing.T) (names []string, memos []*Memo) {
	add := func(name string, m Memo) *Memo {
		names, memos = append(names, name), append(memos, mustNew(t, m))
		return memos[len(memos)-1]
	}
	_, alice := testKey("alice")
	_, bob := testKey("bob")
	_, carol := testKey("carol")
	at := Next(1_700_000_000_000)

	genesis := add("genesis", Memo{Author: alice, Seq: 1, Time: at, Body: &Genesis{
		Name: "default", W: DefaultW, M: DefaultM, D: DefaultD, Rho: DefaultRho,
	}})
	add("genesis of a members space", Memo{Author: carol, Seq: 1, Time: at, Body: &Genesis{
		Name: "größer", RootKeys: []Author{alice, bob}, Rights: Members, Trust: Adopt, W: 1, M: 4096, D: 0, Rho: 0.5,
	}})
	space := genesis.SpaceID()
	values := add("edit with every kind of value", Memo{
		Space: space, Author: bob, Seq: 1, Deps: []Head{genesis.Head()}, Time: Next(0, at), Body: goldenEdit(t),
	})
	tombstone := add("edit with a row tombstone", Memo{
		Space: space, Author: alice, Seq: 2, Prev: genesis.ID(), Deps: []Head{values.Head()}, Time: Next(0, values.Time),
		Body: &Edit{Topics: []TopicEdit{
			{Topic: "airports", Rows: []RowEdit{
				{Row: "00M", Tombstone: true},
				{Row: "00R", Tombstone: true, Deltas: []Delta{register(t, "name", "anew"), {Field: "old"}}},
			}},
			{Topic: "zips", Rows: []RowEdit{{Row: "", Deltas: []Delta{{Field: ""}}}}},
		}},
	})
	deps := []Head{tombstone.Head(), values.Head()}
	SortDeps(deps)
	join := add("join of two causes", Memo{
		Space: space, Author: carol, Seq: 1, Deps: deps, Time: Next(1_700_000_000_002, tombstone.Time), Body: Join{},
	})
	add("body of an unknown kind", Memo{
		Space: space, Author: carol, Seq: 2, Prev: join.ID(), Time: MaxTime,
		Body: &Opaque{Kind: 77, Raw: raw(t, []any{"from the future", uint64(7), []any{nil, true, -1.5}})},
	})
	count := add("edit with a counter", Memo{ // an unknown cell type when it was frozen
		Space: space, Author: bob, Seq: 2, Prev: values.ID(), Time: Next(0, values.Time),
		Body: editOf("airports", "00M", Delta{Field: "visits", Type: Counter, Op: Op{Operands: &Count{K: 3}}}),
	})
	cells := add("edit with multis, counters and sets", Memo{
		Space: space, Author: bob, Seq: 3, Prev: count.ID(), Time: Next(0, tombstone.Time), Body: goldenCells(t, tombstone),
	})
	add("edit with an unknown cell type", Memo{
		Space: space, Author: bob, Seq: 4, Prev: cells.ID(), Time: Next(0, cells.Time),
		Body: editOf("airports", "00M", Delta{Field: "notes", Type: TextCell, Op: Op{Operands: Unknown{raw(t, nil), raw(t, uint64(3))}}}),
	})
	return names, memos
}

// goldenCells has every form of an operation on a multi, a counter and a set.
// seen is an earlier memo, with a row tombstone.
func goldenCells(t *testing.T, seen *Memo) *Edit {
	_, carol := testKey("carol")
	removed := []Dots{{Ks: []uint64{1, 24}}, {Author: carol, Ks: []uint64{MaxCount}}}
	change := func(t CellType, field string, c Change) Delta {
		return Delta{Field: field, Type: t, Op: Op{Operands: &c}}
	}
	count := func(field string, c Count) Delta { return Delta{Field: field, Type: Counter, Op: Op{Operands: &c}} }
	base := Base{Time: seen.Time, Author: seen.Author, ID: seen.ID()}
	e := &Edit{Topics: []TopicEdit{{Topic: "airports", Rows: []RowEdit{
		{Row: "00M", Deltas: []Delta{
			change(Multi, "name", Change{K: 1, Add: []Value{mustText(t, "Thigpen")}}),
			change(Multi, "city", Change{K: 25, Add: []Value{Null()}, Remove: removed}),
			change(Multi, "state", Change{Remove: removed[:1]}),
			count("in", Count{K: 1, Plus: 1}),
			count("both", Count{K: 300, Plus: 70_000, Minus: MaxCount}),
			count("out", Count{K: 2, Minus: 7}),
			count("since", Count{Base: base, K: 1, Plus: 5}),
			change(Set, "tags", Change{K: 1, Add: []Value{Null(), Bool(true), Int(-1), Int(7), mustText(t, "grass"), Blob([]byte{0xff})}}),
			change(Set, "uses", Change{K: 30, Add: []Value{mustText(t, "b")}, Remove: removed}),
			change(Set, "was", Change{Remove: removed[1:]}),
		}},
		{Row: "00R", Tombstone: true, Deltas: []Delta{count("anew", Count{Base: Base{Own: true}, K: 1, Plus: 1})}},
	}}}}
	e.Sort()
	return e
}

// goldenEdit writes values of every kind, at the edges of their encodings.
func goldenEdit(t *testing.T) *Edit {
	float := func(f float64) Value {
		v, err := Float(f)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	var ds []Delta
	for i, v := range []Value{
		Null(), Bool(false), Bool(true),
		Int(0), Int(23), Int(24), Int(255), Int(256), Int(65536), Int(1 << 32), Int(math.MaxInt64),
		Int(-1), Int(-24), Int(-25), Int(-257), Int(math.MinInt64),
		float(0), float(math.Copysign(0, -1)), float(1.5), float(math.MaxFloat64), float(math.SmallestNonzeroFloat64),
		mustText(t, ""), mustText(t, "Bay Springs"), mustText(t, "Zürich, 東京, 🛬\x00"), mustText(t, strings.Repeat("x", 24)),
		Blob(nil), Blob([]byte{0xde, 0xad, 0xbe, 0xef}), Blob(make([]byte, 256)),
	} {
		ds = append(ds, Delta{Field: string(rune('A' + i)), Op: Op{Set: true, Value: v}})
	}
	e := &Edit{Topics: []TopicEdit{{Topic: "airports", Rows: []RowEdit{
		{Row: "00M", Deltas: append(ds, Delta{Field: "deleted"})},
		{Row: "\xff\x00 is no text", Deltas: []Delta{{Field: "\xfe", Op: Op{Set: true}}, {Field: ""}}},
	}}}}
	e.Sort()
	return e
}

func raw(t *testing.T, v any) Raw {
	b, err := Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// goldenRun is alice's genesis and two edits, under one seal.
func goldenRun(t *testing.T) *Run {
	key, alice := testKey("alice")
	_, memos := goldenMemos(t)
	r := &Run{Space: memos[0].SpaceID(), Memos: memos[:1]}
	for i, text := range []string{"Cat", "Panda"} {
		last := r.Head()
		r.Memos = append(r.Memos[:i+1:i+1], mustNew(t, Memo{
			Space: r.Space, Author: alice, Seq: last.Seq + 1, Prev: last.ID, Time: Next(0, r.Memos[i].Time),
			Body: editOf("animals", "11", register(t, "name", text)),
		}))
	}
	r.Seal = Sign(key, r.Space, r.Head())
	return r
}

// TestGolden makes the vectors anew and compares them with the file.
func TestGolden(t *testing.T) {
	var b strings.Builder
	names, memos := goldenMemos(t)
	for i, m := range memos {
		enc, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "memo %s\ncid  %s\nhex  %x\n\n", names[i], m.ID(), enc)
	}
	r := goldenRun(t)
	enc, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&b, "run  three memos of one author\n")
	for _, m := range r.Memos {
		fmt.Fprintf(&b, "cid  %s\n", m.ID())
	}
	fmt.Fprintf(&b, "seal %x\nhex  %x\n", r.Seal, enc)

	_, frozen, _ := strings.Cut(golden, "\n\n")
	if diff := cmp.Diff(frozen, b.String()); diff != "" {
		t.Errorf("the format is frozen and has changed, - as it was + as it is:\n%s\nall of it as it is:\n\n%s", diff, b.String())
	}
}

// TestGoldenDecodes reads the file alone, as another program would: the digests
// and the seal are computed here by hand.
func TestGoldenDecodes(t *testing.T) {
	memos := 0
	for _, v := range goldenVectors() {
		t.Run(strings.Fields(v)[0], func(t *testing.T) {
			f := fields(v)
			data, err := hex.DecodeString(f["hex"][0])
			if err != nil {
				t.Fatal(err)
			}
			if f["run"] != nil {
				checkGoldenRun(t, data, f)
				return
			}
			memos++
			checkGoldenMemo(t, data, f)
		})
	}
	if memos != 9 { // and the run
		t.Errorf("the file holds %d memos, want 9", memos)
	}
}

// fields reads the lines of one vector: key, blanks, rest.
func fields(vector string) map[string][]string {
	f := map[string][]string{}
	for _, line := range strings.Split(vector, "\n") {
		key, rest, _ := strings.Cut(line, " ")
		f[key] = append(f[key], strings.TrimSpace(rest))
	}
	return f
}

func checkGoldenMemo(t *testing.T, data []byte, f map[string][]string) {
	m, err := Decode(data)
	if err != nil {
		t.Fatalf("%s: %v", f["memo"], err)
	}
	if again, err := m.Encode(); err != nil || string(again) != string(data) {
		t.Errorf("%s: encodes to %x (%v)", f["memo"], again, err)
	}
	if got, want := m.ID().String(), f["cid"][0]; got != want || cidOf(sha256.Sum256(data)) != want {
		t.Errorf("%s: cid %s, by hand %s, want %s", f["memo"], got, cidOf(sha256.Sum256(data)), want)
	}
	if unknown := strings.Contains(f["memo"][0], "unknown"); unknown != errors.Is(m.Known(), ErrUnknownKind) {
		t.Errorf("%s: Known says %v", f["memo"], m.Known())
	}
}

func checkGoldenRun(t *testing.T, data []byte, f map[string][]string) {
	r, err := DecodeRun(data)
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range r.Memos {
		if got := cidOf(m.ID()); got != f["cid"][i] {
			t.Errorf("memo %d: cid %s, want %s", i+1, got, f["cid"][i])
		}
	}
	if err := r.Verify(); err != nil {
		t.Error(err)
	}
	head := r.Head()
	signed := []byte("lightcone/seal/1" + string(r.Space[:]))
	signed = binary.BigEndian.AppendUint64(signed, head.Seq)
	signed = append(signed, head.ID[:]...)
	seal, err := hex.DecodeString(f["seal"][0])
	if err != nil || !ed25519.Verify(head.Author[:], signed, seal) {
		t.Errorf("the seal of the file does not verify (%v)", err)
	}
}

// cidOf is the CID of a digest by hand: base32 of version 1, dag-cbor, sha2-256,
// 32 bytes.
func cidOf(digest [32]byte) string {
	b := append([]byte{0x01, 0x71, 0x12, 0x20}, digest[:]...)
	return "b" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b))
}
