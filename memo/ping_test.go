package memo

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// goldenPing holds the format of pings, bit by bit, as golden.txt does that of the
// other kinds. It never changes.
//
//go:embed testdata/ping.txt
var goldenPing string

// goldenPings makes the pings of the vectors anew, in the order of the file.
func goldenPings(t testing.TB) (names []string, pings []*Memo) {
	add := func(name string, m Memo) *Memo {
		names, pings = append(names, name), append(pings, mustNew(t, m))
		return pings[len(pings)-1]
	}
	g, _ := testGenesis(t)
	_, alice := testKey("alice")
	_, bob := testKey("bob")
	_, carol := testKey("carol")
	first := add("the first memo of its author, which claims nothing", Memo{
		Space: g.SpaceID(), Author: bob, Seq: 1, Deps: []Head{g.Head()}, Time: Next(0, g.Time), Body: &Ping{},
	})
	add("a claim and no refs", Memo{
		Space: g.SpaceID(), Author: alice, Seq: 2, Prev: g.ID(), Time: Next(0, first.Time),
		Body: &Ping{VecRoot: Sum([]byte("a vector"))},
	})
	refs := []Head{{Author: carol, Seq: 300, ID: Sum([]byte("a ping of carol"))}, first.Head()}
	SortDeps(refs)
	add("a claim and refs", Memo{
		Space: g.SpaceID(), Author: alice, Seq: math.MaxUint64, Prev: Sum([]byte("before")), Time: MaxTime,
		Body: &Ping{VecRoot: Sum([]byte("a vector")), Refs: refs},
	})
	return names, pings
}

func TestGoldenPing(t *testing.T) {
	var b strings.Builder
	names, pings := goldenPings(t)
	for i, m := range pings {
		enc, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "ping %s\ncid  %s\nhex  %x\n\n", names[i], m.ID(), enc)
		checkIPLD(t, enc)
		back, err := Decode(enc)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(m.Body, back.Body); diff != "" || back.Known() != nil {
			t.Errorf("%s came back so (%v):\n%s", names[i], back.Known(), diff)
		}
		// Bytes of a ping besides its chain: what it costs a space is on show here.
		t.Logf("%s: %d bytes, of which the body %d", names[i], len(enc), m.BodySize())
	}
	_, frozen, _ := strings.Cut(goldenPing, "\n\n")
	if diff := cmp.Diff(frozen, b.String()); diff != "" {
		t.Errorf("the format is frozen and has changed, - as it was + as it is:\n%s\nall of it as it is:\n\n%s", diff, b.String())
	}
}

// pingParts is what the body of a ping is made of, in the order of the format.
func pingParts(p *Ping) any {
	var claim any
	if !p.VecRoot.IsZero() {
		claim = p.VecRoot
	}
	refs := []any{}
	for _, r := range p.Refs {
		refs = append(refs, []any{r.Author[:], r.Seq, r.ID})
	}
	return []any{claim, refs}
}

// Each of these would let a ping say more than it may, or the same in two ways.
func TestPingRules(t *testing.T) {
	g, _ := testGenesis(t)
	_, bob := testKey("bob")
	ref := func(name string, seq uint64) Head {
		_, a := testKey(name)
		return Head{Author: a, Seq: seq, ID: Sum([]byte(name))}
	}
	many := func(n int) (refs []Head) {
		for i := range n {
			refs = append(refs, ref(fmt.Sprint("beacon ", i), 1))
		}
		SortDeps(refs)
		return refs
	}
	two := many(2)
	for name, c := range map[string]struct {
		refs []Head
		want error
	}{
		"as many refs as there may be":  {many(MaxRefs), nil},
		"one ref too many":              {many(MaxRefs + 1), ErrTooLarge},
		"refs out of order":             {[]Head{two[1], two[0]}, ErrInvalid},
		"two refs to one beacon":        {[]Head{two[0], two[0]}, ErrInvalid},
		"a ref to the own chain":        {[]Head{ref("bob", 1)}, ErrInvalid},
		"a ref to a place before all":   {[]Head{ref("carol", 0)}, ErrInvalid},
		"a ref without a digest":        {[]Head{{Author: two[0].Author, Seq: 1}}, ErrInvalid},
		"a ref to the end of all seqs":  {[]Head{ref("carol", math.MaxUint64)}, nil}, // it counts once it is held
		"a ref to the genesis's author": {[]Head{g.Head()}, nil},
	} {
		_, err := New(Memo{Space: g.SpaceID(), Author: bob, Seq: 2, Prev: Sum(nil), Body: &Ping{Refs: c.refs}})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	m := Memo{Space: g.SpaceID(), Author: bob, Seq: 2, Prev: Sum(nil), Deps: []Head{g.Head()}, Body: &Ping{}}
	if _, err := New(m); !errors.Is(err, ErrInvalid) {
		t.Errorf("a ping with a cause: %v", err)
	}
	if err := (&Opaque{Kind: KindPing, Raw: Raw{0x82, 0xf6, 0x80}}).check(); !errors.Is(err, ErrInvalid) {
		t.Errorf("a ping as an opaque body: %v", err)
	}
}

// TestPingRoundTrip: what New makes of any ping, Decode reads back, and as a run too.
func TestPingRoundTrip(t *testing.T) {
	g, _ := testGenesis(t)
	key, bob := testKey("bob")
	accepted := 0
	rapid.Check(t, func(t *rapid.T) {
		p := &Ping{}
		if rapid.Bool().Draw(t, "claims") {
			p.VecRoot = Sum([]byte{rapid.Byte().Draw(t, "claim")})
		}
		for range rapid.IntRange(0, MaxRefs+1).Draw(t, "refs") {
			h := Head{Seq: rapid.Uint64().Draw(t, "seq"), ID: Sum([]byte{rapid.Byte().Draw(t, "id")})}
			h.Author[0] = rapid.Byte().Draw(t, "beacon")
			p.Refs = append(p.Refs, h)
		}
		SortDeps(p.Refs)
		m, err := New(Memo{Space: g.SpaceID(), Author: bob, Seq: 1, Deps: []Head{g.Head()}, Body: p})
		if err != nil {
			return
		}
		accepted++
		r := &Run{Space: g.SpaceID(), Memos: []*Memo{m}, Seal: Sign(key, g.SpaceID(), m.Head())}
		enc, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := DecodeRun(enc)
		if err != nil {
			t.Fatalf("%x: %v", enc, err)
		}
		if again, err := back.Encode(); err != nil || !bytes.Equal(again, enc) || back.Head() != m.Head() {
			t.Fatalf("%x came back as %x (%v)", enc, again, err)
		}
	})
	if accepted == 0 {
		t.Error("New accepted nothing that was drawn: the test shows nothing")
	}
}
