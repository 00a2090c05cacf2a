package merge_test

import (
	"bytes"
	"errors"
	"iter"
	"strings"
	"testing"

	"lightcone/memo"
	"lightcone/merge"
)

func listed(es ...merge.Entry) iter.Seq2[merge.Entry, error] {
	return func(yield func(merge.Entry, error) bool) {
		for _, e := range es {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func TestBuildRefuses(t *testing.T) {
	broken := errors.New("disk on fire")
	one := []byte{0x01}
	wide := testParams()
	wide.M = 4*wide.W - 1
	for name, c := range map[string]struct {
		p       merge.Params
		entries iter.Seq2[merge.Entry, error]
		put     merge.BlockPutter
		want    error
	}{
		"descending keys":   {testParams(), listed(merge.Entry{Key: "b", Value: one}, merge.Entry{Key: "a", Value: one}), nil, merge.ErrUnsorted},
		"a key twice":       {testParams(), listed(merge.Entry{Value: one}, merge.Entry{Value: one}), nil, merge.ErrUnsorted},
		"a long key":        {testParams(), listed(merge.Entry{Key: strings.Repeat("k", merge.MaxKey+1), Value: one}), nil, memo.ErrTooLarge},
		"a long value":      {testParams(), listed(merge.Entry{Key: "k", Value: make([]byte, merge.InlineMax+1)}), nil, memo.ErrTooLarge},
		"a failed source":   {testParams(), func(yield func(merge.Entry, error) bool) { yield(merge.Entry{}, broken) }, nil, broken},
		"a failed putter":   {testParams(), listed(), putErr{broken}, broken},
		"unusable settings": {wide, listed(), nil, merge.ErrParams},
	} {
		if id, err := merge.Build(c.p, c.entries, c.put); !errors.Is(err, c.want) || !id.IsZero() {
			t.Errorf("%s: %s, %v, want %v", name, id, err, c.want)
		}
	}
}

func TestValuesAreOneCanonicalItem(t *testing.T) {
	nested := func(depth int) []byte { return append(bytes.Repeat([]byte{0x81}, depth), 0x00) }
	link := cbor(t, memo.Link(memo.Sum(nil)))
	for _, good := range [][]byte{
		{0x17},
		{0x18, 0x18},
		{0x19, 0x01, 0x00},
		{0x1a, 0x00, 0x01, 0x00, 0x00},
		{0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		{0x3b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		{0x41, 0xff},
		{0x61, 'x'},
		{0xf4},
		{0xf5},
		{0xf6},
		{0xfb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0},
		link,
		nested(8),
	} {
		if _, err := merge.Build(testParams(), listed(merge.Entry{Key: "k", Value: good}), nil); err != nil {
			t.Errorf("%x: %v", good, err)
		}
	}
	for name, bad := range map[string][]byte{
		"nothing":                 {},
		"two items":               {0x01, 0x01},
		"8 bits not needed":       {0x18, 0x17},
		"16 bits not needed":      {0x19, 0x00, 0xff},
		"32 bits not needed":      {0x1a, 0x00, 0x00, 0xff, 0xff},
		"64 bits not needed":      {0x1b, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff},
		"a long length":           {0x58, 0x01, 0xff},
		"below int64":             {0x3b, 0x80, 0, 0, 0, 0, 0, 0, 0},
		"a reserved length":       {0x1c},
		"an indefinite array":     {0x9f, 0xff},
		"an indefinite string":    {0x5f, 0x41, 0x00, 0xff},
		"text that is not UTF-8":  {0x61, 0xff},
		"half a float":            {0xf9, 0x3c, 0x00},
		"a float cut short":       {0xfb, 0x3f},
		"NaN":                     {0xfb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0},
		"infinity":                {0xfb, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0},
		"undefined":               {0xf7},
		"a map":                   {0xa0},
		"a tag that is no link":   {0xc1, 0x00},
		"a link cut short":        link[:len(link)-1],
		"an array cut short":      {0x82, 0x00},
		"more items than bytes":   {0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"nested too deep":         nested(9),
		"a string that never was": {0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	} {
		_, err := merge.Build(testParams(), listed(merge.Entry{Key: "k", Value: bad}), nil)
		if !errors.Is(err, memo.ErrMalformed) && !errors.Is(err, memo.ErrNotCanonical) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type putErr struct{ err error }

func (p putErr) PutBlock(memo.ID, []byte) error { return p.err }

// A getter need not be trusted: a block swapped for another valid one, or
// missing, is an error of Get and Scan.
func TestReadsAreVerified(t *testing.T) {
	p := testParams()
	m := valued(sequentialKeys(500))
	root, b := build(t, p, m)
	top, err := merge.DecodeNode(p, b[root], merge.Place{})
	if err != nil {
		t.Fatal(err)
	}
	first, second := top.Items[0], top.Items[1]

	forged := bytes.Clone(b[second.Child])
	forged[len(forged)-1]++ // the last byte of a value: still a valid node
	original := b[second.Child]
	b[second.Child] = forged
	if _, _, err := merge.Get(p, b, root, second.Key); !errors.Is(err, merge.ErrNode) {
		t.Errorf("Get through a forged block: %v", err)
	}
	b[second.Child] = original

	b[first.Child] = b[second.Child]
	if _, _, err := merge.Get(p, b, root, first.Key); !errors.Is(err, merge.ErrNode) {
		t.Errorf("Get through a swapped block: %v", err)
	}
	var last error
	for _, err := range merge.Scan(p, b, root, "") {
		last = err
	}
	if !errors.Is(last, merge.ErrNode) {
		t.Errorf("Scan through a swapped block: %v", last)
	}
	delete(b, first.Child)
	if _, _, err := merge.Get(p, b, root, first.Key); err == nil {
		t.Error("Get found a key in a block that is missing")
	}
	if v, ok, err := merge.Get(p, b, root, second.Key); err != nil || !ok || !bytes.Equal(v, m[second.Key]) {
		t.Errorf("Get beside the missing block: %x %v %v", v, ok, err)
	}
}

// A parent and a child that are each in order may still overlap a neighbour.
func TestOverlappingNodesAreRefused(t *testing.T) {
	p := smallParams()
	b := blocks{}
	tree := func(left, right []byte) memo.ID {
		items := arr{
			arr{0, memo.Bytes("a"), memo.Sum(left), 2, 1},
			arr{0, memo.Bytes("c"), memo.Sum(right), 2, 1},
		}
		root := cbor(t, arr{1, 1, items})
		b[memo.Sum(left)], b[memo.Sum(right)], b[memo.Sum(root)] = left, right, root
		return memo.Sum(root)
	}
	right := leafOf(t, "c", "d")
	if _, ok, err := merge.Get(p, b, tree(leafOf(t, "a", "b"), right), "b"); err != nil || !ok {
		t.Fatalf("the tree that is then broken: %v %v", ok, err)
	}
	if _, _, err := merge.Get(p, b, tree(leafOf(t, "a", "c"), right), "a"); !errors.Is(err, merge.ErrNode) {
		t.Errorf("Get in overlapping nodes: %v", err)
	}
	// The last child is bounded by what bounds its parent.
	n := merge.Node{Level: 1, Items: []merge.Item{{Key: "a"}, {Key: "c"}}}
	if got := (merge.Place{Level: 1, Dom: 1, Limit: "e"}).Below(n, 1).Limit; got != "e" {
		t.Errorf("the last child's limit is %q, its parent's is \"e\"", got)
	}
}

func TestScanStopsWhenAsked(t *testing.T) {
	p := testParams()
	root, b := build(t, p, valued(sequentialKeys(500)))
	n := 0
	for range merge.Scan(p, b, root, "") {
		if n++; n == 3 {
			break
		}
	}
	if n != 3 {
		t.Errorf("%d entries after asking for 3", n)
	}
}
