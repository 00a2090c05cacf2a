package memo

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// What DAG-CBOR of arrays does not have is refused in bodies of unknown kinds and
// operands of unknown cells too, and every time: two peers, or one peer twice,
// never judge a memo differently.
func TestUnknownPartsArePlain(t *testing.T) {
	g, _ := testGenesis(t)
	make := func(body Body) error {
		_, err := New(Memo{Space: g.SpaceID(), Author: g.Author, Seq: 2, Prev: g.ID(), Time: Next(0, g.Time), Body: body})
		return err
	}
	link, err := Marshal(Link(g.ID()))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		raw  Raw
		fine bool
	}{
		"array":             {Raw{0x82, 0x01, 0xf6}, true},
		"link":              {link, true},
		"map":               {Raw{0xa1, 0x01, 0x02}, false},
		"map of two":        {Raw{0xa2, 0x01, 0x02, 0x03, 0x04}, false},
		"map in an array":   {Raw{0x81, 0xa0}, false},
		"simple value":      {Raw{0xe5}, false},
		"foreign tag":       {Raw{0xd8, 0x2b, 0x01}, false},
		"link to nothing":   {Raw{0xd8, 0x2a, 0x01}, false},
		"link to no CID":    {Raw{0xd8, 0x2a, 0x43, 0x00, 0x01, 0x71}, false},
		"link to raw bytes": {Raw{0xd8, 0x2a, 0x46, 0x00, 0x01, 0x55, 0x00, 0x01, 0x2a}, true},
		"time":              {Raw{0xc1, 0x00}, false},
		"half float":        {Raw{0xf9, 0x3c, 0x00}, false},
		"long integer":      {Raw{0x18, 0x01}, false},
		"two items":         {Raw{0x01, 0x01}, false},
		"indefinite length": {Raw{0x9f, 0xff}, false},
		"nothing":           {Raw{}, false},
	} {
		for range 20 { // Go walks maps in another order every time
			if err := make(&Opaque{Kind: 77, Raw: c.raw}); (err == nil) != c.fine {
				t.Fatalf("%s as a body: %v", name, err)
			}
			cell := Delta{Field: "f", Type: TextCell, Op: Op{Operands: Unknown{c.raw}}}
			if err := make(editOf("t", "r", cell)); (err == nil) != c.fine {
				t.Fatalf("%s as an operand: %v", name, err)
			}
		}
	}
}

// Each of these would have made a memo that nobody, its author included, decodes.
func TestNewRefusesWhatDecodeRefuses(t *testing.T) {
	g, _ := testGenesis(t)
	for name, body := range map[string]Body{
		"topic that is no text":      editOf("\xff", "r", register(t, "f", "v")),
		"cell without operands":      editOf("t", "r", Delta{Type: Set}),
		"delete with a value":        editOf("t", "r", Delta{Op: Op{Value: Int(1)}}),
		"opaque body of a join":      &Opaque{Kind: KindJoin, Raw: Raw{0x81, 0x01}},
		"opaque body of an edit":     &Opaque{Kind: KindEdit, Raw: Raw{0x80}},
		"opaque body of a grant":     &Opaque{Kind: KindGrant, Raw: Raw{0x80}},
		"opaque body of a revoke":    &Opaque{Kind: KindRevoke, Raw: Raw{0x80}},
		"grant to nobody":            &Grant{},
		"grant of an unknown role":   &Grant{Author: g.Author, Role: 2},
		"revocation of nobody":       &Revoke{},
		"good memo without a digest": &Revoke{Author: g.Author, Seq: 3},
		"good digest without a memo": &Revoke{Author: g.Author, ID: g.ID()},
		"tree parameters overflow":   &Genesis{Name: "x", W: 1 << 62, M: 16, Rho: 1},
		"endless beacon rate":        &Genesis{Name: "x", W: 1, M: 4, Rho: math.Inf(1)},
		"beacon rate that is no one": &Genesis{Name: "x", W: 1, M: 4, Rho: math.NaN()},
	} {
		m := Memo{Space: g.SpaceID(), Author: g.Author, Seq: 2, Prev: g.ID(), Body: body}
		if body.kind() == KindGenesis {
			m = Memo{Author: g.Author, Seq: 1, Body: body}
		}
		if _, err := New(m); err == nil {
			t.Errorf("%s: New accepted it", name)
		}
	}
}

// TestNewAndDecodeAgree: what New makes of anything at all, Decode reads back.
func TestNewAndDecodeAgree(t *testing.T) {
	g, _ := testGenesis(t)
	_, bob := testKey("bob")
	accepted := 0
	rapid.Check(t, func(t *rapid.T) {
		m, err := New(Memo{
			Space: g.SpaceID(), Author: bob, Seq: 1, Deps: []Head{g.Head()},
			Time: Time(rapid.Uint64Range(0, uint64(MaxTime)+1).Draw(t, "time")), Body: drawBody(t),
		})
		if err != nil {
			return
		}
		accepted++
		enc, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := Decode(enc)
		if err != nil {
			t.Fatalf("New made %x, which Decode refuses: %v", enc, err)
		}
		if again, err := back.Encode(); err != nil || back.ID() != m.ID() || string(again) != string(enc) {
			t.Fatalf("%x came back as %x (%v)", enc, again, err)
		}
	})
	if accepted == 0 {
		t.Error("New accepted nothing that was drawn: the test shows nothing")
	}
	t.Logf("New accepted %d", accepted)
}

// drawBody draws bodies of which many break a rule.
func drawBody(t *rapid.T) Body {
	raws := rapid.Custom(func(t *rapid.T) Raw {
		return rapid.OneOf(
			rapid.SampledFrom([]Raw{{0x80}, {0xf6}, {0x01}, {0x81, 0x20}}),
			rapid.SampledFrom([]Raw{{0x80}, {0x82, 0xf5, 0x01}, {0xa1, 0x01, 0x02}, {0x81, 0xe5}}),
			rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 6), func(b []byte) Raw { return b }),
		).Draw(t, "raw")
	})
	if rapid.IntRange(0, 4).Draw(t, "opaque") == 0 {
		return &Opaque{Kind: Kind(rapid.IntRange(0, 8).Draw(t, "kind")), Raw: raws.Draw(t, "body")}
	}
	if rapid.IntRange(0, 9).Draw(t, "ping") == 0 {
		return &Ping{VecRoot: Sum(nil), Refs: []Head{{Seq: rapid.Uint64Range(0, 2).Draw(t, "ref"), ID: Sum(nil)}}}
	}
	text := func(label string) string {
		return rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "g", "h", "ä", "", "\xff", "a\x00"}).Draw(t, label)
	}
	e := &Edit{}
	for range rapid.IntRange(1, 2).Draw(t, "topics") {
		topic := TopicEdit{Topic: text("topic")}
		for range rapid.IntRange(1, 2).Draw(t, "rows") {
			row := RowEdit{Row: Bytes(text("row")), Tombstone: rapid.Bool().Draw(t, "tombstone")}
			for range rapid.IntRange(0, 2).Draw(t, "deltas") {
				d := Delta{Field: text("field"), Type: CellType(rapid.IntRange(0, 5).Draw(t, "type"))}
				d.Op = drawOp(t, d.Type, raws)
				row.Deltas = append(row.Deltas, d)
			}
			topic.Rows = append(topic.Rows, row)
		}
		e.Topics = append(e.Topics, topic)
	}
	e.Sort()
	return e
}
