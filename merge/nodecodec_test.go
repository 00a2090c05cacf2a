package merge_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"lightcone/memo"
	"lightcone/merge"
)

// smallParams make trees that fit into a table test: 2 to 8 items a node.
func smallParams() merge.Params {
	p := testParams()
	p.W, p.M, p.D = 2, 8, 2
	return p
}

// uncut returns n ascending keys, beginning with first, whose run has no
// natural cut in the domains below dom.
func uncut(p merge.Params, level, dom, n int) []string {
	var keys []string
	for i := 0; len(keys) < n; i++ {
		if keys = append(keys, fmt.Sprintf("key/%04d", i)); missed(p, level, dom, keys) {
			keys = keys[:len(keys)-1]
		}
	}
	return keys
}

// missed tells whether keys have a natural cut in a domain below dom.
func missed(p merge.Params, level, dom int, keys []string) bool {
	for d := range dom {
		for i := p.W; i < len(keys)-p.W; i++ {
			greatest := true
			for j := i - p.W; j <= i+p.W; j++ {
				a, b := merge.Priority(p, level, d, keys[i]), merge.Priority(p, level, d, keys[j])
				greatest = greatest && bytes.Compare(a[:], b[:]) >= 0
			}
			if greatest {
				return true
			}
		}
	}
	return false
}

// leafOf and innerOf encode nodes by package memo, right or wrong.
func leafOf(t testing.TB, keys ...string) []byte {
	items := arr{}
	for i, k := range keys {
		shared := 0
		if i > 0 {
			shared = commonPrefix(keys[i-1], k)
		}
		items = append(items, arr{shared, memo.Bytes(k[shared:]), i})
	}
	return cbor(t, arr{1, 0, items})
}

func innerOf(t testing.TB, level int, count uint64, dom int, keys ...string) []byte {
	items := arr{}
	for i, k := range keys {
		shared := 0
		if i > 0 {
			shared = commonPrefix(keys[i-1], k)
		}
		items = append(items, arr{shared, memo.Bytes(k[shared:]), memo.Sum([]byte(k)), count, dom})
	}
	return cbor(t, arr{1, level, items})
}

