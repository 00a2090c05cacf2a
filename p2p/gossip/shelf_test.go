package gossip

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"lightcone/memo"
	"lightcone/merge"
)

// shelf is a replica's memory for tests: Holdings and attach, nothing on disk.
// It follows the rules of package store for one space.
type shelf struct {
	space   memo.SpaceID
	vec     memo.Vector
	root    *memo.ID
	runs    map[memo.Author][]shelved // ascending
	order   uint64
	pending []*memo.Run
	memos   int
	adopts  bool
	library
	grove
	state uint64 // order of the state that stands for runs that were dropped
}

type shelved struct {
	order, first, last uint64
	raw                []byte
}

var errNoRun = errors.New("no such run")

func newShelf(space memo.SpaceID) *shelf {
	return &shelf{space: space, runs: map[memo.Author][]shelved{}, library: library{of: space, blocks: map[memo.ID][]byte{}}, grove: newGrove()}
}

func (s *shelf) Vector(memo.SpaceID) memo.Vector { return s.vec.Clone() }

func (s *shelf) VecRoot(memo.SpaceID) (memo.ID, error) {
	if s.root == nil && s.vec.Len() > treeFrom {
		id, err := merge.BuildVector(merge.DefaultParams(s.space), s.vec, nil)
		if err != nil {
			return id, err
		}
		s.root = &id
	}
	if s.root == nil { // no tree of a small one is exchanged
		h := sha256.New()
		for m := range s.vec.All() {
			h.Write(m.Author[:])
			h.Write(binary.BigEndian.AppendUint64(m.ID[:], m.Seq))
		}
		id := memo.ID(h.Sum(nil))
		s.root = &id
	}
	return *s.root, nil
}

func (s *shelf) Had(id memo.SpaceID) memo.Vector { return s.Vector(id) }

func (s *shelf) HadRoot(id memo.SpaceID) (memo.ID, error) { return s.VecRoot(id) }

func (s *shelf) HadTree(id memo.SpaceID) (merge.BlockGetter, error) {
	tree := newShelf(id)
	_, err := merge.BuildVector(merge.DefaultParams(id), s.vec, tree)
	return getterOf(tree), err
}

func (s *shelf) find(a memo.Author, seq uint64) (shelved, bool) {
	i, _ := slices.BinarySearchFunc(s.runs[a], seq, func(r shelved, seq uint64) int {
		if r.last < seq {
			return -1
		}
		return 1
	})
	if i == len(s.runs[a]) {
		return shelved{}, false
	}
	return s.runs[a][i], true
}

func (s *shelf) NextRun(_ memo.SpaceID, a memo.Author, after uint64) (order, last uint64, ok bool, err error) {
	r, ok := s.find(a, after+1)
	if ok && r.first > after+1 || !ok && s.vec.Covers(a, after+1) {
		return s.state, 0, false, nil
	}
	return r.order, r.last, ok, nil
}

// compact drops all runs but the genesis, as if a state stood for them.
func (s *shelf) compact(genesis *memo.Run) {
	runs := s.runs[genesis.Author()][:1]
	s.runs, s.state = map[memo.Author][]shelved{genesis.Author(): runs}, s.order
}

func (s *shelf) Run(_ memo.SpaceID, a memo.Author, last uint64) ([]byte, error) {
	if r, ok := s.find(a, last); ok && r.last == last {
		return r.raw, nil
	}
	return nil, errNoRun
}

// verdicts of judge.
const (
	attachable = iota
	covered
	waiting
)

func (s *shelf) judge(r *memo.Run) int {
	first := r.Memos[0]
	own, _ := s.vec.Get(r.Author())
	switch {
	case s.has[r.Head().ID]:
		return covered
	case first.Seq > 1 && !s.has[first.Prev] && own.ID != first.Prev:
		return waiting
	}
	for _, m := range r.Memos {
		for _, d := range m.Deps {
			if !s.vec.Covers(d.Author, d.Seq) {
				return waiting
			}
		}
	}
	return attachable
}

// attach takes runs in whatever order their causes allow and answers d.
func (s *shelf) attach(d Deliver) *Attached {
	out := &Attached{Space: d.Space, From: d.From, Session: d.Session, Bytes: d.Bytes}
	for _, r := range d.Runs {
		switch s.judge(r) {
		case attachable:
			s.put(r)
			out.Fresh += len(r.Memos) + s.wake()
		case waiting:
			out.Orphans = true
			s.pending = append(s.pending, r)
		}
	}
	return out
}

