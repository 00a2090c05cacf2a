package memo

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/datamodel"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"pgregory.net/rapid"
)

// A memo is DAG-CBOR to anybody: go-ipld-prime, an implementation that shares no
// code with this one, reads the same tree from its bytes, writes the same bytes
// from the tree, finds its links and names it by the same CID.

// goldenBytes are the memos of the vectors, by name.
func goldenBytes(t testing.TB) map[string][]byte {
	all := map[string][]byte{}
	for _, v := range goldenVectors() {
		if f := fields(v); f["memo"] != nil {
			all[f["memo"][0]] = unhex(t, f["hex"][0])
		}
	}
	return all
}

// goldenVectors are the parts of the file of vectors.
func goldenVectors() []string {
	_, vectors, _ := strings.Cut(golden, "\n\n")
	return strings.Split(strings.TrimSpace(vectors), "\n\n")
}

func unhex(t testing.TB, s string) []byte {
	data, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestIPLDReadsGoldenMemos(t *testing.T) {
	for name, data := range goldenBytes(t) {
		t.Run(name, func(t *testing.T) { checkIPLD(t, data) })
	}
}

func TestIPLDReadsMemos(t *testing.T) {
	accepted := 0
	rapid.Check(t, func(t *rapid.T) {
		m, err := New(drawMemo(t))
		if err != nil {
			return
		}
		accepted++
		data, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		checkIPLD(t, data)
	})
	if accepted == 0 {
		t.Error("New accepted nothing that was drawn: the test shows nothing")
	}
}

// drawMemo draws memos of which many break a rule.
func drawMemo(t *rapid.T) Memo {
	digest := func(label string) (d [32]byte) {
		copy(d[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, label))
		return d
	}
	m := Memo{
		Space: digest("space"), Author: digest("author"),
		Seq:  rapid.OneOf(rapid.Just(uint64(1)), rapid.Uint64()).Draw(t, "seq"),
		Time: Time(rapid.Uint64Range(0, uint64(MaxTime)).Draw(t, "time")),
		Body: drawBody(t),
	}
	if m.Seq != 1 {
		m.Prev = digest("prev")
	}
	for range rapid.IntRange(1, 3).Draw(t, "deps") {
		m.Deps = append(m.Deps, Head{Author: digest("cause"), Seq: rapid.Uint64().Draw(t, "place"), ID: digest("link")})
	}
	SortDeps(m.Deps)
	return m
}

// failer is what the checks need of a test.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// checkIPLD checks that data, a memo to Decode, is the same memo to go-ipld-prime.
func checkIPLD(t failer, data []byte) {
	t.Helper()
	m, err := Decode(data)
	if err != nil {
		t.Fatalf("%x: %v", data, err)
	}
	node, err := ipldDecode(data)
	if err != nil {
		t.Fatalf("go-ipld-prime refuses %x: %v", data, err)
	}
	want, wantLinks := ipldOf(t, m)
	if !sameNode(want, node) {
		t.Fatalf("go-ipld-prime reads another memo from %x", data)
	}
	if got := linksOf(t, node); !slices.Equal(got, wantLinks) {
		t.Fatalf("%x links %v, want %v", data, got, wantLinks)
	}
	var again bytes.Buffer
	if err := dagcbor.Encode(node, &again); err != nil || !bytes.Equal(again.Bytes(), data) {
		t.Fatalf("go-ipld-prime writes %x as %x (%v)", data, again.Bytes(), err)
	}
	system := cidlink.DefaultLinkSystem()
	link, err := system.ComputeLink(cidlink.LinkPrototype{Prefix: cid.Prefix{
		Version: 1, Codec: cid.DagCBOR, MhType: 0x12, MhLength: 32, // sha2-256
	}}, node)
	if err != nil || link.String() != m.ID().String() {
		t.Fatalf("%x is %s to go-ipld-prime (%v), %s here", data, link, err, m.ID())
	}
}

// ipldDecode is go-ipld-prime's strict decoder.
func ipldDecode(data []byte) (datamodel.Node, error) {
	b := basicnode.Prototype.Any.NewBuilder()
	if err := dagcbor.Decode(b, bytes.NewReader(data)); err != nil {
		return nil, err
	}
	return b.Build(), nil
}

// sameNode is datamodel.DeepEqual without its panic at integers above int64.
func sameNode(a, b datamodel.Node) bool {
	switch {
	case a.Kind() != b.Kind() || a.Length() != b.Length():
		return false
	case a.Kind() == datamodel.Kind_Int:
		return number(a) == number(b)
	case a.Kind() != datamodel.Kind_List:
		return datamodel.DeepEqual(a, b)
	}
	for i := range a.Length() {
		one, err := a.LookupByIndex(i)
		other, err2 := b.LookupByIndex(i)
		if err != nil || err2 != nil || !sameNode(one, other) {
			return false
		}
	}
	return true
}

// number is an integer as text: no Go type holds those of CBOR.
func number(n datamodel.Node) string {
	if i, err := n.AsInt(); err == nil {
		return strconv.FormatInt(i, 10)
	}
	if n, ok := n.(datamodel.UintNode); ok {
		if u, err := n.AsUint(); err == nil {
			return strconv.FormatUint(u, 10)
		}
	}
	return "no number"
}

// linksOf are the links of a node, in the order in which they are written.
func linksOf(t failer, n datamodel.Node) (links []string) {
	switch n.Kind() {
	case datamodel.Kind_Link:
		link, err := n.AsLink()
		if err != nil {
			t.Fatalf("a link that is none: %v", err)
		}
		return []string{link.String()}
	case datamodel.Kind_List:
		for it := n.ListIterator(); !it.Done(); {
			_, item, err := it.Next()
			if err != nil {
				t.Fatalf("a list that ends early: %v", err)
			}
			links = append(links, linksOf(t, item)...)
		}
	}
	return links
}

// ipldOf is the node that DESIGN.md §3 prescribes for m, and the CIDs in it.
func ipldOf(t failer, m *Memo) (n datamodel.Node, links []string) {
	var prev any
	if !m.Prev.IsZero() {
		prev = m.Prev
		links = append(links, m.Prev.String())
	}
	deps := []any{}
	for _, d := range m.Deps {
		deps = append(deps, []any{d.Author[:], d.Seq, d.ID})
		links = append(links, d.ID.String())
	}
	body := bodyParts(t, m.Body)
	b := basicnode.Prototype.Any.NewBuilder()
	assemble(t, b, []any{uint64(1), m.Space[:], m.Author[:], m.Seq, prev, deps, uint64(m.Time), uint64(m.Kind()), body})
	n = b.Build()
	written, err := n.LookupByIndex(8)
	if err != nil {
		t.Fatalf("no body: %v", err)
	}
	return n, append(links, linksOf(t, written)...)
}

// bodyParts is what a body is made of, in the order of the format.
func bodyParts(t failer, body Body) any {
	switch b := body.(type) {
	case *Genesis:
		keys := []any{}
		for _, k := range b.RootKeys {
			keys = append(keys, k[:])
		}
		return []any{b.Name, keys, uint64(b.Rights), uint64(b.Trust), b.W, b.M, b.D, b.Rho}
	case *Edit:
		topics := []any{}
		for _, topic := range b.Topics {
			rows := []any{}
			for _, r := range topic.Rows {
				deltas := []any{}
				for _, d := range r.Deltas {
					deltas = append(deltas, deltaParts(t, d))
				}
				rows = append(rows, []any{[]byte(r.Row), r.Tombstone, deltas})
			}
			topics = append(topics, []any{topic.Topic, rows})
		}
		return topics
	case *Ping:
		return pingParts(b)
	case *Grant:
		return []any{b.Author[:], uint64(b.Role)}
	case *Revoke:
		var last any
		if b.Seq > 0 {
			last = b.ID
		}
		return []any{b.Author[:], b.Seq, last}
	case *Opaque:
		return rawParts(t, b.Raw)
	default: // Join
		return []any{}
	}
}

// rawParts reads what the format leaves open, with the decoder of this package.
func rawParts(t failer, raw Raw) any {
	var v any
	if err := decMode.Unmarshal(raw, &v); err != nil {
		t.Fatalf("%x: %v", raw, err)
	}
	return v
}

// assemble makes a node of arrays, links and plain values.
func assemble(t failer, na datamodel.NodeAssembler, v any) {
	var err error
	switch x := v.(type) {
	case nil:
		err = na.AssignNull()
	case bool:
		err = na.AssignBool(x)
	case int64:
		err = na.AssignInt(x)
	case uint64:
		err = na.AssignNode(basicnode.NewUint(x))
	case float64:
		err = na.AssignFloat(x)
	case string:
		err = na.AssignString(x)
	case []byte:
		err = na.AssignBytes(x)
	case ID:
		err = na.AssignLink(cidlink.Link{Cid: cid.MustParse(x.String())})
	case cbor.Tag: // a link in an opaque part
		var c cid.Cid
		if c, err = cid.Cast(x.Content.([]byte)[1:]); err == nil {
			err = na.AssignLink(cidlink.Link{Cid: c})
		}
	case []any:
		var list datamodel.ListAssembler
		if list, err = na.BeginList(int64(len(x))); err == nil {
			for _, item := range x {
				assemble(t, list.AssembleValue(), item)
			}
			err = list.Finish()
		}
	default:
		err = fmt.Errorf("no part of a memo is a %T", v)
	}
	if err != nil {
		t.Fatalf("build node: %v", err)
	}
}

// TestIPLDIsNoStricter: what go-ipld-prime refuses, Decode refuses too, whatever
// happens to the bytes of a memo. There is no exception. The other way round there
// are many: Decode knows what a memo is, and has no maps.
func TestIPLDIsNoStricter(t *testing.T) {
	var refused, accepted, stricter int
	check := func(t failer, data []byte) {
		_, theirs := ipldDecode(data)
		_, ours := Decode(data)
		switch {
		case theirs != nil && ours == nil:
			t.Fatalf("Decode accepts %x, go-ipld-prime: %v", data, theirs)
		case theirs != nil:
			refused++
		case ours != nil:
			stricter++
		default:
			accepted++
			checkIPLD(t, data)
		}
	}
	var memos [][]byte
	for _, data := range goldenBytes(t) {
		memos = append(memos, data)
		for i := range data {
			check(t, data[:i])
			for bit := range 8 {
				bad := bytes.Clone(data)
				bad[i] ^= 1 << bit
				check(t, bad)
			}
		}
	}
	for _, item := range items {
		check(t, memoOfItem(t, item))
		check(t, memoOfItem(t, append([]byte{0x82, 0xf6}, item...)))
	}
	memos = append(memos, memoOfItem(t, nil))
	slices.SortFunc(memos, bytes.Compare)
	rapid.Check(t, func(t *rapid.T) {
		data := bytes.Clone(rapid.SampledFrom(memos).Draw(t, "memo"))
		for range rapid.IntRange(1, 3).Draw(t, "changes") {
			at := rapid.IntRange(0, len(data)).Draw(t, "at")
			end := min(len(data), at+rapid.IntRange(0, 2).Draw(t, "out"))
			in := rapid.OneOf(rapid.SampledFrom(items), rapid.SliceOfN(rapid.Byte(), 0, 2)).Draw(t, "in")
			data = slices.Replace(data, at, end, in...)
		}
		check(t, data)
	})
	if refused == 0 || accepted == 0 || stricter == 0 {
		t.Errorf("%d refused by both, %d by Decode alone, %d accepted: the test shows nothing", refused, stricter, accepted)
	}
}

// memoOfItem is a memo of a kind to come, whose body is an item; without one, null.
func memoOfItem(t *testing.T, item Raw) []byte {
	data, err := Marshal(wire{
		V: version, Space: SpaceID{1}, Author: Author{2}, Seq: 2, Prev: linkTo(ID{3}), Deps: []wireDep{}, Kind: 77, Body: Raw{0xf6},
	})
	if err != nil {
		t.Fatal(err)
	}
	if item != nil {
		data = append(data[:len(data)-1], item...)
	}
	return data
}

// items are links of every sort, the edges of numbers, and what DAG-CBOR has no
// place for.
var items = [][]byte{
	{0x9f, 0xff},
	{0xf7},
	{0xf9, 0x3c, 0},
	{0xfa, 0x3f, 0x80, 0, 0},
	{0x18, 0x01},
	{0xa0},
	{0xf8, 0x20},
	{0xfb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0},
	{0xfb, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0},
	{0xc2, 0x41, 0x01},
	{0x3b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	{0x3b, 0x80, 0, 0, 0, 0, 0, 0, 0},
	{0x3b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	{0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	{0x61, 0xff},
	{0x63, 0xed, 0xa0, 0x80},
	{0xfb, 0x80, 0, 0, 0, 0, 0, 0, 0},
	{0xd8, 0x2a, 0x41, 0x00},
	{0xd8, 0x2a, 0x43, 0x00, 0x01, 0x71},                                          // cut short
	{0xd8, 0x2a, 0x46, 0x00, 0x01, 0x55, 0x00, 0x01, 0x2a},                        // raw, identity
	{0xd8, 0x2a, 0x47, 0x00, 0x01, 0x55, 0x00, 0x01, 0x2a, 0x2a},                  // and a byte behind it
	{0xd8, 0x2a, 0x47, 0x00, 0x81, 0x00, 0x55, 0x00, 0x01, 0x2a},                  // version in two bytes
	{0xd8, 0x2a, 0x46, 0x01, 0x01, 0x55, 0x00, 0x01, 0x2a},                        // another multibase
	{0xda, 0, 0, 0, 0x2a, 0x46, 0x00, 0x01, 0x55, 0x00, 0x01, 0x2a},               // tag in four bytes
	append([]byte{0xd8, 0x2a, 0x58, 0x23, 0x00, 0x12, 0x20}, make([]byte, 32)...), // CID version 0
}
