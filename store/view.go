package store

import (
	"errors"
	"fmt"
	"iter"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/walfs"
)

// View is what a store held at one moment. Any goroutine may use it, for as long
// as the store is open.
//
// Only its vectors are a copy, made in O(1). Memos and runs are read from the
// live log and index: what those hold below the view's vectors never changes
// any more, and what came later the view does not ask for.
type View struct {
	log    *walfs.Log
	kv     KV
	floor  floor
	spaces map[memo.SpaceID]*spaceView
}

// spaceView is the part of a View that is about one space.
type spaceView struct {
	genesis     *memo.Memo
	sealed, all memo.Vector
	forks       map[memo.Author]Fork
	proofs      map[accusation]memo.Mark
	rights      *Rights                 // does not change
	root        func() (memo.ID, error) // computed once, on demand
	tree        func() (merge.BlockGetter, error)
	had         hadView
}

// freeze makes the spaceView of sp as it is now. old is the one before, or nil;
// while the sealed cut stands still they share the root.
func (sp *space) freeze(old *spaceView) *spaceView {
	v := &spaceView{genesis: sp.genesis, sealed: sp.sealed.Clone(), all: sp.all.Clone(), forks: sp.forks, proofs: sp.proofs}
	if old != nil && !sp.moved {
		v.root, v.tree = old.root, old.tree
	} else {
		sealed := v.sealed
		v.root, v.tree = treeOf(sp.params(), func() memo.Vector { return sealed })
	}
	v.had = sp.freezeHad(v, old)
	if sp.ruled || old == nil {
		v.rights = sp.rights.clone()
	} else {
		v.rights = old.rights
	}
	sp.changed, sp.moved, sp.ruled, sp.heldMoved = false, false, false, false
	return v
}

// params are those of the genesis. Without one nothing is attached, and the
// digest of an empty tree does not depend on them.
func (sp *space) params() merge.Params {
	p := merge.DefaultParams(sp.id)
	if sp.genesis != nil {
		if g, ok := sp.genesis.Body.(*memo.Genesis); ok {
			p.W, p.M, p.D = int(g.W), int(g.M), int(g.D)
		}
	}
	return p
}

func (v *View) space(id memo.SpaceID) *spaceView {
	if sv := v.spaces[id]; sv != nil {
		return sv
	}
	err := fmt.Errorf("%w: %s", ErrUnknownSpace, id)
	none := &spaceView{
		root: func() (memo.ID, error) { return memo.ID{}, err },
		tree: func() (merge.BlockGetter, error) { return nil, err },
	}
	none.had = (&space{}).freezeHad(none, nil)
	return none
}

// Vector returns the attached cut of a space: sealed memos only, fit to be
// offered to peers. It is empty for a space this replica has no part in.
func (v *View) Vector(space memo.SpaceID) memo.Vector { return v.space(space).sealed }

// All returns the attached cut together with own memos that wait for a seal.
func (v *View) All(space memo.SpaceID) memo.Vector { return v.space(space).all }

// VecRoot returns the digest of the search tree of Vector(space).
func (v *View) VecRoot(space memo.SpaceID) (memo.ID, error) { return v.space(space).root() }

// Genesis returns the memo that made the space, if it is held.
func (v *View) Genesis(space memo.SpaceID) (*memo.Memo, bool) {
	g := v.space(space).genesis
	return g, g != nil
}

// ID returns the digest of the memo in the author's place seq, if All(space)
// covers it; ErrNoBody when it is covered and not held, unless a state was adopted
// of which it is a head. It reads the index alone: a foreign memo itself costs the
// decoding of its whole run.
func (v *View) ID(space memo.SpaceID, author memo.Author, seq uint64) (memo.ID, bool, error) {
	if seq == 0 || !v.space(space).all.Covers(author, seq) {
		return memo.ID{}, false, nil
	}
	p, err := v.place(space, author, seq)
	if errors.Is(err, ErrNoBody) {
		if w, ok, err := v.voucher(space, author, seq); err != nil || ok && w.Head.Seq == seq {
			return w.Head.ID, ok, err
		}
	}
	return p.id, err == nil, err
}

// Memo returns the memo in the author's place seq, if All(space) covers it;
// ErrNoBody when it is covered and not held.
func (v *View) Memo(space memo.SpaceID, author memo.Author, seq uint64) (*memo.Memo, bool, error) {
	f, ok, err := v.Reader().Memo(space, author, seq)
	return f.Memo, ok, err
}

// NextRun finds the run that holds the author's first memo after seq, if
// Vector(space) covers one. order is its place in attach order: a run's causes
// have smaller ones. last is the seq of its head. Where the memo is covered and not
// held ok is false, and order is that of the state which covers it: what is behind
// that may have causes that are not held.
func (v *View) NextRun(space memo.SpaceID, author memo.Author, after uint64) (order, last uint64, ok bool, err error) {
	if mark, _ := v.space(space).sealed.Get(author); after >= mark.Seq {
		return 0, 0, false, nil
	}
	from, to := seqKey(prefixRun, space, author, after+1), afterAll(authorKey(prefixRun, space, author))
	for it, err := range v.kv.Scan(from, to) {
		if err != nil {
			return 0, 0, false, fmt.Errorf("%w: %w", errIndex, err)
		}
		p, err := decodeRunPlace(it.Value)
		if err != nil {
			return 0, 0, false, err
		}
		if !v.floor.above(p.pos) {
			continue
		}
		if p.first > after+1 {
			continue // of a branch that goes on from within another run
		}
		return p.order, seqOf(it.Key), true, nil
	}
	if w, ok, err := v.voucher(space, author, after+1); ok || err != nil {
		return w.LSN, 0, false, err
	}
	return 0, 0, false, fmt.Errorf("%w: no run holds memo %d of %s", errIndex, after+1, author)
}

