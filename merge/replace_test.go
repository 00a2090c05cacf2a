package merge_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/merge/mergetest"
)

// Replace makes what Build makes of the rows with those put in place, whatever the
// rows were before.
func TestReplaceIsBuildOfTheResult(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := treeParams().Draw(rt, "params")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 2))
		m, b := rowStates(t, randomKeys(r.Uint64(), rapid.IntRange(0, 200).Draw(rt, "n")), 2), blocks{}
		root := buildState(t, p, m, b)
		other := related(t, r, m, rapid.IntRange(0, 300).Draw(rt, "changes"))
		batch := map[string][]byte{"not there": nil}
		for key := range m {
			if other[key] == nil {
				batch[key] = nil
			}
		}
		for key, state := range other {
			if !bytes.Equal(m[key], state) || r.IntN(10) == 0 {
				batch[key] = state
			}
		}
		got, err := merge.Replace(p, b, root, keyed(batch), b)
		if want := buildState(t, p, other, nil); err != nil || got != want {
			rt.Fatalf("replaced %s, built %s: %v", got, want, err)
		}
		reachable(t, p, b, got) // fails if a block was not put
	})
}

func TestReplaceDoesNotJoin(t *testing.T) {
	p, b := testParams(), blocks{}
	older, newer := encode(t, delta(t, stamp(1, 1), false, set("a", "x"))), encode(t, delta(t, stamp(2, 2), false, set("b", "y")))
	root := buildState(t, p, map[string][]byte{"k": newer}, b)
	got, err := merge.Replace(p, b, root, keyedOf(merge.KeyedRow{Key: "k", State: older}), b)
	if want := buildState(t, p, map[string][]byte{"k": older}, nil); err != nil || got != want {
		t.Errorf("%s, %v, want the older state alone, %s", got, err, want)
	}
	got, err = merge.Replace(p, b, root, keyedOf(merge.KeyedRow{Key: "k"}), b)
	if want := buildState(t, p, nil, nil); err != nil || got != want {
		t.Errorf("%s, %v, want the empty tree %s", got, err, want)
	}
}

func TestReplaceRefuses(t *testing.T) {
	p, b, broken := testParams(), blocks{}, errors.New("disk on fire")
	state := encode(t, delta(t, stamp(1, 1), false, set("a", "x"), set("b", "a value that does not fit into a leaf")))
	root := buildState(t, p, map[string][]byte{"k": state}, b)
	for name, c := range map[string]struct {
		rows []merge.KeyedRow
		put  merge.BlockPutter
		want error
	}{
		"no row state":        {[]merge.KeyedRow{{Key: "k", State: []byte{0x01}}}, b, memo.ErrMalformed},
		"rows in disorder":    {[]merge.KeyedRow{{Key: "k", State: state}, {Key: "j", State: state}}, b, merge.ErrUnsorted},
		"a row twice":         {[]merge.KeyedRow{{Key: "k", State: state}, {Key: "k"}}, b, merge.ErrUnsorted},
		"a key too long":      {[]merge.KeyedRow{{Key: string(make([]byte, merge.MaxKey+1))}}, b, memo.ErrTooLarge},
		"a putter that fails": {[]merge.KeyedRow{{Key: "l", State: state}}, putErr{broken}, broken},
	} {
		if id, err := merge.Replace(p, b, root, keyedOf(c.rows...), c.put); !errors.Is(err, c.want) || !id.IsZero() {
			t.Errorf("%s: %s, %v", name, id, err)
		}
	}
}

// drawVector draws a vector out of n writes; seqs are small, so that two vectors
// fork.
func drawVector(r *rand.Rand, n, authors int) (v memo.Vector) {
	for range n {
		seq := uint64(1 + r.IntN(3))
		head := memo.Head{Author: mergetest.Author(r.IntN(authors)), Seq: seq, ID: memo.Sum([]byte{byte(seq), byte(r.IntN(3))})}
		v.Set(memo.Mark{Head: head, Time: memo.Time(seq)})
	}
	return v
}

