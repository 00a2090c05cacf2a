package merge_test

import (
	"bytes"
	"errors"
	"testing"

	"lightcone/memo"
	"lightcone/merge"
)

// arr is a CBOR array, encoded by package memo: another encoder than the one
// under test.
type arr = []any

func cbor(t testing.TB, v any) []byte {
	t.Helper()
	b, err := memo.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func prov(s merge.Stamp) arr { return arr{s.Author, s.Seq, s.ID, s.Time} }

func TestRowStateIsTheDocumentedArray(t *testing.T) {
	one, two := stamp(1, 1), stamp(2, 1) // seq 1 and 2 of one author
	row := merge.Join(
		delta(t, one, true, set("", "x"), del("gone")),
		delta(t, two, false, memo.Delta{Field: "n", Op: memo.Op{Set: true, Value: memo.Int(-5)}}),
	)
	want := cbor(t, arr{
		arr{prov(one), prov(two)},
		0,
		arr{memo.Bytes(""), 0, 0, 1, "x"},
		arr{memo.Bytes("gone"), 0, 0, 0},
		arr{memo.Bytes("n"), 0, 1, 1, -5},
	})
	if got := encode(t, row); !bytes.Equal(got, want) {
		t.Errorf("got  %x\nwant %x", got, want)
	}
	if got := encode(t, merge.Row{}); !bytes.Equal(got, cbor(t, arr{arr{}, nil})) {
		t.Errorf("the empty row is %x", got)
	}
}

func TestDecodeRowIsStrict(t *testing.T) {
	s, later := stamp(1, 1), stamp(2, 1)
	other := s
	other.ID[0]++
	zero, seq0, late := s, s, s
	zero.ID, seq0.Seq, late.Time = memo.ID{}, 0, memo.MaxTime+1
	cell := func(field string, index int) arr { return arr{memo.Bytes(field), 0, index, 1, "v"} }
	for name, c := range map[string]struct {
		state any
		want  error
	}{
		"not an array":              {7, memo.ErrMalformed},
		"no tombstone":              {arr{arr{}}, memo.ErrMalformed},
		"unused provenance":         {arr{arr{prov(s), prov(later)}, nil, cell("f", 0)}, memo.ErrNotCanonical},
		"unsorted provenance":       {arr{arr{prov(later), prov(s)}, nil, cell("f", 0), cell("g", 1)}, memo.ErrMalformed},
		"provenance twice":          {arr{arr{prov(s), prov(s)}, nil, cell("f", 0), cell("g", 1)}, memo.ErrMalformed},
		"dangling provenance":       {arr{arr{prov(s)}, nil, cell("f", 1)}, memo.ErrMalformed},
		"dangling tombstone":        {arr{arr{prov(s)}, 1, cell("f", 0)}, memo.ErrMalformed},
		"provenance of 3 parts":     {arr{arr{prov(s)[:3]}, nil, cell("f", 0)}, memo.ErrMalformed},
		"short author":              {arr{arr{arr{memo.Bytes("a"), 1, s.ID, 1}}, nil, cell("f", 0)}, memo.ErrMalformed},
		"zero digest":               {arr{arr{prov(zero)}, nil, cell("f", 0)}, memo.ErrMalformed},
		"seq 0":                     {arr{arr{prov(seq0)}, nil, cell("f", 0)}, memo.ErrMalformed},
		"time above the largest":    {arr{arr{prov(late)}, nil, cell("f", 0)}, memo.ErrMalformed},
		"unsorted cells":            {arr{arr{prov(s)}, nil, cell("g", 0), cell("f", 0)}, memo.ErrMalformed},
		"a cell twice":              {arr{arr{prov(s)}, nil, cell("f", 0), cell("f", 0)}, memo.ErrMalformed},
		"below the tombstone":       {arr{arr{prov(s), prov(later)}, 1, cell("f", 0)}, memo.ErrMalformed},
		"a fork below the row's":    {arr{forked(s, other), 1, cell("f", 0)}, memo.ErrMalformed},
		"unknown cell type":         {arr{arr{prov(s)}, nil, arr{memo.Bytes("f"), 4, 0, 1}}, merge.ErrUnknownCellType},
		"deleted, with a value":     {arr{arr{prov(s)}, nil, arr{memo.Bytes("f"), 0, 0, 0, "v"}}, memo.ErrMalformed},
		"set, without a value":      {arr{arr{prov(s)}, nil, arr{memo.Bytes("f"), 0, 0, 1}}, memo.ErrMalformed},
		"set to 2":                  {arr{arr{prov(s)}, nil, arr{memo.Bytes("f"), 0, 0, 2, "v"}}, memo.ErrMalformed},
		"a value no cell can hold":  {arr{arr{prov(s)}, nil, arr{memo.Bytes("f"), 0, 0, 1, arr{}}}, memo.ErrMalformed},
		"a link as a value":         {arr{arr{prov(s)}, nil, arr{memo.Bytes("f"), 0, 0, 1, memo.Link(s.ID)}}, memo.ErrMalformed},
		"an integer above int64":    {arr{arr{prov(s)}, nil, arr{memo.Bytes("f"), 0, 0, 1, ^uint64(0)}}, memo.ErrMalformed},
		"a field as text":           {arr{arr{prov(s)}, nil, arr{"f", 0, 0, 1, "v"}}, memo.ErrMalformed},
		"a field above the limit":   {arr{arr{prov(s)}, nil, cell(string(make([]byte, memo.MaxField+1)), 0)}, memo.ErrMalformed},
		"a long integer":            {long(t, arr{arr{prov(s)}, nil, cell("f", 0)}), memo.ErrNotCanonical},
		"an array longer than data": {memo.Raw{0x9a, 0xff, 0xff, 0xff, 0xff}, memo.ErrMalformed},
	} {
		data, raw := c.state.(memo.Raw)
		if !raw {
			data = cbor(t, c.state)
		}
		row, err := merge.DecodeRow(data)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if row.Cells != nil || !row.Tombstone.IsZero() {
			t.Errorf("%s: a failed decode returned %v", name, row)
		}
	}
}

// forked is the table of two memos of one author and seq, in order.
func forked(a, b merge.Stamp) arr {
	if b.ID.Compare(a.ID) < 0 {
		a, b = b, a
	}
	return arr{prov(a), prov(b)}
}

// long encodes v with its last 0x01, the flag of a set register, in two bytes.
func long(t testing.TB, v any) memo.Raw {
	b := cbor(t, v)
	i := bytes.LastIndexByte(b, 0x01)
	return append(append(bytes.Clone(b[:i]), 0x18, 0x01), b[i+1:]...)
}

// Whatever happens to the bytes of a state, it is refused or it is another
// state in its own canonical form.
func TestDamagedRowStates(t *testing.T) {
	row := merge.Join(
		delta(t, stamp(1, 1), true, set("a", "Dog"), del("b")),
		delta(t, stamp(2, 2), false, set("c", "Panda"), memo.Delta{Field: "d", Op: memo.Op{Set: true, Value: memo.Int(-300)}}),
	)
	enc := encode(t, row)
	for i := range enc {
		if _, err := merge.DecodeRow(enc[:i]); err == nil {
			t.Fatalf("accepted the first %d bytes", i)
		}
	}
	if _, err := merge.DecodeRow(append(bytes.Clone(enc), 0)); err == nil {
		t.Fatal("accepted a trailing byte")
	}
	for i := range len(enc) * 8 {
		bad := bytes.Clone(enc)
		bad[i/8] ^= 1 << (i % 8)
		if back, err := merge.DecodeRow(bad); err == nil && !bytes.Equal(encode(t, back), bad) {
			t.Fatalf("bit %d: accepted bytes that are not canonical", i)
		}
	}
}
