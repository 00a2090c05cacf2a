package gossip

import (
	"bytes"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"lightcone/memo"
	"lightcone/merge"
)

// settled is a world whose last replica has none of the memos of the first, and
// will not read those that recon brings; the others have all. The first has folded.
func settled(seed uint64, peers, rows int, f faults) *world {
	f.noGossip, f.attachLag = true, 1000*time.Hour
	w := newWorld(seed, peers, f)
	a := w.replicas[0]
	for range rows {
		a.shelf.put(a.author.write(w.space, w.now, nil, 1, 100))
	}
	a.newRoot()
	for _, r := range w.replicas[1 : peers-1] {
		r.shelf.copy(a.shelf)
	}
	return w
}

// copy makes s hold what o holds.
func (s *shelf) copy(o *shelf) {
	s.vec, s.order, s.memos, s.root = o.vec.Clone(), o.order, o.memos, nil
	s.runs = map[memo.Author][]shelved{}
	for a, runs := range o.runs {
		s.runs[a] = slices.Clone(runs)
	}
	s.blocks, s.newest = maps.Clone(o.blocks), o.newest
}

// fetches lets the last replica fetch the first one's root, until it has it or
// not. It says how often each block was sent for nothing.
func (w *world) fetches(in Fetch, most time.Duration) Fetched {
	c := w.replicas[len(w.replicas)-1]
	c.step(in)
	over := func() bool {
		n := len(c.fetched)
		return n > 0 && (c.fetched[n-1].Err != nil || c.fetched[n-1].Parts == in.Parts)
	}
	if !w.run(most, over) {
		return Fetched{Err: errors.New("no end")}
	}
	return c.fetched[len(c.fetched)-1]
}

// liars answer what they are asked with something else; nil keeps it back.
var liars = []struct {
	name  string
	blame bool
	twist func(m message) message
}{
	{"a bit flipped in a block", true, onBlocksOf(func(m *blocks) {
		for i, b := range m.Blocks {
			if b != nil {
				data := []byte(*b)
				data[len(data)/2] ^= 1
				other := memo.Bytes(data)
				m.Blocks[i] = &other
			}
		}
	})},
	{"blocks in another order", true, onBlocksOf(func(m *blocks) { slices.Reverse(m.Blocks) })},
	{"only nulls", false, onBlocksOf(func(m *blocks) { clear(m.Blocks) })},
	{"nulls and more nulls", true, onBlocksOf(func(m *blocks) { m.Blocks = make([]*memo.Bytes, wantChunk) })},
	{"blocks never asked for", true, onBlocksOf(func(m *blocks) {
		other := memo.Bytes("block")
		m.Blocks = append(m.Blocks, &other)
	})},
	{"more bytes than a frame has", true, onBlocksOf(func(m *blocks) {
		long := memo.Bytes(fill(blocksFrame, 1))
		m.Blocks = append(m.Blocks, &long)
	})},
	{"empty blocks", true, onBlocksOf(func(m *blocks) {
		for i := range m.Blocks {
			m.Blocks[i] = new(memo.Bytes)
		}
	})},
	{"an empty frame", true, onBlocksOf(func(m *blocks) { m.Blocks = nil })},
	{"silence", false, func(m message) message {
		if _, ok := m.(*blocks); ok {
			return nil
		}
		return m
	}},
	{"seals that do not verify", true, onSealsOf(func(s *sealedHead) { s.Seal[5] ^= 1 })},
	{"seals of another digest", true, onSealsOf(func(s *sealedHead) { s.ID[5] ^= 1 })},
	{"seals of another space", true, func(m message) message {
		if s, ok := m.(*seals); ok {
			s.Space[0] ^= 1
		}
		return m
	}},
	{"fewer seals than asked for", true, func(m message) message {
		if s, ok := m.(*seals); ok {
			s.Seals = s.Seals[1:]
		}
		return m
	}},
	{"no seals", false, func(m message) message {
		if s, ok := m.(*seals); ok {
			clear(s.Seals)
		}
		return m
	}},
	{"a second FETCH", true, func(m message) message {
		if _, ok := m.(*blocks); ok {
			return &fetch{Type: typeFetch, Version: wireVersion}
		}
		return m
	}},
}