// ApplyVector makes what BuildVector makes of the joined vector.
func TestApplyVectorIsBuildVectorOfTheJoin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := treeParams().Draw(t, "params")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 3))
		size := rapid.IntRange(0, 256)
		v, marks, b := drawVector(r, size.Draw(t, "n"), 256), drawVector(r, size.Draw(t, "marks"), 256), blocks{}
		root, err := merge.BuildVector(p, v, b)
		if err != nil {
			t.Fatal(err)
		}
		got, err := merge.ApplyVector(p, b, root, marks.All(), b)
		if err != nil {
			t.Fatal(err)
		}
		v.Join(marks)
		if want, err := merge.BuildVector(p, v, nil); err != nil || got != want {
			t.Fatalf("applied %s, built %s: %v", got, want, err)
		}
		back, err := merge.ReadVector(p, b, got) // fails if a block was not put
		if err != nil || !slices.Equal(slices.Collect(back.All()), slices.Collect(v.All())) {
			t.Fatalf("reads back as another vector: %v", err)
		}
	})
}

func TestApplyVectorByExample(t *testing.T) {
	p := testParams()
	mark := func(author int, seq uint64) memo.Mark {
		return memo.Mark{Head: memo.Head{Author: mergetest.Author(author), Seq: seq, ID: memo.Sum([]byte{byte(seq)})}, Time: 5}
	}
	author := mergetest.Author(1)
	b := blocks{}
	with := func(entry arr) memo.ID {
		root, err := merge.Build(p, entriesOf(map[string][]byte{string(author[:]): cbor(t, entry)}), b)
		if err != nil {
			t.Fatal(err)
		}
		return root
	}
	root := with(arr{2, memo.Sum([]byte{2}), 5, true})
	got, err := merge.ApplyVector(p, b, root, slices.Values([]memo.Mark{mark(1, 3)}), b)
	if err != nil {
		t.Fatal(err)
	}
	want := cbor(t, arr{3, memo.Sum([]byte{3}), 5, true})
	if value, _, err := merge.Get(p, b, got, string(author[:])); err != nil || !bytes.Equal(value, want) {
		t.Errorf("the forked author's entry is %x, want %x (%v)", value, want, err)
	}
	for name, marks := range map[string][]memo.Mark{"twice": {mark(1, 1), mark(1, 2)}, "descending": descending(mark(1, 1), mark(2, 1))} {
		if id, err := merge.ApplyVector(p, b, root, slices.Values(marks), b); !errors.Is(err, merge.ErrUnsorted) || !id.IsZero() {
			t.Errorf("marks %s: %s, %v", name, id, err)
		}
	}
	if _, err := merge.ApplyVector(p, b, with(arr{0, memo.Sum(nil), 5, true}), slices.Values([]memo.Mark{mark(1, 1)}), b); !errors.Is(err, memo.ErrMalformed) {
		t.Errorf("joined into an entry that is none: %v", err)
	}
}

func descending(ms ...memo.Mark) []memo.Mark {
	slices.SortFunc(ms, func(a, b memo.Mark) int { return b.Author.Compare(a.Author) })
	return ms
}

// A few marks cost a few nodes a level, not the vector.
func TestApplyVectorCostsWhatChanges(t *testing.T) {
	p, b := testParams(), blocks{}
	author := func(i int) memo.Author { return memo.Author(memo.Sum(binary.BigEndian.AppendUint32(nil, uint32(i)))) }
	var v memo.Vector
	for i := range 50_000 {
		v.Set(memo.Mark{Head: memo.Head{Author: author(i), Seq: 1, ID: memo.Sum(nil)}})
	}
	root, err := merge.BuildVector(p, v, b)
	if err != nil {
		t.Fatal(err)
	}
	h := height(t, p, b, root)
	for _, k := range []int{1, 10, 100} {
		var marks memo.Vector
		for i := range k {
			marks.Set(memo.Mark{Head: memo.Head{Author: author(i * 1000), Seq: 2, ID: memo.Sum(nil)}})
		}
		c := &counting{blocks: maps.Clone(b), drop: true}
		if _, err := merge.ApplyVector(p, c, root, marks.All(), c); err != nil {
			t.Fatal(err)
		}
		t.Logf("height %d, %d marks: %d blocks read, %d put", h, k, c.reads, c.puts)
		if most := k*h + p.W; c.reads > 2*most || c.puts > most {
			t.Errorf("%d marks read %d blocks and put %d, the bound is %d", k, c.reads, c.puts, most)
		}
	}
}
