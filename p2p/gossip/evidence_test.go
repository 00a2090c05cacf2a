package gossip

import (
	"bytes"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/merge/mergetest"
)

type fataler interface{ Fatal(...any) }

// told is a root that somebody signed, of a cut and of rows that need not be its.
type told struct {
	signer *author
	events []mergetest.Event
	cut    []int // places of its memos, causes first
	rows   map[string]merge.Row
	vector memo.Vector
	blocks blockMap
	root   merge.Root
}

type blockMap map[memo.ID][]byte

func (b blockMap) PutBlock(id memo.ID, data []byte) error {
	b[id] = bytes.Clone(data)
	return nil
}

func (b blockMap) Block(id memo.ID) ([]byte, error) {
	if data, ok := b[id]; ok {
		return data, nil
	}
	return nil, merge.ErrNoBlock
}

// honest joins the memos in the past of some.
func honest(t fataler, events []mergetest.Event, tips ...int) *told {
	in := map[int]bool{}
	for len(tips) > 0 {
		i := tips[0]
		if tips = tips[1:]; !in[i] {
			in[i] = true
			tips = append(tips, events[i].Links...)
		}
	}
	w := &told{signer: announcer(), events: events, cut: slices.Sorted(maps.Keys(in)), rows: map[string]merge.Row{}}
	for _, i := range w.cut {
		m := events[i].Memo
		w.vector.Add(memo.Mark{Head: m.Head(), Time: m.Time})
		for key, e := range events[i].Writes() {
			d, err := merge.Delta(e.Stamp, e.Edit)
			if err != nil {
				t.Fatal(err)
			}
			w.rows[key] = merge.Join(w.rows[key], d)
		}
	}
	return w.made(t)
}

// made makes the root of what w has now.
func (w *told) made(t fataler) *told {
	p := merge.DefaultParams(w.events[0].Memo.SpaceID())
	w.blocks, w.root = blockMap{}, merge.Root{Params: p}
	var err error
	if w.root.Vector, err = merge.BuildVector(p, w.vector, w.blocks); err != nil {
		t.Fatal(err)
	}
	w.root.State, err = merge.BuildState(p, func(yield func(merge.KeyedRow, error) bool) {
		for _, key := range slices.Sorted(maps.Keys(w.rows)) {
			state, err := w.rows[key].Encode()
			if !yield(merge.KeyedRow{Key: key, State: state}, err) {
				return
			}
		}
	}, w.blocks)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// against makes what would be evidence of one memo and one row.
func (w *told) against(t fataler, key string, omitted bool, memos ...*memo.Memo) *Evidence {
	a := Announcement{From: w.signer.id, Root: w.root, Memos: count(w.vector), Peers: 1}
	e := &Evidence{Announcement: a.sign(w.root.Params.Space, w.signer.sign), Key: key}
	var err error
	if e.Row, err = merge.ProveRow(w.root.Params, w.blocks, w.root.State, key); err != nil {
		t.Fatal(err)
	}
	if omitted {
		if e.Head, err = merge.ProveHead(w.root.Params, w.blocks, w.root.Vector, memos[0].Author); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range append([]*memo.Memo{w.events[0].Memo}, memos...) {
		data, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		e.Memos = append(e.Memos, data)
	}
	e.Genesis, e.Memos = e.Memos[0], e.Memos[1:]
	return e
}

// chain returns the memos from one to the head of its author in the cut; nil where they
// do not lead there.
func (w *told) chain(i int) (out []*memo.Memo) {
	out = []*memo.Memo{w.events[i].Memo}
	head, _ := w.vector.Get(out[0].Author)
	for _, j := range w.cut {
		if m := w.events[j].Memo; m.Prev == out[len(out)-1].ID() {
			out = append(out, m)
		}
	}
	if out[len(out)-1].ID() != head.ID {
		return nil
	}
	return out
}

// TestNoEvidenceAgainstTheTruth: whatever memos somebody holds, of the cut or not, of
// whatever branch, nothing made of them is evidence against a root that is joined of
// what it covers.
func TestNoEvidenceAgainstTheTruth(t *testing.T) {
	events := mergetest.Crowd(3, 250, 16)
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 1))
		w := honest(t, events, rng.IntN(len(events)), rng.IntN(len(events)), rng.IntN(len(events)))
		for range 8 {
			i := rng.IntN(len(events))
			m := events[i].Memo
			for key := range events[i].Writes() {
				for _, e := range []*Evidence{w.against(t, key, false, m), w.against(t, key, true, m)} {
					if lie, err := e.Verify(); !errors.Is(err, ErrEvidence) && !errors.Is(err, merge.ErrProof) {
						t.Fatalf("seed %d, memo %d, row %q: %+v, %v", seed, i, key, lie, err)
					}
				}
				chain := w.chain(i)
				if chain == nil {
					continue
				}
				if lie, err := w.against(t, key, true, chain...).Verify(); !errors.Is(err, ErrEvidence) {
					t.Fatalf("seed %d, memo %d, row %q, to its head: %+v, %v", seed, i, key, lie, err)
				}
			}
		}
	}
}

