package store

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"lightcone/memo"
	"lightcone/walfs"
)

// BranchRun is a run by its head.
type BranchRun struct {
	Time memo.Time
	ID   memo.ID
	Seq  uint64
}

// forkRun is where a run of a forked author is, and its head.
type forkRun struct {
	mark  memo.Mark
	first uint64
	pos   walfs.Position // of the run, or of the own seal
}

func branchKey(space memo.SpaceID, h memo.Head) []byte {
	return append(seqKey(prefixBranch, space, h.Author, h.Seq), h.ID[:]...)
}

func proofKey(space memo.SpaceID, who accusation) []byte {
	return append(authorKey(prefixProof, space, who.author), who.prover[:]...)
}

func forkRunKey(space memo.SpaceID, m memo.Mark) []byte {
	key := binary.BigEndian.AppendUint64(authorKey(prefixForkRun, space, m.Author), uint64(m.Time))
	return append(key, m.ID[:]...)
}

func (r forkRun) encodeShort() []byte {
	return appendPosition(binary.AppendUvarint(nil, r.mark.Seq), r.pos)
}

func (r forkRun) encode() []byte {
	b := bytes.Clone(r.mark.Author[:])
	for _, n := range []uint64{r.mark.Seq, uint64(r.mark.Time), r.first} {
		b = binary.AppendUvarint(b, n)
	}
	return appendPosition(b, r.pos)
}

func decodeForkRun(id memo.ID, b []byte) (forkRun, error) {
	f := fields{b: b}
	var r forkRun
	r.mark = memo.Mark{Head: memo.Head{Author: memo.Author(f.id()), Seq: f.uint(), ID: id}, Time: memo.Time(f.uint())}
	r.first, r.pos = f.uint(), f.position()
	return r, f.end()
}

// branchPlace looks up where a memo is that came to a taken place.
func (v *View) branchPlace(space memo.SpaceID, h memo.Head) (place, bool, error) {
	b, ok, err := v.lookup(branchKey(space, h))
	if err != nil || !ok {
		return place{}, false, err
	}
	p, err := decodePlace(b)
	return p, err == nil && v.floor.above(p.pos), err
}

// forkRun looks up a run of a forked author.
func (v *View) forkRun(space memo.SpaceID, id memo.ID) (forkRun, bool, error) {
	b, ok, err := v.lookup(blockKey(prefixRunID, space, id))
	if err != nil || !ok {
		return forkRun{}, false, err
	}
	r, err := decodeForkRun(id, b)
	return r, err == nil && v.floor.above(r.pos), err
}

// chainRuns yields the runs of an author whose heads are at a place from seq on and
// below another, those that came first to it. It decodes each.
func (v *View) chainRuns(space memo.SpaceID, author memo.Author, seq, below uint64) iter.Seq2[forkRun, error] {
	return func(yield func(forkRun, error) bool) {
		for it, err := range v.kv.Scan(seqKey(prefixRun, space, author, seq), seqKey(prefixRun, space, author, below)) {
			if err != nil {
				yield(forkRun{}, fmt.Errorf("%w: %w", errIndex, err))
				return
			}
			p, err := decodeRunPlace(it.Value)
			last := seqOf(it.Key)
			if err == nil && !v.floor.above(p.pos) {
				continue
			}
			var r *memo.Run
			if err == nil {
				r, err = v.runAt(space, author, p.first, last, p.pos)
			}
			out := forkRun{first: p.first, pos: p.pos}
			if err == nil {
				out.mark = memo.Mark{Head: r.Head(), Time: r.Memos[len(r.Memos)-1].Time}
			}
			if !yield(out, err) || err != nil {
				return
			}
		}
	}
}

func (v *View) runAt(space memo.SpaceID, author memo.Author, first, last uint64, pos walfs.Position) (*memo.Run, error) {
	raw, err := v.rawRun(space, author, first, last, pos)
	if err != nil {
		return nil, err
	}
	return memo.DecodeRun(raw)
}

// Forks returns the authors of a space of whom two branches are held, ascending.
func (v *View) Forks(space memo.SpaceID) []Fork {
	return slices.SortedFunc(maps.Values(v.space(space).forks), func(a, b Fork) int { return a.Author.Compare(b.Author) })
}

// Fork returns what is known of an author's fork, false if two branches of it are
// not held.
func (v *View) Fork(space memo.SpaceID, author memo.Author) (Fork, bool) {
	f, ok := v.space(space).forks[author]
	return f, ok
}

// Forked returns the authors of Forks.
func (v *View) Forked(space memo.SpaceID) []memo.Author {
	var out []memo.Author
	for _, f := range v.Forks(space) {
		out = append(out, f.Author)
	}
	return out
}