func onBlocksOf(f func(*blocks)) func(message) message {
	return func(m message) message {
		if b, ok := m.(*blocks); ok {
			f(b)
		}
		return m
	}
}

func onSealsOf(f func(*sealedHead)) func(message) message {
	return func(m message) message {
		if s, ok := m.(*seals); ok {
			for _, h := range s.Seals {
				if h != nil {
					f(h)
				}
			}
		}
		return m
	}
}

// lie makes r answer by a twist.
func (r *replica) lie(twist func(message) message) {
	r.twist = func(data []byte) []byte {
		m, err := decode(data)
		if err != nil {
			panic(err)
		}
		if m = twist(m); m == nil {
			return nil
		}
		return encode(m)
	}
}

// Whoever lies, in whatever way: the fetch completes from who does not, and nobody
// else is blamed.
func TestFetchSurvivesLiars(t *testing.T) {
	for _, l := range liars {
		t.Run(l.name, func(t *testing.T) {
			w := settled(1, 3, 300, faults{delay: 10 * time.Millisecond})
			a, b, c := w.replicas[0], w.replicas[1], w.replicas[2]
			b.lie(l.twist)
			w.connect(a, c)
			w.connect(b, c)
			w.run(time.Second, nil)
			got := w.fetches(Fetch{Space: w.space, Root: a.shelf.newest.ID, Origin: b.id, Parts: StatePart}, 30*time.Second)
			if got.Err != nil {
				t.Fatal(got.Err)
			}
			if _, err := c.holds(got.Made); err != nil {
				t.Error(err)
			}
			if blamed := len(w.blamed) > 0; blamed != l.blame {
				t.Errorf("blamed: %v", w.blamed)
			}
			for _, s := range w.blamed {
				if !strings.HasPrefix(s, "c blames b") {
					t.Error(s)
				}
			}
			if len(w.blamed) > 1 {
				t.Errorf("asked again after a lie: %v", w.blamed)
			}
		})
	}
}

// An author can sign what he likes: a seal of his own that holds, but is of another
// head or space than was asked for, is a lie as well.
func TestSealsThatWereNotAskedFor(t *testing.T) {
	for name, forge := range map[string]func(m *seals){
		"another head":  func(m *seals) { m.Seals[0].ID[0] ^= 1 },
		"another seq":   func(m *seals) { m.Seals[0].Seq-- },
		"another space": func(m *seals) { m.Space[0] ^= 1 },
	} {
		t.Run(name, func(t *testing.T) {
			w := settled(1, 3, 10, faults{delay: 10 * time.Millisecond})
			a, b, c := w.replicas[0], w.replicas[1], w.replicas[2]
			a.lie(func(m message) message {
				if s, ok := m.(*seals); ok {
					forge(s)
					h := s.Seals[0]
					h.Seal = memo.Sign(a.key, s.Space, memo.Head{Author: h.Author, Seq: h.Seq, ID: h.ID})
				}
				return m
			})
			w.connect(a, c)
			w.connect(b, c)
			w.run(time.Second, nil)
			got := w.fetches(Fetch{Space: w.space, Root: a.shelf.newest.ID, Origin: a.id, Parts: SealsPart}, 30*time.Second)
			if got.Err != nil || len(got.Seals) != 1 {
				t.Fatalf("%v; %d seals", got.Err, len(got.Seals))
			}
			if err := memo.VerifySeal(w.space, got.Seals[0].Head, got.Seals[0].Seal); err != nil {
				t.Error(err)
			}
			if len(w.blamed) != 1 || !strings.HasPrefix(w.blamed[0], "c blames a") {
				t.Errorf("blamed: %v", w.blamed)
			}
		})
	}
}