// Run returns the encoded run whose head is the author's memo last; of several
// branches, that which came first.
func (v *View) Run(space memo.SpaceID, author memo.Author, last uint64) ([]byte, error) {
	if last == 0 || !v.space(space).sealed.Covers(author, last) {
		return nil, fmt.Errorf("%w: run of %s to seq %d is not attached", ErrNoRun, author, last)
	}
	b, ok, err := v.lookup(seqKey(prefixRun, space, author, last))
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("%w: no run of %s ends at seq %d", ErrNoRun, author, last)
	}
	p, err := decodeRunPlace(b)
	if err != nil {
		return nil, err
	}
	if !v.floor.above(p.pos) {
		return nil, fmt.Errorf("%w: the run of %s to seq %d: %w", ErrNoRun, author, last, ErrNoBody)
	}
	return v.rawRun(space, author, p.first, last, p.pos)
}

// rawRun returns the encoded run from first to last of which pos is the record, or
// that of the seal.
func (v *View) rawRun(space memo.SpaceID, author memo.Author, first, last uint64, pos walfs.Position) ([]byte, error) {
	e, err := v.log.ReadAt(pos)
	if err != nil {
		return nil, err
	}
	switch e.Kind {
	case walfs.KindRun:
		return e.Clone().Data, nil // it may wait for a slow peer longer than the log lives
	case walfs.KindCheckpoint:
		c, err := decodeCommit(e)
		return []byte(c.Genesis), err
	}
	return v.ownRun(space, author, first, last, e)
}

// ownRun puts a run together from own memos and their seal, the record e.
func (v *View) ownRun(space memo.SpaceID, author memo.Author, first, last uint64, e walfs.Entry) ([]byte, error) {
	var seal ownSeal
	if err := memo.Unmarshal(e.Data, &seal); err != nil {
		return nil, fmt.Errorf("seal in record %d: %w", e.LSN, err)
	}
	r, in := &memo.Run{Space: space, Seal: seal.Seal}, v.Reader()
	for seq := first; seq <= last; seq++ {
		p, err := v.place(space, author, seq)
		if err != nil {
			return nil, err
		}
		f, _, err := in.at(p)
		if err != nil {
			return nil, err
		}
		r.Memos = append(r.Memos, f.Memo)
	}
	return r.Encode()
}

// Seal returns the signature of the author's memo seq, false if no run that ends
// there is held, nor a state of which it is a head. Of several branches that end
// there it is that of the author's head in Vector, or of the one that came first.
func (v *View) Seal(space memo.SpaceID, author memo.Author, seq uint64) (memo.Seal, bool, error) {
	raw, err := v.newestRun(space, author, seq)
	switch {
	case errors.Is(err, ErrNoRun):
		w, ok, err := v.voucher(space, author, seq)
		return w.Seal, ok && w.Head.Seq == seq, err
	case err != nil:
		return memo.Seal{}, false, err
	}
	return memo.Seal(raw[len(raw)-len(memo.Seal{}):]), true, nil // it is what ends a run
}

// newestRun is Run, and of an author's head in Vector the run that ends in it.
func (v *View) newestRun(space memo.SpaceID, author memo.Author, seq uint64) ([]byte, error) {
	mark, _ := v.space(space).sealed.Get(author)
	if _, forked := v.Fork(space, author); forked && mark.Seq == seq {
		if raw, err := v.RunByID(space, mark.ID); !errors.Is(err, ErrNoRun) {
			return raw, err
		}
	}
	return v.Run(space, author, seq)
}

// lookup reads one entry of the index.
func (v *View) lookup(key []byte) (value []byte, ok bool, err error) {
	if value, ok, err = v.kv.Get(key); err != nil {
		err = fmt.Errorf("%w: %w", errIndex, err)
	}
	return value, ok, err
}

// place looks up where a covered memo is; ErrNoBody when it is not held.
func (v *View) place(space memo.SpaceID, author memo.Author, seq uint64) (place, error) {
	b, ok, err := v.lookup(seqKey(prefixMemo, space, author, seq))
	if err != nil {
		return place{}, err
	}
	if ok {
		p, err := decodePlace(b)
		if err != nil || v.floor.above(p.pos) {
			return p, err
		}
	}
	switch _, ok, err := v.voucher(space, author, seq); {
	case err != nil:
		return place{}, err
	case ok:
		return place{}, fmt.Errorf("memo %d of %s: %w", seq, author, ErrNoBody)
	}
	return place{}, fmt.Errorf("%w: memo %d of %s is missing in it", errIndex, seq, author)
}

// scan yields the items of kv whose keys start with prefix.
func scan(kv KV, prefix []byte) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		for it, err := range kv.Scan(prefix, afterAll(prefix)) {
			if err != nil {
				err = fmt.Errorf("%w: %w", errIndex, err)
			}
			if !yield(it, err) {
				return
			}
		}
	}
}
