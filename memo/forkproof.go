package memo

import (
	"fmt"
	"math"
)

// Limits of fork proofs.
const (
	// MaxForkProof bounds the body of a fork proof: the longest holds a whole run as
	// evidence, next to an author, a place, a digest and a seal.
	MaxForkProof = MaxRunBytes + 256
	// MaxForkProofRun bounds a run of one memo that is a fork proof, the only run that
	// may exceed MaxRunBytes: what proves a fork of the longest run has to travel too.
	MaxForkProofRun = MaxForkProof + MaxHeader
)

// ForkProof is the body of KindForkProof: evidence that Author wrote two memos for
// the place Seq of its chain in the memo's space. Anyone can check it from these
// bytes alone, and it is checked with the memo: one that proves nothing is invalid.
//
// The first piece is always a seal, over Seq and ID. The second contradicts it: a
// seal over the same seq and another digest (Other, OtherSeal), or, where the author
// sealed the other branch elsewhere, an encoded Run of his, sealed as every run, that
// has another memo in that place or goes on behind it from another one. Of the run
// only the seal and the chain of digests count; what its memos say does not.
//
//	body = [author, seq, link, seal, link of the other | null, its seal | run]
//
// Seals of one seq are in ascending order of digests, and a run sealed at Seq is
// written as two seals: so nothing can be proved in two ways by the same two seals.
// The memo depends on a memo of Author, unless it is his own: a cut that holds the
// proof has an entry of him to be marked.
type ForkProof struct {
	Author Author
	Seq    uint64
	ID     ID
	Seal   Seal

	Other     ID // zero: Run is the other piece
	OtherSeal Seal
	Run       Bytes
}

// wireForkProof is the encoded form.
type wireForkProof struct {
	_      struct{} `cbor:",toarray"`
	Author Author
	Seq    uint64
	Link   Link
	Seal   Seal
	Other  *Link
	Piece  Bytes
}

// ProveFork makes a proof out of two sealed runs of one author and space, in
// either order. ErrInvalid: they do not contradict each other.
func ProveFork(a, b *Run) (*ForkProof, error) {
	if a.Head().Seq > b.Head().Seq || a.Head().Seq == b.Head().Seq && b.Head().ID.Compare(a.Head().ID) < 0 {
		a, b = b, a
	}
	head := a.Head()
	p := &ForkProof{Author: head.Author, Seq: head.Seq, ID: head.ID, Seal: a.Seal}
	if other := b.Head(); other.Seq == head.Seq {
		p.Other, p.OtherSeal = other.ID, b.Seal
	} else {
		data, err := b.Encode()
		if err != nil {
			return nil, fmt.Errorf("encode the evidence of a fork: %w", err)
		}
		p.Run = Bytes(data)
	}
	return p, p.Verify(a.Space)
}

func (p *ForkProof) kind() Kind { return KindForkProof }

func (p *ForkProof) encode() ([]byte, error) {
	w := wireForkProof{Author: p.Author, Seq: p.Seq, Link: Link(p.ID), Seal: p.Seal, Other: linkTo(p.Other), Piece: p.Run}
	if w.Other != nil {
		w.Piece = Bytes(p.OtherSeal[:])
	}
	return Marshal(w)
}

func decodeForkProof(raw Raw) (Body, error) {
	var w wireForkProof
	if err := Unmarshal(raw, &w); err != nil {
		return nil, fmt.Errorf("fork proof: %w", err)
	}
	p := &ForkProof{Author: w.Author, Seq: w.Seq, ID: ID(w.Link), Seal: w.Seal, Other: w.Other.id()}
	switch {
	case w.Other == nil:
		p.Run = w.Piece
	case p.Other.IsZero() || len(w.Piece) != len(p.OtherSeal):
		return nil, fmt.Errorf("fork proof: %w: a seal of %d bytes", ErrMalformed, len(w.Piece))
	default:
		copy(p.OtherSeal[:], w.Piece)
	}
	return p, nil
}