// Members that hold parts, of whom one may lie, on a network that breaks, with
// something or nothing held here: a fetch ends, with all of the root if honest
// members have all of it; every block is taken once; only liars are blamed.
func TestFetchBringsWhatIsThere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ms := func(name string, most int) time.Duration {
			return time.Duration(rapid.IntRange(0, most).Draw(t, name)) * time.Millisecond
		}
		seed := rapid.Uint64().Draw(t, "seed")
		r := rand.New(rand.NewPCG(seed, 9))
		w := settled(seed, rapid.IntRange(3, 5).Draw(t, "peers"), rapid.IntRange(0, 200).Draw(t, "rows"), faults{
			delay: ms("delay", 100), jitter: ms("jitter", 100), breaks: rapid.SampledFrom([]float64{0, 0, 0.02}).Draw(t, "breaks"),
		})
		a, c := w.replicas[0], w.replicas[len(w.replicas)-1]
		if rapid.Bool().Draw(t, "base") {
			c.shelf.blocks, c.shelf.newest = maps.Clone(a.shelf.blocks), a.shelf.newest
			for range rapid.IntRange(1, 5).Draw(t, "more") {
				a.shelf.put(a.author.write(w.space, w.now, nil, 1, 100))
			}
			a.newRoot()
			for _, b := range w.replicas[1 : len(w.replicas)-1] {
				b.shelf.copy(a.shelf)
			}
		}
		want := *a.shelf.newest
		liar := rapid.IntRange(-len(liars), len(liars)-1).Draw(t, "liar")
		there := lose(t, w, r, rapid.SampledFrom([]float64{0, 0, 0.3, 0.9}).Draw(t, "lost"), liar >= 0)
		if liar >= 0 {
			w.replicas[1].lie(liars[liar].twist)
		}
		before := maps.Clone(c.shelf.blocks)
		for _, b := range w.replicas[:len(w.replicas)-1] {
			w.connect(b, c)
		}
		w.run(ms("later", 2000), nil)
		in := Fetch{Space: w.space, Root: want.ID, Parts: StatePart}
		if o := rapid.IntRange(0, len(w.replicas)).Draw(t, "origin"); o < len(w.replicas) {
			in.Origin = w.replicas[o].id
		}
		got := w.fetches(in, 4*time.Minute)
		checkFetched(t, w, c, before, want, got, there)
	})
}

// lose takes blocks from the members, and tells whether all are still with honest
// ones or the last replica. A liar keeps all of them.
func lose(t *rapid.T, w *world, r *rand.Rand, part float64, liar bool) (there bool) {
	all := slices.SortedFunc(maps.Keys(w.replicas[0].shelf.blocks), memo.ID.Compare)
	left := maps.Clone(w.replicas[len(w.replicas)-1].shelf.blocks)
	for i, b := range w.replicas[:len(w.replicas)-1] {
		for _, id := range all {
			if i > 0 && r.Float64() < part || i == 0 && r.Float64() < part/2 {
				delete(b.shelf.blocks, id)
			} else if !liar || i != 1 {
				left[id] = b.shelf.blocks[id]
			}
		}
	}
	return len(left) >= len(all) && func() bool {
		for _, id := range all {
			if left[id] == nil {
				return false
			}
		}
		return true
	}()
}

func checkFetched(t *rapid.T, w *world, c *replica, before map[memo.ID][]byte, want Folded, got Fetched, there bool) {
	for _, s := range w.blamed {
		if !strings.HasSuffix(strings.SplitN(s, ":", 2)[0], "blames b") || w.replicas[1].twist == nil {
			t.Fatalf("an honest member is blamed: %s", s)
		}
	}
	if got.Err != nil {
		if there || !errors.Is(got.Err, ErrUnavailable) {
			t.Fatalf("all of it is there: %v; %v", there, got.Err)
		}
		return
	}
	n, err := c.holds(want.Root)
	if err != nil {
		t.Fatal(err)
	}
	had := 0
	for id := range before {
		if _, kept := c.shelf.blocks[id]; kept {
			had++
		}
	}
	if took := c.core.Stats().BlocksGot; took != len(c.shelf.blocks)-had {
		t.Fatalf("%d blocks taken, %d are new, of %d", took, len(c.shelf.blocks)-had, n)
	}
	var parts []Parts
	for _, f := range c.fetched {
		parts = append(parts, f.Parts)
		if f.Made != want.Root || !sameVector(f.Vector, want.Vector) || f.From == (Peer{}) && len(before) == 0 {
			t.Fatalf("fetched %+v, want %+v", f, want)
		}
	}
	if !slices.Equal(parts, []Parts{VectorPart, SealsPart, StatePart}) {
		t.Fatalf("parts came as %v", parts)
	}
	for _, s := range got.Seals {
		if err := memo.VerifySeal(w.space, s.Head, s.Seal); err != nil {
			t.Fatal(err)
		}
		if m, _ := want.Vector.Get(s.Author); m.Head != s.Head {
			t.Fatalf("a seal of %s, the root has %s", s.Head, m.Head)
		}
	}
	if len(got.Seals) != want.Vector.Len() {
		t.Fatalf("%d seals of %d authors", len(got.Seals), want.Vector.Len())
	}
}

