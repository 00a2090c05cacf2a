package merge_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"lightcone/memo"
	"lightcone/merge"
)

func prove(t interface{ Fatal(...any) }, p merge.Params, b blocks, root memo.ID, key string) merge.Proof {
	f, err := merge.Prove(p, b, root, key)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// A proof shows what Get reads, to someone who has the root's digest alone.
func TestProofsAreGet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := treeParams().Draw(t, "params")
		m := valued(randomKeys(rapid.Uint64().Draw(t, "seed"), rapid.IntRange(0, 300).Draw(t, "n")))
		b := blocks{}
		root, err := merge.Build(p, entriesOf(m), b)
		if err != nil {
			t.Fatal(err)
		}
		key := rapid.OneOf(rapid.StringMatching(`[0-9a-g]{0,3}`), rapid.SampledFrom(append(randomKeys(1, 1), keysOf(m)...))).Draw(t, "key")
		f, err := merge.DecodeProof(prove(t, p, b, root, key).Encode())
		if err != nil {
			t.Fatal(err)
		}
		got, found, err := merge.VerifyProof(p, root, key, f)
		if want, has := m[key]; err != nil || found != has || !bytes.Equal(got, want) {
			t.Fatalf("%q proved to be %x %v (%v), want %x %v", key, got, found, err, want, has)
		}
	})
}

// Nothing but the nodes on the way from the root to the key is a proof.
func TestForgedProofsAreRefused(t *testing.T) {
	p := testParams()
	m := valued(sequentialKeys(5_000))
	root, b := build(t, p, m)
	keys := keysOf(m)
	for name, key := range map[string]string{
		"present": keys[2_000], "absent": keys[2_000] + "+", "below all": "", "above all": "zz",
	} {
		f := prove(t, p, b, root, key)
		refuse := func(what string, p merge.Params, root memo.ID, key string, f merge.Proof) {
			t.Helper()
			if v, found, err := merge.VerifyProof(p, root, key, f); err == nil || v != nil || found {
				t.Errorf("%s key: %s: proves %x %v (%v)", name, what, v, found, err)
			}
		}
		for i := range f {
			for at := range f[i] {
				bad := slices.Clone(f)
				bad[i] = bytes.Clone(f[i])
				bad[i][at] ^= 1 << (at % 8)
				refuse("a flipped bit", p, root, key, bad)
			}
			refuse("a node dropped", p, root, key, slices.Delete(slices.Clone(f), i, i+1))
			refuse("a node twice", p, root, key, slices.Insert(slices.Clone(f), i, f[i]))
			for j := range i {
				bad := slices.Clone(f)
				bad[i], bad[j] = bad[j], bad[i]
				refuse("nodes swapped", p, root, key, bad)
			}
		}
		other, _ := build(t, p, valued(keys[1:]))
		refuse("another root", p, other, key, f)
		wide := p
		wide.W, wide.M = 4*p.W, 4*p.M
		refuse("another w and M", wide, root, key, f)
		if key != keys[2_000] && key != keys[2_000]+"+" {
			refuse("another key", p, root, keys[2_000], f)
		} else {
			refuse("another key", p, root, keys[4_000], f)
		}
	}
}

// Nodes do not name their space: under another one's parameters a proof is
// refused where a node of it shows a missed cut, and else is as true as ever.
func TestProofsUnderAnotherSpace(t *testing.T) {
	p := testParams()
	m := valued(sequentialKeys(5_000))
	root, b := build(t, p, m)
	refused := 0
	for i, key := range keysOf(m)[:200] {
		other := p
		other.Space[0] += byte(1 + i)
		v, found, err := merge.VerifyProof(other, root, key, prove(t, p, b, root, key))
		switch {
		case errors.Is(err, merge.ErrNode):
			refused++
		case err != nil || !found || !bytes.Equal(v, m[key]):
			t.Errorf("%q proved to be %x %v (%v)", key, v, found, err)
		}
	}
	if refused == 0 {
		t.Error("no missed cut was found in 200 spaces")
	}
}

func TestDecodeProofIsStrict(t *testing.T) {
	node := memo.Bytes("node")
	many := make(arr, 66)
	for i := range many {
		many[i] = node
	}
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"nothing":            {nil, memo.ErrMalformed},
		"another version":    {cbor(t, arr{2, arr{node}}), memo.ErrMalformed},
		"a third part":       {cbor(t, arr{1, arr{node}, 0}), memo.ErrMalformed},
		"a node that is one": {cbor(t, arr{1, arr{1}}), memo.ErrMalformed},
		"too many nodes":     {cbor(t, arr{1, many}), memo.ErrMalformed},
		"a trailing byte":    {append(cbor(t, arr{1, arr{node}}), 0), memo.ErrMalformed},
		"a node cut short":   {[]byte{0x82, 0x01, 0x81, 0x42, 0x00}, memo.ErrMalformed},
		"a long length":      {[]byte{0x82, 0x01, 0x81, 0x58, 0x01, 0x00}, memo.ErrNotCanonical},
	} {
		if f, err := merge.DecodeProof(c.data); !errors.Is(err, c.want) || f != nil {
			t.Errorf("%s: %d nodes, %v, want %v", name, len(f), err, c.want)
		}
	}
	if f, err := merge.DecodeProof(cbor(t, arr{1, many[:65]})); err != nil || len(f) != 65 {
		t.Errorf("65 nodes: %d, %v", len(f), err)
	}
}

func TestRankCountsSmallerKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := treeParams().Draw(t, "params")
		keys := keysOf(valued(randomKeys(rapid.Uint64().Draw(t, "seed"), rapid.IntRange(0, 300).Draw(t, "n"))))
		b := blocks{}
		root, err := merge.Build(p, entriesOf(valued(keys)), b)
		if err != nil {
			t.Fatal(err)
		}
		probe := rapid.OneOf(rapid.StringMatching(`[0-9a-g]{0,3}`), rapid.SampledFrom(append(randomKeys(1, 1), keys...))).Draw(t, "probe")
		want, _ := slices.BinarySearch(keys, probe)
		if got, err := merge.Rank(p, b, root, probe); err != nil || got != uint64(want) {
			t.Fatalf("Rank(%q) = %d (%v), want %d", probe, got, err, want)
		}
	})
}
