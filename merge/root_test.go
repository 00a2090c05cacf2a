package merge_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/merge/mergetest"
)

// Short states stay in the leaf, long ones become blocks that every row with
// that state shares.
func TestBuildStateKeepsRowsAsBlocks(t *testing.T) {
	p := testParams()
	short := encode(t, delta(t, stamp(1, 1), true))
	long := encode(t, delta(t, stamp(1, 1), false, set("name", "Thigpen"), set("city", "Bay Springs")))
	if len(short) > merge.InlineMax || len(long) <= merge.InlineMax {
		t.Fatalf("states of %d and %d bytes do not test the limit of %d", len(short), len(long), merge.InlineMax)
	}
	b := blocks{}
	rows := []merge.KeyedRow{{Key: merge.RowKey("t", "a"), State: long}, {Key: merge.RowKey("t", "b"), State: short}}
	root, err := merge.BuildState(p, func(yield func(merge.KeyedRow, error) bool) {
		for _, r := range rows {
			if !yield(r, nil) {
				return
			}
		}
	}, b)
	if err != nil {
		t.Fatal(err)
	}
	id := memo.Sum(long)
	if !bytes.Equal(b[id], long) {
		t.Error("the long state is no block")
	}
	for i, want := range [][]byte{cbor(t, id), short} {
		got, ok, err := merge.Get(p, b, root, rows[i].Key)
		if err != nil || !ok || !bytes.Equal(got, want) {
			t.Errorf("row %d: %x %v %v, want %x", i, got, ok, err, want)
		}
	}
}

func TestBuildStatePassesErrorsOn(t *testing.T) {
	broken := errors.New("disk on fire")
	_, err := merge.BuildState(testParams(), func(yield func(merge.KeyedRow, error) bool) {
		yield(merge.KeyedRow{}, broken)
	}, nil)
	if !errors.Is(err, broken) {
		t.Errorf("a failed source: %v", err)
	}
	_, err = merge.BuildState(testParams(), func(yield func(merge.KeyedRow, error) bool) {
		yield(merge.KeyedRow{Key: "t\x00r", State: make([]byte, merge.InlineMax+1)}, nil)
	}, putErr{broken})
	if !errors.Is(err, broken) {
		t.Errorf("a failed putter: %v", err)
	}
}

// Two peers that hold the same cut name it by the same digest, whatever way it
// grew; any difference shows.
func TestBuildVectorIsAFunctionOfTheCut(t *testing.T) {
	p := testParams()
	mark := func(author int, seq uint64) memo.Mark {
		head := memo.Head{Author: mergetest.Author(author), Seq: seq, ID: memo.Sum([]byte{byte(author), byte(seq)})}
		return memo.Mark{Head: head, Time: memo.Time(seq)}
	}
	var up, down memo.Vector
	const n = 100
	for i := range n {
		up.Set(mark(i, 2))
		down.Set(mark(n-1-i, 1))
		down.Set(mark(n-1-i, 2))
	}
	b := blocks{}
	one, err := merge.BuildVector(p, up, b)
	if err != nil {
		t.Fatal(err)
	}
	if two, err := merge.BuildVector(p, down, nil); err != nil || two != one {
		t.Errorf("equal vectors give %s and %s, %v", one, two, err)
	}
	a := mergetest.Author(7)
	want := cbor(t, arr{2, mark(7, 2).ID, 2, false})
	if got, _, err := merge.Get(p, b, one, string(a[:])); err != nil || !bytes.Equal(got, want) {
		t.Errorf("entry %x, %v, want %x", got, err, want)
	}
	down.Set(mark(7, 3))
	if other, err := merge.BuildVector(p, down, nil); err != nil || other == one {
		t.Errorf("another vector gives the same root %s, %v", other, err)
	}
}

func TestRootRoundTrip(t *testing.T) {
	want := merge.Root{Params: testParams(), Vector: memo.Sum([]byte("v")), State: memo.Sum([]byte("s"))}
	enc, err := want.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := merge.DecodeRoot(enc)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDecodeRootIsStrict(t *testing.T) {
	space, id := testParams().Space, memo.Sum(nil)
	for name, c := range map[string]struct {
		root any
		want error
	}{
		"version 2":      {arr{2, arr{space, 16, 128, 3}, id, id}, memo.ErrMalformed},
		"no state":       {arr{1, arr{space, 16, 128, 3}, id}, memo.ErrMalformed},
		"M below 4w":     {arr{1, arr{space, 16, 63, 3}, id, id}, merge.ErrParams},
		"w of 0":         {arr{1, arr{space, 0, 63, 3}, id, id}, merge.ErrParams},
		"w above an int": {arr{1, arr{space, uint64(1) << 63, 128, 3}, id, id}, merge.ErrParams},
		"short digest":   {arr{1, arr{space, 16, 128, 3}, memo.Bytes("v"), id}, memo.ErrNotCanonical},
	} {
		if r, err := merge.DecodeRoot(cbor(t, c.root)); !errors.Is(err, c.want) || r != (merge.Root{}) {
			t.Errorf("%s: %v, %v, want %v", name, r, err, c.want)
		}
	}
	if _, err := (merge.Root{}).Encode(); !errors.Is(err, merge.ErrParams) {
		t.Errorf("Encode without parameters: %v", err)
	}
}
