package gossip

import (
	"bytes"
	"errors"
	"runtime"
	"testing"

	"lightcone/memo"
)

// FuzzFrame: a frame that decodes is its bytes; and no frame makes Prepare, which
// decodes the runs in it and checks their seals, do more than refuse it.
func FuzzFrame(f *testing.F) {
	for _, c := range goldenFrames {
		f.Add(encode(c.frame))
	}
	a := authors(1, 1)[0]
	genesis := a.found()
	f.Add(encode(runsOf(genesis)))
	f.Add(encode(&seals{Type: typeSeals, Space: genesis.Space, Seals: []*sealedHead{
		{Author: a.id, Seq: 1, ID: genesis.Head().ID, Seal: genesis.Seal}, nil,
	}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := decode(data)
		if err != nil && !errors.Is(err, ErrWire) {
			t.Fatalf("refused without a name: %v", err)
		}
		if err == nil && !bytes.Equal(encode(m), data) {
			t.Fatalf("accepted %x and wrote %x", data, encode(m))
		}
		if passed := Prepare(&Frame{Session: 1, Data: data}); passed == nil && err != nil {
			t.Fatalf("%x passed Prepare: %v", data, err)
		}
	})
}

// FuzzPublication: a message that is accepted is its bytes, its run included, and
// is for the topic on which it came.
func FuzzPublication(f *testing.F) {
	genesis := authors(1, 1)[0].found()
	f.Add(publication(0, nil))
	f.Add(publication(1<<63, []byte(raw(genesis))))
	f.Fuzz(func(t *testing.T, data []byte) {
		hint, run, err := parsePublication(data)
		if err == nil && !bytes.Equal(publication(hint, run), data) {
			t.Fatalf("accepted %x and wrote %x", data, publication(hint, run))
		}
		h := &Heard{Space: genesis.Space, Data: data}
		if Prepare(h) != nil || h.run == nil {
			return
		}
		again, err := h.run.Encode()
		if err != nil || !bytes.Equal(again, run) || h.run.Space != h.Space {
			t.Fatalf("accepted the run %x and wrote %x (%v)", run, again, err)
		}
	})
}

// TestItemsPerFrame: a frame has as many items as the protocol says, not one more.
func TestItemsPerFrame(t *testing.T) {
	heads := make([]vecHead, vecChunk+1)
	for name, c := range map[string]struct {
		limit int
		frame func(n int) message
	}{
		"VEC":       {vecChunk, func(n int) message { return &vec{Type: typeVec, Heads: heads[:n]} }},
		"WANT":      {wantChunk, func(n int) message { return &want{Type: typeWant, IDs: make([]memo.ID, n)} }},
		"BLOCKS":    {wantChunk, func(n int) message { return &blocks{Type: typeBlocks, Blocks: make([]*memo.Bytes, n)} }},
		"VECNODES":  {nodesChunk, func(n int) message { return &vecNodes{Type: typeVecNodes, Nodes: make([]memo.Bytes, n)} }},
		"VECWANT":   {nodesChunk, func(n int) message { return &vecWant{Type: typeVecWant, IDs: make([]memo.ID, n)} }},
		"RANGES":    {rangesChunk, func(n int) message { return &ranges{Type: typeRanges, Ranges: make([]runRange, n)} }},
		"NEED":      {needChunk, func(n int) message { return &need{Type: typeNeed, IDs: make([]memo.ID, n)} }},
		"BRANCHES":  {branchesChunk, func(n int) message { return &branches{Type: typeBranches, Runs: make([]*memo.Bytes, n)} }},
		"PROBE":     {probeFan, func(n int) message { return &probe{Type: typeProbe, Seqs: make([]uint64, n)} }},
		"PROBED":    {probeFan, func(n int) message { return &probed{Type: typeProbed, IDs: make([]memo.ID, n)} }},
		"WANTSEALS": {sealChunk, func(n int) message { return &wantSeals{Type: typeWantSeals, Heads: heads[:n]} }},
		"SEALS":     {sealChunk, func(n int) message { return &seals{Type: typeSeals, Seals: make([]*sealedHead, n)} }},
	} {
		if _, err := decode(encode(c.frame(c.limit))); err != nil {
			t.Errorf("a full %s: %v", name, err)
		}
		if _, err := decode(encode(c.frame(c.limit + 1))); !errors.Is(err, ErrWire) {
			t.Errorf("%s with one more: %v, want ErrWire", name, err)
		}
	}
}

// TestMemoryIsBounded: what is above the limit costs nothing but its error; below
// it, a frame costs a bounded multiple of the limit whatever it claims to hold.
func TestMemoryIsBounded(t *testing.T) {
	const cheap, most = 64 << 10, 16 * MaxFrame
	long := make([]byte, 16<<20)
	longRun, err := memo.Marshal([]any{1, fill(32, 1), fill(32, 2), 1, nil, []any{[]any{[]any{}, 0, 77, long}}, make([]byte, 64)})
	if err != nil {
		t.Fatal(err)
	}
	nulls := append([]byte{0x9a, 0, 1, 0xff, 0xff}, bytes.Repeat([]byte{0xf6}, 0x1ffff)...)
	for name, c := range map[string]struct {
		in   Input
		most uint64
	}{
		"a frame above the limit":       {&Frame{Data: encode(&runs{Type: typeRuns, Runs: []memo.Bytes{memo.Bytes(long)}})}, cheap},
		"a publication above the limit": {&Heard{Data: publication(1, longRun)}, cheap},
		"a list of null heads":          {&Frame{Data: append(append([]byte{0x83, typeVec}, nulls...), 0xf4)}, cheap},
		"a list of null ids":            {&Frame{Data: append([]byte{0x82, typeWant}, nulls...)}, cheap},
		"a list of null blocks":         {&Frame{Data: append([]byte{0x82, typeBlocks}, nulls...)}, cheap},
		"a list of null wanted seals":   {&Frame{Data: append([]byte{0x82, typeWantSeals}, nulls...)}, cheap},
		"a list of null seals":          {&Frame{Data: append(append([]byte{0x83, typeSeals, 0x58, 32}, fill(32, 1)...), nulls...)}, cheap},
		"a list of null runs":           {&Frame{Data: append([]byte{0x82, typeRuns}, nulls...)}, most},
		"a list of empty runs": {&Frame{Data: encode(&runs{
			Type: typeRuns, Runs: make([]memo.Bytes, 1<<17),
		})}, most},
	} {
		if n := allocated(func() {
			if Prepare(c.in) == nil {
				t.Errorf("%s passed", name)
			}
		}); n > c.most {
			t.Errorf("refusing %s allocates %d bytes", name, n)
		}
	}
}

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