// wake attaches pending runs until none can be.
func (s *shelf) wake() (fresh int) {
	for again := true; again; {
		again = false
		s.pending = slices.DeleteFunc(s.pending, func(r *memo.Run) bool {
			v := s.judge(r)
			if v == attachable {
				s.put(r)
				fresh, again = fresh+len(r.Memos), true
			}
			return v != waiting
		})
	}
	return fresh
}

func (s *shelf) put(r *memo.Run) {
	raw, err := r.Encode()
	if err != nil {
		panic(err)
	}
	s.order++
	s.memos += s.file(r, raw)
	if own, _ := s.vec.Get(r.Author()); r.Head().Seq > own.Seq {
		s.runs[r.Author()] = append(s.runs[r.Author()], shelved{
			order: s.order, first: r.FirstSeq(), last: r.Head().Seq, raw: raw,
		})
	}
	s.vec.Add(memo.Mark{Head: r.Head(), Time: r.Memos[len(r.Memos)-1].Time})
	s.root = nil
}

// author writes chains of memos.
type author struct {
	id   Peer
	key  ed25519.PrivateKey
	head memo.Head
}

// authors returns k authors, ascending by id, the same ones for a seed.
func authors(seed uint64, k int) []*author {
	rng := rand.New(rand.NewPCG(seed, 7))
	out := make([]*author, k)
	for i := range out {
		var b [ed25519.SeedSize]byte
		for j := range b {
			b[j] = byte(rng.Uint32())
		}
		key := ed25519.NewKeyFromSeed(b[:])
		out[i] = &author{id: Peer(key.Public().(ed25519.PublicKey)), key: key}
	}
	slices.SortFunc(out, func(a, b *author) int { return bytes.Compare(a.id[:], b.id[:]) })
	return out
}

// found makes a space and its first run.
func (a *author) found() *memo.Run { return a.foundAs(memo.DefaultW, memo.DefaultM) }

// foundAs founds a space whose trees have nodes of that width.
func (a *author) foundAs(least, most uint64) *memo.Run {
	m, err := memo.New(memo.Memo{
		Author: a.id, Seq: 1, Time: 1,
		Body: &memo.Genesis{Name: "test", RootKeys: []memo.Author{a.id}, W: least, M: most, D: memo.DefaultD, Rho: 2},
	})
	if err != nil {
		panic(err)
	}
	a.head = m.Head()
	return a.seal(m.SpaceID(), []*memo.Memo{m})
}

func (a *author) seal(space memo.SpaceID, memos []*memo.Memo) *memo.Run {
	head := memos[len(memos)-1].Head()
	return &memo.Run{Space: space, Memos: memos, Seal: memo.Sign(a.key, space, head)}
}

// write makes a run of n memos with a value of size bytes each; the first one
// depends on deps.
func (a *author) write(space memo.SpaceID, now time.Duration, deps []memo.Head, n, size int) *memo.Run {
	return a.writeRows(space, now, deps, n, size, func() string { return fmt.Sprintf("row-%06d", a.head.Seq) })
}

// overwrite makes a run of one memo that writes a row with 100 bytes.
func (a *author) overwrite(space memo.SpaceID, now time.Duration, row string) *memo.Run {
	return a.writeRows(space, now, nil, 1, 100, func() string { return row })
}

func (a *author) writeRows(space memo.SpaceID, now time.Duration, deps []memo.Head, n, size int, row func() string) *memo.Run {
	memo.SortDeps(deps)
	memos := make([]*memo.Memo, n)
	for i := range memos {
		value := bytes.Repeat([]byte{byte(a.head.Seq)}, size)
		m, err := memo.New(memo.Memo{
			Space: space, Author: a.id, Seq: a.head.Seq + 1, Prev: a.head.ID, Deps: deps,
			Time: memo.Time(now.Milliseconds())<<16 | memo.Time(i),
			Body: &memo.Edit{Topics: []memo.TopicEdit{{Topic: "t", Rows: []memo.RowEdit{{
				Row:    memo.Bytes(row()),
				Deltas: []memo.Delta{{Field: "", Op: memo.Op{Set: true, Value: memo.Blob(value)}}},
			}}}}},
		})
		if err != nil {
			panic(err)
		}
		memos[i], a.head, deps = m, m.Head(), nil
	}
	return a.seal(space, memos)
}