// TestEvidenceOfLies: a row that was altered, made up or left out is proved to be so,
// nested ones and those that a memo only took part in.
func TestEvidenceOfLies(t *testing.T) {
	events := mergetest.Crowd(3, 250, 16)
	truth := honest(t, events, len(events)-1, len(events)-2, len(events)-3, len(events)-4)
	kinds := map[memo.CellType]int{}
	for _, i := range truth.cut {
		m := events[i].Memo
		for key, e := range events[i].Writes() {
			d, err := merge.Delta(e.Stamp, e.Edit)
			if err != nil {
				t.Fatal(err)
			}
			if i%16 > 0 || !truth.rows[key].Forges(e.Stamp, merge.Row{}) {
				continue // nothing of the memo shows any more
			}
			lied := *truth
			lied.rows = maps.Clone(truth.rows)
			row, of := forged(truth.rows[key], e.Stamp)
			lied.rows[key] = row
			lie, err := lied.made(t).against(t, key, false, m).Verify()
			if err != nil || lie.From != truth.signer.id || lie.Key != key || lie.Memo != e.Stamp || lie.Omitted || !lie.Truth.Includes(d) {
				t.Fatalf("memo %d, row %q is forged: %+v, %v", i, key, lie, err)
			}
			kinds[of]++
			chain := truth.chain(i)
			if delete(lied.rows, key); chain == nil {
				continue
			}
			lie, err = lied.made(t).against(t, key, true, chain...).Verify()
			if err != nil || lie.From != truth.signer.id || lie.Key != key || !lie.Omitted {
				t.Fatalf("memo %d, row %q is left out: %+v, %v", i, key, lie, err)
			}
			if len(chain) > 1 {
				if lie, err := lied.against(t, key, true, chain[:len(chain)-1]...).Verify(); !errors.Is(err, ErrEvidence) {
					t.Errorf("a chain that ends before the head proves %+v, %v", lie, err)
				}
				if lie, err := lied.against(t, key, true, append(chain[:1:1], chain[2:]...)...).Verify(); !errors.Is(err, ErrEvidence) {
					t.Errorf("a chain with a gap proves %+v, %v", lie, err)
				}
			}
		}
	}
	if len(kinds) < 4 {
		t.Errorf("forged were cells of types %v: too few", kinds)
	}
}

// forged returns a row that says something else of the memo stamped s, and of what type
// the cell is in which it does.
func forged(r merge.Row, s merge.Stamp) (merge.Row, memo.CellType) {
	r.Cells = slices.Clone(r.Cells)
	for i := range r.Cells {
		switch c := &r.Cells[i]; {
		case c.Counter != nil:
			for j, y := range c.Counter.Tallies {
				if y.Stamp == s {
					c.Counter = &merge.Counter{Tallies: slices.Clone(c.Counter.Tallies)}
					c.Counter.Tallies[j].Plus++
					return r, c.Type
				}
			}
		case c.Atoms != nil:
			for j, y := range c.Atoms.Live {
				if y.Stamp == s {
					c.Atoms = &merge.Atoms{Live: slices.Clone(c.Atoms.Live), Seen: c.Atoms.Seen, Writers: c.Atoms.Writers}
					c.Atoms.Live[j].Value = memo.Int(-12345)
					return r, c.Type
				}
			}
		case c.Register.Stamp == s:
			c.Register.Set, c.Register.Value = true, memo.Int(-12345)
			return r, c.Type
		}
	}
	r.Tombstone, r.Cells = s, nil // what shows of it is that it wrote a multi or set, or cleared the row
	r.Tombstone.Seq++
	return r, 99
}