func commonPrefix(a, b string) (n int) {
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

func TestDecodeNodeAcceptsWhatIsRight(t *testing.T) {
	p := smallParams()
	keys := uncut(p, 0, 3, 8)
	inner := uncut(p, 1, 1, 3)
	for name, c := range map[string]struct {
		data  []byte
		place merge.Place
	}{
		"empty leaf":        {leafOf(t), merge.Place{}},
		"root of one entry": {leafOf(t, "k"), merge.Place{}},
		"full leaf":         {leafOf(t, keys...), merge.Place{Dom: 3, Count: 8, First: keys[0], Limit: keys[7] + "\x00"}},
		"last leaf":         {leafOf(t, keys[:2]...), merge.Place{Dom: 1, Count: 2, First: keys[0]}},
		"inner root":        {innerOf(t, 1, 4, 3, inner...), merge.Place{}},
		"inner node":        {innerOf(t, 1, 4, 1, inner...), merge.Place{Level: 1, Dom: 1, Count: 12, First: inner[0]}},
	} {
		n, err := merge.DecodeNode(p, c.data, c.place)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !bytes.Equal(merge.EncodeNode(nil, n), c.data) {
			t.Errorf("%s does not encode back", name)
		}
	}
}

func TestDecodeNodeIsStrict(t *testing.T) {
	p := smallParams()
	keys := uncut(p, 0, 3, 8)
	inner := uncut(p, 1, 1, 3)
	at := merge.Place{Dom: 1, Count: 3, First: keys[0]}
	leaf := func(items ...any) []byte { return cbor(t, arr{1, 0, items}) }
	item := func(shared int, suffix string, value any) arr { return arr{shared, memo.Bytes(suffix), value} }
	for name, c := range map[string]struct {
		data  []byte
		place merge.Place
		want  error
	}{
		"not an array":               {cbor(t, 1), merge.Place{}, memo.ErrMalformed},
		"another version":            {cbor(t, arr{2, 0, arr{}}), merge.Place{}, memo.ErrMalformed},
		"a fourth part":              {cbor(t, arr{1, 0, arr{}, 0}), merge.Place{}, memo.ErrMalformed},
		"too high":                   {cbor(t, arr{1, 65, arr{}}), merge.Place{}, memo.ErrMalformed},
		"a trailing byte":            {append(leafOf(t, "k"), 0), merge.Place{}, memo.ErrMalformed},
		"more than M items":          {leafOf(t, uncut(p, 0, 1, 9)...), merge.Place{}, memo.ErrMalformed},
		"fewer than w items":         {leafOf(t, keys[0]), merge.Place{Dom: 1, Count: 1, First: keys[0]}, merge.ErrNode},
		"an inner root of one":       {innerOf(t, 1, 4, 1, "k"), merge.Place{}, merge.ErrNode},
		"an inner root of none":      {innerOf(t, 1, 4, 1), merge.Place{}, merge.ErrNode},
		"an inner item in a leaf":    {leaf(arr{0, memo.Bytes("k"), memo.ID{}, 4, 1}), merge.Place{}, memo.ErrMalformed},
		"a leaf's item further up":   {cbor(t, arr{1, 1, arr{item(0, "k", 1), item(0, "l", 1)}}), merge.Place{}, memo.ErrMalformed},
		"descending":                 {leaf(item(0, "b", 1), item(0, "a", 1)), merge.Place{}, memo.ErrMalformed},
		"a key twice":                {leaf(item(0, "a", 1), item(1, "", 1)), merge.Place{}, memo.ErrMalformed},
		"a prefix not the longest":   {leaf(item(0, "ab", 1), item(0, "ac", 1)), merge.Place{}, memo.ErrNotCanonical},
		"a prefix too long":          {leaf(item(0, "ab", 1), item(3, "c", 1)), merge.Place{}, memo.ErrMalformed},
		"a prefix of nothing":        {leaf(item(1, "b", 1)), merge.Place{}, memo.ErrMalformed},
		"a key above the limit":      {leaf(item(0, strings.Repeat("k", merge.MaxKey+1), 1)), merge.Place{}, memo.ErrMalformed},
		"a value above the limit":    {leaf(item(0, "k", strings.Repeat("v", merge.InlineMax))), merge.Place{}, memo.ErrMalformed},
		"a value with a long number": {leaf(item(0, "k", memo.Raw{0x18, 0x01})), merge.Place{}, memo.ErrNotCanonical},
		"a value that is a map":      {leaf(item(0, "k", memo.Raw{0xa0})), merge.Place{}, memo.ErrMalformed},
		"wrong level":                {leafOf(t, keys[:3]...), merge.Place{Level: 1, Dom: 1, Count: 3, First: keys[0]}, merge.ErrNode},
		"wrong count":                {leafOf(t, keys[:3]...), merge.Place{Dom: 1, Count: 4, First: keys[0]}, merge.ErrNode},
		"wrong first key":            {leafOf(t, keys[1:4]...), at, merge.ErrNode},
		"a key of the next node":     {leafOf(t, keys[:3]...), merge.Place{Dom: 1, Count: 3, First: keys[0], Limit: keys[2]}, merge.ErrNode},
		"too few entries below":      {innerOf(t, 1, 1, 1, inner...), merge.Place{}, merge.ErrNode},
		"counts that overflow":       {innerOf(t, 1, 1<<63, 1, inner...), merge.Place{}, merge.ErrNode},
		"a level without room":       {innerOf(t, 64, 1<<63, 1, inner...), merge.Place{}, merge.ErrNode},
		"a child in domain 0":        {innerOf(t, 1, 4, 0, inner...), merge.Place{}, merge.ErrNode},
		"a child below D+1":          {innerOf(t, 1, 4, 4, inner...), merge.Place{}, merge.ErrNode},
	} {
		if n, err := merge.DecodeNode(p, c.data, c.place); !errors.Is(err, c.want) || n.Items != nil {
			t.Errorf("%s: %d items, %v, want %v", name, len(n.Items), err, c.want)
		}
	}
	if _, err := merge.DecodeNode(p, leafOf(t, keys[:3]...), at); err != nil {
		t.Errorf("the leaf that the cases above break: %v", err)
	}
}

// A node may hold a peak of a domain it never came to, and none of those it
// came through.
func TestDecodeNodeFindsMissedCuts(t *testing.T) {
	p := smallParams()
	window := 2*p.W + 1
	for dom := range p.D + 1 {
		keys := sequentialKeys(window)
		for i := window; missed(p, 0, dom, keys) || !missed(p, 0, dom+1, keys); i++ {
			keys = slices.Delete(keys, 0, 1)
			keys = append(keys, fmt.Sprintf("row/%08d", i))
		}
		place := merge.Place{Dom: dom + 1, Count: uint64(window), First: keys[0]}
		if _, err := merge.DecodeNode(p, leafOf(t, keys...), place); !errors.Is(err, merge.ErrNode) {
			t.Errorf("a cut missed in domain %d: %v", dom, err)
		}
		if place.Dom = dom; dom == 0 {
			place = merge.Place{} // a root comes through domain 0 as well
		}
		if _, err := merge.DecodeNode(p, leafOf(t, keys...), place); (err == nil) != (dom > 0) {
			t.Errorf("a peak in domain %d of a node of domain %d: %v", dom, dom, err)
		}
	}
}

func TestDamagedNodes(t *testing.T) {
	p := smallParams()
	for name, enc := range map[string][]byte{
		"leaf":  leafOf(t, "a", "ab", "b"),
		"inner": innerOf(t, 1, 4, 1, "a", "ab", "b"),
	} {
		for i := range enc {
			if _, err := merge.DecodeNode(p, enc[:i], merge.Place{}); err == nil {
				t.Errorf("%s: accepted the first %d bytes", name, i)
			}
		}
		for i := range len(enc) * 8 {
			bad := bytes.Clone(enc)
			bad[i/8] ^= 1 << (i % 8)
			if n, err := merge.DecodeNode(p, bad, merge.Place{}); err == nil && !bytes.Equal(merge.EncodeNode(nil, n), bad) {
				t.Errorf("%s, bit %d: accepted bytes that are not canonical", name, i)
			}
		}
	}
}