func sameVector(a, b memo.Vector) bool {
	return slices.Equal(slices.Collect(a.All()), slices.Collect(b.All()))
}

// A stream that breaks at its first frame, its second, and so on: another member
// goes on, and no block comes twice but those that were under way.
func TestFetchCutAtEveryFrame(t *testing.T) {
	run := func(cut int) (w *world, got Fetched) {
		w = settled(1, 3, 500, faults{delay: 20 * time.Millisecond})
		a, b, c := w.replicas[0], w.replicas[1], w.replicas[2]
		w.connect(a, c)
		w.connect(b, c)
		w.run(time.Second, nil)
		w.bytes, w.cutNext = traffic{}, cut
		return w, w.fetches(Fetch{Space: w.space, Root: a.shelf.newest.ID, Origin: a.id, Parts: StatePart}, 10*time.Second)
	}
	whole, got := run(0)
	if got.Err != nil {
		t.Fatal(got.Err)
	}
	need, frames := whole.replicas[2].core.Stats().BlocksGot, whole.bytes.frames
	for n := 1; n <= frames; n++ {
		w, got := run(n)
		c := w.replicas[2]
		if got.Err != nil {
			t.Errorf("cut at frame %d: %v", n, got.Err)
			continue
		}
		if _, err := c.holds(got.Made); err != nil || len(w.blamed) > 0 {
			t.Errorf("cut at frame %d: %v, %v", n, err, w.blamed)
		}
		if took := c.core.Stats().BlocksGot; took != need {
			t.Errorf("cut at frame %d: %d blocks taken, %d without a cut", n, took, need)
		}
		// Lost are at most the questions and answers that were under way.
		if most := whole.bytes.recon + fetchWindow + 4096; w.bytes.recon > most {
			t.Errorf("cut at frame %d: %d bytes in all, %d without a cut", n, w.bytes.recon, whole.bytes.recon)
		}
	}
	t.Logf("%d blocks in %d frames, %d bytes without a cut", need, frames, whole.bytes.recon)
}

// A root that is none is nobody's lie but its maker's: the fetch ends, and who
// serves it honestly is not blamed.
func TestFetchOfWhatIsNoRoot(t *testing.T) {
	for name, forge := range map[string]func(*merge.Root){
		"a vector that is a state":          func(r *merge.Root) { r.Vector = r.State },
		"a state that is a vector":          func(r *merge.Root) { r.State = r.Vector },
		"other parameters":                  func(r *merge.Root) { r.Params.W = 8 },
		"of another space":                  func(r *merge.Root) { r.Params.Space[0] ^= 1 },
		"of another space, without genesis": func(r *merge.Root) { r.Params.Space[0] ^= 1 },
	} {
		t.Run(name, func(t *testing.T) {
			w := settled(1, 3, 300, faults{delay: 10 * time.Millisecond})
			a, c := w.replicas[0], w.replicas[2]
			if !strings.HasSuffix(name, "without genesis") {
				c.shelf.put(w.genesis) // it knows the space's parameters
			}
			root := a.shelf.newest.Root
			forge(&root)
			data, err := root.Encode()
			if err != nil {
				t.Fatal(err)
			}
			a.shelf.blocks[memo.Sum(data)] = data
			w.connect(a, c)
			w.run(time.Second, nil)
			got := w.fetches(Fetch{Space: w.space, Root: memo.Sum(data), Parts: StatePart}, 10*time.Second)
			if got.Err == nil || errors.Is(got.Err, ErrUnavailable) || len(w.blamed) > 0 {
				t.Errorf("ended with %v; blamed: %v", got.Err, w.blamed)
			}
			if got.Made != (merge.Root{}) && root.Params != a.shelf.newest.Root.Params {
				t.Errorf("took %+v", got.Made)
			}
			if !bytes.Equal(c.shelf.blocks[memo.Sum(data)], data) && root.Params == a.shelf.newest.Root.Params {
				t.Error("the root's own block is not here")
			}
		})
	}
}