// check leaves the seals to Verify, for which it takes the space.
func (p *ForkProof) check() error {
	switch {
	case p.Seq == 0 || p.Seq == math.MaxUint64 || p.ID.IsZero():
		return fmt.Errorf("%w: proof of a fork at seq %d", ErrInvalid, p.Seq)
	case p.Other.IsZero() == (p.Run == ""):
		return fmt.Errorf("%w: proof of a fork with one seal or with three pieces", ErrInvalid)
	case p.Run != "" && p.OtherSeal != Seal{}:
		return fmt.Errorf("%w: proof of a fork with one seal too many", ErrInvalid)
	}
	return nil
}

// checkIn applies the rules that concern the memo around p.
func (p *ForkProof) checkIn(m *Memo) error {
	caused := m.Author == p.Author
	for _, d := range m.Deps {
		caused = caused || d.Author == p.Author
	}
	if !caused {
		return fmt.Errorf("%w: proof of a fork that does not depend on a memo of the author it names", ErrInvalid)
	}
	return p.Verify(m.Space)
}

// Verify returns nil if p proves that its author forked its chain in space.
func (p *ForkProof) Verify(space SpaceID) error {
	if err := p.check(); err != nil {
		return err
	}
	if err := VerifySeal(space, Head{p.Author, p.Seq, p.ID}, p.Seal); err != nil {
		return fmt.Errorf("proof of a fork: %w: %w", ErrInvalid, err)
	}
	if p.Run != "" {
		return p.verifyRun(space)
	}
	if p.ID.Compare(p.Other) >= 0 {
		return fmt.Errorf("%w: proof of a fork whose digests do not ascend", ErrInvalid)
	}
	if err := VerifySeal(space, Head{p.Author, p.Seq, p.Other}, p.OtherSeal); err != nil {
		return fmt.Errorf("proof of a fork: %w: %w", ErrInvalid, err)
	}
	return nil
}

// verifyRun checks the evidence of a run. It rebuilds the chain of digests and
// decodes no body: so peers of all versions judge alike, and evidence that holds
// evidence costs nothing more.
func (p *ForkProof) verifyRun(space SpaceID) error {
	w, err := decodeWireRun([]byte(p.Run), MaxRunBytes)
	if err != nil {
		return fmt.Errorf("proof of a fork: %w", err)
	}
	ids, err := w.digests()
	if err != nil {
		return fmt.Errorf("proof of a fork: %w", err)
	}
	last := w.FirstSeq + uint64(len(ids)) - 1
	head := Head{w.Author, last, ids[len(ids)-1]}
	if err := VerifySeal(space, head, w.Sig); err != nil || w.Space != space || w.Author != p.Author {
		return fmt.Errorf("%w: proof of a fork with a run that the author did not seal in the space: %w", ErrInvalid, err)
	}
	contradicts := false
	switch {
	case last <= p.Seq: // with the same seq it is to be two seals
	case w.FirstSeq <= p.Seq:
		contradicts = ids[p.Seq-w.FirstSeq] != p.ID
	case w.FirstSeq == p.Seq+1:
		contradicts = w.Prev.id() != p.ID
	}
	if !contradicts {
		return fmt.Errorf("%w: proof of a fork whose run does not contradict the sealed memo %d", ErrInvalid, p.Seq)
	}
	return nil
}

// digests returns the digests of the memos of a run, which chain.
func (w *wireRun) digests() ([]ID, error) {
	ids, prev := make([]ID, len(w.Memos)), w.Prev
	for i, m := range w.Memos {
		out := wire{
			V: version, Space: w.Space, Author: w.Author, Seq: w.FirstSeq + uint64(i), Prev: prev,
			Deps: m.Deps, Time: m.Time, Kind: m.Kind, Body: m.Body,
		}
		if m.Kind == KindGenesis {
			out.Space = SpaceID{}
		}
		enc, err := Marshal(out)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
		}
		ids[i] = Sum(enc)
		prev = linkTo(ids[i])
	}
	return ids, nil
}
