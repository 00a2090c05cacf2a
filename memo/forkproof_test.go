package memo

import (
	"bytes"
	"crypto/ed25519"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// goldenProofs holds fork proofs as golden.txt holds the other memos.
//
//go:embed testdata/forkproof.txt
var goldenProofs string

// forker writes runs that contradict each other: bob's, in alice's space.
type forker struct {
	t       testing.TB
	genesis *Memo
	key     ed25519.PrivateKey
	author  Author
}

func newForker(t testing.TB) *forker {
	g, _ := testGenesis(t)
	key, bob := testKey("bob")
	return &forker{t: t, genesis: g, key: key, author: bob}
}

// run seals n memos that write text, behind prev or, if that is nil, from seq 1.
func (f *forker) run(prev *Memo, text string, n int) *Run {
	r := &Run{Space: f.genesis.SpaceID()}
	for range n {
		m := Memo{
			Space: r.Space, Author: f.author, Seq: 1, Deps: []Head{f.genesis.Head()}, Time: Next(0, f.genesis.Time),
			Body: editOf("animals", "11", register(f.t, "name", text)),
		}
		if prev != nil {
			m.Seq, m.Prev, m.Deps, m.Time = prev.Seq+1, prev.ID(), nil, Next(0, prev.Time)
		}
		prev = mustNew(f.t, m)
		r.Memos = append(r.Memos, prev)
	}
	r.Seal = Sign(f.key, r.Space, r.Head())
	return r
}

// memo puts a proof into carol's first memo.
func (f *forker) memo(p *ForkProof) (*Memo, error) {
	_, carol := testKey("carol")
	return New(Memo{
		Space: f.genesis.SpaceID(), Author: carol, Seq: 1, Time: Next(0, f.genesis.Time),
		Deps: []Head{{Author: p.Author, Seq: p.Seq, ID: p.ID}}, Body: p,
	})
}

// proofs are one of each form.
func (f *forker) proofs() map[string]*ForkProof {
	first := f.run(nil, "Cat", 1)
	out := map[string]*ForkProof{}
	for name, pair := range map[string][2]*Run{
		"two seals":                     {f.run(first.Memos[0], "Dog", 2), f.run(first.Memos[0], "Fox", 2)},
		"a seal and a run":              {f.run(first.Memos[0], "Dog", 3), f.run(first.Memos[0], "Fox", 2)},
		"a seal and a run right behind": {first, f.run(f.run(nil, "Fox", 1).Memos[0], "Fox", 2)},
	} {
		p, err := ProveFork(pair[0], pair[1])
		if err != nil {
			f.t.Fatalf("%s: %v", name, err)
		}
		if again, err := ProveFork(pair[1], pair[0]); err != nil || cmp.Diff(p, again) != "" {
			f.t.Fatalf("%s: the other way round it is another proof (%v)", name, err)
		}
		out[name] = p
	}
	return out
}

func TestForkProofRoundTrip(t *testing.T) {
	f := newForker(t)
	for name, p := range f.proofs() {
		m, err := f.memo(p)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		enc, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := Decode(enc)
		if err != nil || back.ID() != m.ID() || back.Known() != nil {
			t.Fatalf("%s: %v, known: %v", name, err, back.Known())
		}
		if diff := cmp.Diff(p, back.Body); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// Runs of an honest author contradict nothing, whichever two are taken.
func TestNoProofAgainstAnHonestChain(t *testing.T) {
	f := newForker(t)
	first := f.run(nil, "Cat", 3)
	second := f.run(first.Memos[2], "Dog", 2)
	third := f.run(second.Memos[1], "Fox", 1)
	again := f.run(first.Memos[1], "Cat", 1) // sealed twice, the same memos
	for _, pair := range [][2]*Run{{first, first}, {first, second}, {first, third}, {second, third}, {first, again}} {
		if p, err := ProveFork(pair[0], pair[1]); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s and %s: proved %+v (%v)", pair[0].Head(), pair[1].Head(), p, err)
		}
	}
}

// What proves nothing is no memo: neither its maker nor anybody else takes it.
func TestForkProofsThatProveNothing(t *testing.T) {
	f := newForker(t)
	seals, run := f.proofs()["two seals"], f.proofs()["a seal and a run"]
	honest := f.run(nil, "Cat", 4)
	honestRun, err := honest.Encode()
	if err != nil {
		t.Fatal(err)
	}
	_, alice := testKey("alice")
	change := func(p *ForkProof, how func(*ForkProof)) *ForkProof {
		c := *p
		how(&c)
		return &c
	}
	for name, p := range map[string]*ForkProof{
		"first seal of nobody":   change(seals, func(p *ForkProof) { p.Seal[0] ^= 1 }),
		"second seal of nobody":  change(seals, func(p *ForkProof) { p.OtherSeal[0] ^= 1 }),
		"another author":         change(seals, func(p *ForkProof) { p.Author = alice }),
		"another seq":            change(seals, func(p *ForkProof) { p.Seq++ }),
		"the same seal twice":    change(seals, func(p *ForkProof) { p.Other, p.OtherSeal = p.ID, p.Seal }),
		"seals the wrong way":    change(seals, func(p *ForkProof) { p.ID, p.Seal, p.Other, p.OtherSeal = p.Other, p.OtherSeal, p.ID, p.Seal }),
		"one seal":               change(seals, func(p *ForkProof) { p.Other, p.OtherSeal = ID{}, Seal{} }),
		"two seals and a run":    change(seals, func(p *ForkProof) { p.Run = run.Run }),
		"a run and a spare seal": change(run, func(p *ForkProof) { p.OtherSeal = seals.OtherSeal }),
		"a run without its seal": change(run, func(p *ForkProof) { p.Run = p.Run[:len(p.Run)-1] + "\x00" }),
		"a run that is none":     change(run, func(p *ForkProof) { p.Run = "\x80" }),
		"an honest run":          {Author: f.author, Seq: 2, ID: honest.Memos[1].ID(), Seal: Sign(f.key, honest.Space, honest.Memos[1].Head()), Run: Bytes(honestRun)},
		"a run sealed there":     change(seals, func(p *ForkProof) { p.Other, p.OtherSeal, p.Run = ID{}, Seal{}, runAt(t, f, p.Seq) }),
		"the start of no chain":  change(seals, func(p *ForkProof) { p.Seq = 0 }),
	} {
		if _, err := f.memo(p); !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// runAt is an encoded run that is sealed at seq.
func runAt(t *testing.T, f *forker, seq uint64) Bytes {
	data, err := f.run(nil, "Owl", int(seq)).Encode()
	if err != nil {
		t.Fatal(err)
	}
	return Bytes(data)
}

// A proof from one space proves nothing in another: the seals name theirs.
func TestForkProofIsOfItsSpace(t *testing.T) {
	f := newForker(t)
	_, carol := testKey("carol")
	other := mustNew(t, Memo{Author: carol, Seq: 1, Time: f.genesis.Time, Body: &Genesis{Name: "other", W: DefaultW, M: DefaultM, D: DefaultD, Rho: DefaultRho}})
	for name, p := range f.proofs() {
		_, err := New(Memo{
			Space: other.SpaceID(), Author: carol, Seq: 2, Prev: other.ID(), Time: Next(0, other.Time),
			Deps: []Head{{Author: p.Author, Seq: p.Seq, ID: p.ID}}, Body: p,
		})
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("%s, replayed in another space: %v", name, err)
		}
	}
}

// A cut that holds a proof holds a memo of the author whom it names.
func TestForkProofDependsOnTheForker(t *testing.T) {
	f := newForker(t)
	p := f.proofs()["two seals"]
	_, carol := testKey("carol")
	_, err := New(Memo{Space: f.genesis.SpaceID(), Author: carol, Seq: 1, Time: Next(0, f.genesis.Time), Deps: []Head{f.genesis.Head()}, Body: p})
	if !errors.Is(err, ErrInvalid) {
		t.Errorf("without a cause: %v", err)
	}
	if _, err := New(Memo{ // his own confession
		Space: f.genesis.SpaceID(), Author: f.author, Seq: 2, Prev: f.run(nil, "Cat", 1).Head().ID, Time: MaxTime, Body: p,
	}); err != nil {
		t.Errorf("in the chain it names: %v", err)
	}
}

// The longest run makes the longest proof, which travels in a run of its own and
// in no other.
func TestLongestForkProof(t *testing.T) {
	f := newForker(t)
	long := strings.Repeat("x", 60<<10)
	first := f.run(nil, "Cat", 1)
	a, b := f.run(first.Memos[0], "Dog", 1), f.run(first.Memos[0], long, 3)
	b = f.run(first.Memos[0], long+strings.Repeat("y", (MaxRunBytes-len(encoded(t, b))-6)/3), 3)
	if n := len(encoded(t, b)); n > MaxRunBytes || n < MaxRunBytes-16 {
		t.Fatalf("the run has %d bytes", n)
	}
	p, err := ProveFork(a, b)
	if err != nil {
		t.Fatal(err)
	}
	m, err := f.memo(p)
	if err != nil {
		t.Fatal(err)
	}
	key, _ := testKey("carol")
	r := &Run{Space: m.Space, Memos: []*Memo{m}, Seal: Sign(key, m.Space, m.Head())}
	back, err := DecodeRun(encoded(t, r))
	if err != nil || back.Head() != m.Head() || back.Verify() != nil {
		t.Fatalf("a run of %d bytes: %v", len(encoded(t, r)), err)
	}
	r.Memos = append(r.Memos, mustNew(t, Memo{Space: m.Space, Author: m.Author, Seq: 2, Prev: m.ID(), Time: Next(0, m.Time), Body: Join{}}))
	r.Seal = Sign(key, m.Space, r.Head())
	if _, err := DecodeRun(encoded(t, r)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("the same with a join behind it: %v", err)
	}
}

func encoded(t *testing.T, r *Run) []byte {
	data, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestForkProofGolden makes the vectors anew and compares them with the file.
func TestForkProofGolden(t *testing.T) {
	f := newForker(t)
	var b strings.Builder
	proofs := f.proofs()
	for _, name := range []string{"two seals", "a seal and a run", "a seal and a run right behind"} {
		m, err := f.memo(proofs[name])
		if err != nil {
			t.Fatal(err)
		}
		enc, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "memo fork proof of %s\ncid  %s\nhex  %x\n\n", name, m.ID(), enc)
		t.Logf("%s: %d bytes of body, %d of memo", name, m.BodySize(), len(enc))
	}
	_, frozen, _ := strings.Cut(goldenProofs, "\n\n")
	if diff := cmp.Diff(frozen, b.String()); diff != "" {
		t.Errorf("the format is frozen and has changed:\n%s\nall of it as it is:\n\n%s", diff, b.String())
	}
	_, vectors, _ := strings.Cut(goldenProofs, "\n\n")
	for _, v := range strings.Split(strings.TrimSpace(vectors), "\n\n") {
		checkGoldenMemo(t, unhex(t, fields(v)["hex"][0]), fields(v))
	}
}

// FuzzForkProof: a body is its bytes; what it claims is checked without a panic.
func FuzzForkProof(f *testing.F) {
	w := newForker(f)
	for _, p := range w.proofs() {
		raw, err := p.encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add([]byte(raw))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		body, err := decodeForkProof(data)
		if err != nil {
			checkRefusal(t, err)
			return
		}
		p := body.(*ForkProof)
		if again, err := p.encode(); err != nil || !bytes.Equal(again, data) {
			t.Fatalf("accepted %x and wrote %x (%v)", data, again, err)
		}
		if err := p.Verify(w.genesis.SpaceID()); err != nil {
			checkRefusal(t, err)
		}
	})
}