// Branched returns the LSN of the last record that joined a branch of any author:
// with an equal vector, a state as of an earlier record may lack it.
func (v *View) Branched(space memo.SpaceID) (last uint64) {
	for _, f := range v.space(space).forks {
		last = max(last, f.Last)
	}
	return last
}

// BranchRuns returns the runs held of an author of Forked, from the fork on, those of
// all branches, ascending by (time, digest) of their heads.
func (v *View) BranchRuns(space memo.SpaceID, author memo.Author) ([]BranchRun, error) {
	var out []BranchRun
	for it, err := range scan(v.kv, authorKey(prefixForkRun, space, author)) {
		if err != nil {
			return nil, err
		}
		k, f := fields{b: it.Key[73:]}, fields{b: it.Value}
		r := BranchRun{Time: memo.Time(seqOf(it.Key)), ID: k.id(), Seq: f.uint()}
		if pos := f.position(); f.end() != nil || k.end() != nil {
			return nil, fmt.Errorf("%w: run of a forked author", errIndex)
		} else if v.floor.above(pos) {
			out = append(out, r)
		}
	}
	return out, nil
}

// RunByID returns the encoded run of a forked author whose head has that digest.
// ErrNoRun for any other: what belongs to a chain without branches is asked for by
// its place.
func (v *View) RunByID(space memo.SpaceID, id memo.ID) ([]byte, error) {
	r, ok, err := v.forkRun(space, id)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("%w: no run of a forked author ends in %s", ErrNoRun, id)
	}
	return v.rawRun(space, r.mark.Author, r.first, r.mark.Seq, r.pos)
}

// Holds reports whether the memo of a head is held, on whatever branch: by its
// digest. Where a state stands for the memos of that place it is taken for one.
func (v *View) Holds(space memo.SpaceID, h memo.Head) (bool, error) {
	id, ok, err := v.ID(space, h.Author, h.Seq)
	if errors.Is(err, ErrNoBody) {
		return true, nil
	}
	if err != nil || !ok || id == h.ID {
		return ok && id == h.ID, err
	}
	_, ok, err = v.branchPlace(space, h)
	return ok, err
}

// BranchIDs returns the digests of the memos that came to a place of an author's
// chain after the first.
func (v *View) BranchIDs(space memo.SpaceID, author memo.Author, seq uint64) (ids []memo.ID, err error) {
	for it, err := range scan(v.kv, seqKey(prefixBranch, space, author, seq)) {
		if err != nil {
			return nil, err
		}
		p, err := decodePlace(it.Value)
		if err != nil {
			return nil, err
		}
		ids = append(ids, p.id)
	}
	return ids, nil
}

// Proof returns a memo that proves that an author forked, the one that is earliest
// by (time, author); false if none is attached.
func (v *View) Proof(space memo.SpaceID, author memo.Author) (memo.Mark, bool) {
	best, ok := memo.Mark{}, false
	for who, m := range v.space(space).proofs { // the least of them: the order does not show
		if who.author == author && (!ok || cmp.Or(cmp.Compare(m.Time, best.Time), m.Author.Compare(best.Author)) < 0) {
			best, ok = m, true
		}
	}
	return best, ok
}

// Mark returns a cut with the authors marked whom a proof in the cut names.
func (v *View) Mark(space memo.SpaceID, cut memo.Vector) memo.Vector {
	out := cut.Clone()
	for who, p := range v.space(space).proofs {
		if m, ok := out.Get(who.author); ok && !m.Forked && cut.Covers(who.prover, p.Seq) {
			m.Forked = true
			out.Set(m)
		}
	}
	return out
}

// Evidence returns two sealed runs of a forked author that contradict each other.
func (v *View) Evidence(space memo.SpaceID, author memo.Author) (a, b *memo.Run, err error) {
	f, ok := v.Fork(space, author)
	if !ok {
		return nil, nil, fmt.Errorf("%w: two branches of %s are not held", ErrNoRun, author)
	}
	p, err := v.place(space, author, f.Seq)
	if err != nil {
		return nil, nil, err
	}
	if a, err = v.runOf(p); err != nil {
		return nil, nil, err
	}
	for it, err := range scan(v.kv, seqKey(prefixBranch, space, author, f.Seq)) {
		if err != nil {
			return nil, nil, err
		}
		if p, err = decodePlace(it.Value); err == nil {
			b, err = v.runOf(p)
		}
		return a, b, err
	}
	return nil, nil, fmt.Errorf("%w: memo %d of %s has no other branch", errIndex, f.Seq, author)
}

// runOf reads the foreign run that a place is in.
func (v *View) runOf(p place) (*memo.Run, error) {
	e, err := v.log.ReadAt(p.pos)
	if err != nil {
		return nil, err
	}
	if e.Kind != walfs.KindRun {
		return nil, fmt.Errorf("%w: memo %s was written here", ErrNoRun, p.id)
	}
	return memo.DecodeRun(e.Data)
}
