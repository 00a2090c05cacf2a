package memo

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// testKey is a fixed key, so that digests in tests never change.
func testKey(name string) (ed25519.PrivateKey, Author) {
	seed := Sum([]byte(name))
	key := ed25519.NewKeyFromSeed(seed[:])
	return key, Author(key.Public().(ed25519.PublicKey))
}

func mustNew(t testing.TB, m Memo) *Memo {
	t.Helper()
	out, err := New(m)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func mustText(t testing.TB, s string) Value {
	t.Helper()
	v, err := Text(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func testGenesis(t testing.TB) (*Memo, ed25519.PrivateKey) {
	key, author := testKey("alice")
	return mustNew(t, Memo{
		Author: author, Seq: 1, Time: Next(1_700_000_000_000),
		Body: &Genesis{Name: "default", W: DefaultW, M: DefaultM, D: DefaultD, Rho: DefaultRho},
	}), key
}

func register(t testing.TB, field, text string) Delta {
	return Delta{Field: field, Op: Op{Set: true, Value: mustText(t, text)}}
}

func editOf(topic, row string, ds ...Delta) *Edit {
	return &Edit{Topics: []TopicEdit{{Topic: topic, Rows: []RowEdit{{Row: Bytes(row), Deltas: ds}}}}}
}

func TestMemoRoundTrip(t *testing.T) {
	g, _ := testGenesis(t)
	_, bob := testKey("bob")
	m := mustNew(t, Memo{
		Space: g.SpaceID(), Author: bob, Seq: 1, Deps: []Head{g.Head()}, Time: Next(1_700_000_000_001, g.Time),
		Body: editOf("airports", "00M", register(t, "name", "Thigpen"), Delta{Field: "old"}),
	})
	enc, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if Sum(enc) != m.ID() {
		t.Fatal("the id is not the digest of the encoding")
	}
	back, err := Decode(enc)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(m, back, cmp.AllowUnexported(Memo{}, Value{}), cmp.Comparer(func(a, b Value) bool { return a == b })); diff != "" {
		t.Fatal(diff)
	}
}

func TestDecodeIsStrict(t *testing.T) {
	g, _ := testGenesis(t)
	enc, err := g.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for i := range enc {
		if _, err := Decode(enc[:i]); err == nil {
			t.Fatalf("accepted the first %d bytes", i)
		}
	}
	if _, err := Decode(append(bytes.Clone(enc), 0)); err == nil {
		t.Fatal("accepted a trailing byte")
	}
	// Every single-bit change either fails or is another memo that encodes to those bytes.
	for i := range len(enc) * 8 {
		bad := bytes.Clone(enc)
		bad[i/8] ^= 1 << (i % 8)
		m, err := Decode(bad)
		if err != nil {
			continue
		}
		again, err := m.Encode()
		if err != nil || !bytes.Equal(again, bad) || m.ID() == g.ID() {
			t.Fatalf("bit %d: accepted bytes that are not canonical (%v)", i, err)
		}
	}
}

func TestNonCanonicalNumbersAreRefused(t *testing.T) {
	for name, raw := range map[string][]byte{
		"long integer":   {0x18, 0x01},
		"half float":     {0xf9, 0x3c, 0x00},
		"indefinite":     {0x5f, 0x41, 0x00, 0xff},
		"NaN":            {0xfb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0},
		"undefined":      {0xf7},
		"map":            {0xa0},
		"above int64":    {0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"foreign tag":    {0xc1, 0x00},
		"two items":      {0x00, 0x00},
		"invalid string": {0x61, 0xff},
	} {
		var v Value
		if err := Unmarshal(raw, &v); err == nil {
			t.Errorf("%s: accepted as %v", name, v)
		}
	}
}

func TestRunRoundTripAndSeal(t *testing.T) {
	g, key := testGenesis(t)
	memos := []*Memo{g}
	for i := range 3 {
		last := memos[len(memos)-1]
		memos = append(memos, mustNew(t, Memo{
			Space: g.SpaceID(), Author: g.Author, Seq: last.Seq + 1, Prev: last.ID(), Time: Next(0, last.Time),
			Body: editOf("t", string(rune('a'+i)), register(t, "f", "v")),
		}))
	}
	r := &Run{Space: g.SpaceID(), Memos: memos, Seal: Sign(key, g.SpaceID(), memos[3].Head())}
	enc, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := DecodeRun(enc)
	if err != nil {
		t.Fatal(err)
	}
	if err := back.Verify(); err != nil {
		t.Fatal(err)
	}
	if back.Head() != r.Head() {
		t.Fatalf("head %v, want %v", back.Head(), r.Head())
	}
	// Whatever bit changes, a run never passes both checks.
	for i := range len(enc) * 8 {
		bad := bytes.Clone(enc)
		bad[i/8] ^= 1 << (i % 8)
		if r, err := DecodeRun(bad); err == nil && r.Verify() == nil {
			t.Fatalf("bit %d flipped and the run still verifies", i)
		}
	}
}

func TestSealIsBoundToSpace(t *testing.T) {
	g, key := testGenesis(t)
	seal := Sign(key, g.SpaceID(), g.Head())
	other := g.SpaceID()
	other[0]++
	if err := VerifySeal(other, g.Head(), seal); !errors.Is(err, ErrBadSeal) {
		t.Fatalf("a seal of one space passed in another: %v", err)
	}
}

func TestUnknownKindIsHeldNotBlamed(t *testing.T) {
	g, key := testGenesis(t)
	raw, err := Marshal([]any{"from the future", uint64(7)})
	if err != nil {
		t.Fatal(err)
	}
	m := mustNew(t, Memo{
		Space: g.SpaceID(), Author: g.Author, Seq: 2, Prev: g.ID(), Time: Next(0, g.Time),
		Body: &Opaque{Kind: 77, Raw: raw},
	})
	r := &Run{Space: g.SpaceID(), Memos: []*Memo{m}, Seal: Sign(key, g.SpaceID(), m.Head())}
	enc, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := DecodeRun(enc)
	if err != nil || back.Verify() != nil {
		t.Fatalf("a memo of an unknown kind must decode and verify: %v", err)
	}
	if err := back.Known(); !errors.Is(err, ErrUnknownKind) {
		t.Fatalf("Known: %v", err)
	}
}

func TestInvalidMemosAreRefused(t *testing.T) {
	g, _ := testGenesis(t)
	_, bob := testKey("bob")
	edit := editOf("t", "r", register(t, "f", "v"))
	long := string(make([]byte, MaxRow+1))
	for name, m := range map[string]Memo{
		"no body":             {Space: g.SpaceID(), Author: bob, Seq: 1, Deps: []Head{g.Head()}},
		"seq 0":               {Space: g.SpaceID(), Author: bob, Body: edit},
		"seq 2 without prev":  {Space: g.SpaceID(), Author: bob, Seq: 2, Body: edit},
		"seq 1 with prev":     {Space: g.SpaceID(), Author: bob, Seq: 1, Prev: g.ID(), Deps: []Head{g.Head()}, Body: edit},
		"first without cause": {Space: g.SpaceID(), Author: bob, Seq: 1, Body: edit},
		"no space":            {Author: bob, Seq: 1, Deps: []Head{g.Head()}, Body: edit},
		"dep on own chain":    {Space: g.SpaceID(), Author: g.Author, Seq: 2, Prev: g.ID(), Deps: []Head{g.Head()}, Body: edit},
		"dep twice":           {Space: g.SpaceID(), Author: bob, Seq: 1, Deps: []Head{g.Head(), g.Head()}, Body: edit},
		"time above max":      {Space: g.SpaceID(), Author: bob, Seq: 1, Deps: []Head{g.Head()}, Time: MaxTime + 1, Body: edit},
		"empty edit":          {Space: g.SpaceID(), Author: bob, Seq: 1, Deps: []Head{g.Head()}, Body: &Edit{}},
		"row without deltas":  {Space: g.SpaceID(), Author: bob, Seq: 1, Deps: []Head{g.Head()}, Body: editOf("t", "r")},
		"long row":            {Space: g.SpaceID(), Author: bob, Seq: 1, Deps: []Head{g.Head()}, Body: editOf("t", long, register(t, "f", "v"))},
		"NUL in topic":        {Space: g.SpaceID(), Author: bob, Seq: 1, Deps: []Head{g.Head()}, Body: editOf("a\x00b", "r", register(t, "f", "v"))},
		"cell twice":          {Space: g.SpaceID(), Author: bob, Seq: 1, Deps: []Head{g.Head()}, Body: editOf("t", "r", register(t, "f", "v"), register(t, "f", "w"))},
		"1 MiB value":         {Space: g.SpaceID(), Author: bob, Seq: 1, Deps: []Head{g.Head()}, Body: editOf("t", "r", register(t, "f", string(bytes.Repeat([]byte("x"), 1<<20))))},
	} {
		if _, err := New(m); !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestIdentifiersAsText(t *testing.T) {
	g, _ := testGenesis(t)
	if id, err := ParseID(g.ID().String()); err != nil || id != g.ID() {
		t.Errorf("ParseID: %v %v", id, err)
	}
	if a, err := ParseAuthor(g.Author.String()); err != nil || a != g.Author {
		t.Errorf("ParseAuthor: %v %v", a, err)
	}
	for _, bad := range []string{"", "x", "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG", g.ID().String() + "a"} {
		if _, err := ParseID(bad); !errors.Is(err, ErrBadID) {
			t.Errorf("ParseID(%q): %v", bad, err)
		}
		if _, err := ParseAuthor(bad); !errors.Is(err, ErrBadID) {
			t.Errorf("ParseAuthor(%q): %v", bad, err)
		}
	}
}

func TestNextIsAboveItsLinks(t *testing.T) {
	if got, want := Next(5), Time(5<<16); got != want {
		t.Errorf("Next(5) = %d, want %d", got, want)
	}
	if got := Next(5, Time(9<<16|0xffff)); got != Time(10<<16) {
		t.Errorf("a full counter carries into the milliseconds, got %v", got)
	}
	if got := Next(5, MaxTime); got != MaxTime {
		t.Errorf("got %v above MaxTime", got)
	}
}