// TestEvidenceIsStrict: evidence is its bytes, and none of them may be another.
func TestEvidenceIsStrict(t *testing.T) {
	for _, omitted := range []bool{false, true} {
		strictEvidence(t, goldenEvidence(t, omitted))
	}
}

func strictEvidence(t *testing.T, data []byte) {
	good, err := DecodeEvidence(data)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := good.Encode(); err != nil || !bytes.Equal(again, data) {
		t.Fatalf("it comes back as %x, %v", again, err)
	}
	first, err := good.Verify()
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(data); i += 5 {
		bad := bytes.Clone(data)
		bad[i] ^= 1
		if e, err := DecodeEvidence(bad); err == nil {
			if lie, err := e.Verify(); err == nil {
				t.Fatalf("with byte %d changed it proves %+v, was %+v", i, lie, first)
			}
		}
		if _, err := DecodeEvidence(data[:i]); !errors.Is(err, ErrWire) {
			t.Fatalf("%d bytes of it: %v", i, err)
		}
	}
	if _, err := DecodeEvidence(append(bytes.Clone(data), 0)); !errors.Is(err, ErrWire) {
		t.Errorf("with a byte more: %v", err)
	}
	for name, change := range map[string]func(e *Evidence){
		"no memo":          func(e *Evidence) { e.Memos = nil },
		"too many memos":   func(e *Evidence) { e.Memos = make([][]byte, maxEvidenceMemos+1) },
		"too many blocks":  func(e *Evidence) { e.Row = make(merge.Proof, maxEvidenceBlocks+1) },
		"too long a proof": func(e *Evidence) { e.Row = merge.Proof{make([]byte, MaxEvidence)} },
		"another genesis":  func(e *Evidence) { e.Genesis = e.Memos[0] },
		"another row":      func(e *Evidence) { e.Key += "x" },
		"no row":           func(e *Evidence) { e.Key = "x" },
		"a memo twice":     func(e *Evidence) { e.Memos = append(e.Memos, e.Memos[0]) },
		"half a proof":     func(e *Evidence) { e.Row = append(e.Row, e.Row[0]) },
		"the other kind": func(e *Evidence) {
			if len(e.Head) > 0 {
				e.Head = nil
			} else {
				e.Head = e.Row
			}
		},
	} {
		e := *good
		change(&e)
		data, err := e.Encode()
		if err == nil {
			var back *Evidence
			if back, err = DecodeEvidence(data); err == nil {
				_, err = back.Verify()
			}
		}
		if err == nil || strings.HasPrefix(name, "too many") && !errors.Is(err, ErrWire) {
			t.Errorf("%s: it proves something, or is looked at: %v", name, err)
		}
	}
}

// goldenEvidence is what a signer of nothing but this one lie can be shown.
func goldenEvidence(t testing.TB, omitted bool) []byte {
	a := announcer()
	genesis := a.found().Memos[0]
	run := a.writeRows(genesis.SpaceID(), 1, nil, 1, 4, func() string { return "row" })
	events := []mergetest.Event{{Memo: genesis}, {Memo: run.Memos[0], Links: []int{0}}}
	w := honest(t, events, 1)
	for key, row := range w.rows {
		w.rows[key], _ = forged(row, merge.StampOf(run.Memos[0]))
	}
	if omitted {
		clear(w.rows)
	}
	data, err := w.made(t).against(t, merge.RowKey("t", "row"), omitted, run.Memos[0]).Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestGoldenEvidence fixes the bytes of evidence, by their digest. They never change:
// another format is another version.
func TestGoldenEvidence(t *testing.T) {
	want := []string{
		"bafyreieep5khvuhbbuteqnqhajcpmmr4dptz47fb4sakz2pfl7obvwx34e", "bafyreidfxvoppdtayqcfvrjy2tf32j4wazewbxa4hhuitedefhlhqsanx4",
	}
	got := []string{memo.Sum(goldenEvidence(t, false)).String(), memo.Sum(goldenEvidence(t, true)).String()}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// FuzzEvidence: what decodes is its bytes, and Verify takes whatever comes.
func FuzzEvidence(f *testing.F) {
	f.Add(goldenEvidence(f, false))
	f.Add(goldenEvidence(f, true))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := DecodeEvidence(data)
		if err != nil {
			return
		}
		if again, err := e.Encode(); err != nil || !bytes.Equal(again, data) {
			t.Errorf("it comes back as %x, %v", again, err)
		}
		_, _ = e.Verify()
	})
}
