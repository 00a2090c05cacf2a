package memo

import (
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Limits of a run; of one that is a fork proof alone, see MaxForkProofRun.
const (
	MaxRunMemos = 64
	MaxRunBytes = 224 << 10
)

// ErrBadSeal reports a run whose signature is not its author's.
var ErrBadSeal = errors.New("seal does not verify")

// sealPrefix separates a seal from every other signature of the same key.
const sealPrefix = "lightcone/seal/1"

// Seal is the author's signature over the head of a run. It is not part of any
// memo's identity.
type Seal [ed25519.SignatureSize]byte

// sealedBytes is what a seal signs: the prefix, the space, the head's seq, big
// endian, and the head's digest.
func sealedBytes(space SpaceID, head Head) []byte {
	b := append([]byte(sealPrefix), space[:]...)
	b = binary.BigEndian.AppendUint64(b, head.Seq)
	return append(b, head.ID[:]...)
}

// Sign seals head, a memo of key's author in space.
func Sign(key ed25519.PrivateKey, space SpaceID, head Head) Seal {
	return Seal(ed25519.Sign(key, sealedBytes(space, head)))
}

// VerifySeal returns ErrBadSeal unless head's author signed it in space.
func VerifySeal(space SpaceID, head Head, s Seal) error {
	if !ed25519.Verify(head.Author[:], sealedBytes(space, head), s[:]) {
		return fmt.Errorf("%w: %s", ErrBadSeal, head)
	}
	return nil
}

// Run is 1 to MaxRunMemos consecutive memos of one author, the last one sealed.
type Run struct {
	Space SpaceID
	Memos []*Memo
	Seal  Seal
}

type wireRun struct {
	_        struct{} `cbor:",toarray"`
	V        uint64
	Space    SpaceID
	Author   Author
	FirstSeq uint64
	Prev     *Link
	Memos    []wireRunMemo
	Sig      Seal
}

type wireRunMemo struct {
	_    struct{} `cbor:",toarray"`
	Deps []wireDep
	Time Time
	Kind Kind
	Body Raw
}

// Author returns who wrote the run.
func (r *Run) Author() Author { return r.Memos[0].Author }

// FirstSeq returns the place of the run's first memo.
func (r *Run) FirstSeq() uint64 { return r.Memos[0].Seq }

// Head returns the sealed memo, the last one.
func (r *Run) Head() Head { return r.Memos[len(r.Memos)-1].Head() }

// Encode returns the canonical bytes of the run.
func (r *Run) Encode() ([]byte, error) {
	first := r.Memos[0]
	w := wireRun{
		V: version, Space: r.Space, Author: first.Author, FirstSeq: first.Seq,
		Prev: linkTo(first.Prev), Sig: r.Seal, Memos: make([]wireRunMemo, len(r.Memos)),
	}
	for i, m := range r.Memos {
		w.Memos[i] = wireRunMemo{Deps: toWireDeps(m.Deps), Time: m.Time, Kind: m.Kind(), Body: m.raw}
	}
	return Marshal(w)
}

// DecodeRun reads a run strictly and rebuilds its memos, whose digests chain.
// The seal is not verified: see Verify.
func DecodeRun(data []byte) (*Run, error) {
	w, err := decodeWireRun(data, MaxForkProofRun)
	if err != nil {
		return nil, fmt.Errorf("run: %w", err)
	}
	if len(data) > MaxRunBytes && (len(w.Memos) > 1 || w.Memos[0].Kind != KindForkProof) {
		return nil, fmt.Errorf("run: %w: %d bytes, the limit is %d", ErrTooLarge, len(data), MaxRunBytes)
	}
	r := &Run{Space: w.Space, Seal: w.Sig, Memos: make([]*Memo, len(w.Memos))}
	prev := w.Prev.id()
	for i, wm := range w.Memos {
		m, err := rebuild(w, i, prev)
		if err != nil {
			return nil, fmt.Errorf("run: memo %d of %d (kind %d): %w", i+1, len(w.Memos), wm.Kind, err)
		}
		r.Memos[i], prev = m, m.id
	}
	return r, nil
}

// decodeWireRun reads the fields of a run, strictly, and leaves the bodies as they
// are.
func decodeWireRun(data []byte, most int) (*wireRun, error) {
	if len(data) > most {
		return nil, fmt.Errorf("%w: %d bytes, the limit is %d", ErrTooLarge, len(data), most)
	}
	w := new(wireRun)
	if err := Unmarshal(data, w); err != nil {
		return nil, err
	}
	switch {
	case w.V != version:
		return nil, fmt.Errorf("%w: version %d, this program reads %d", ErrMalformed, w.V, version)
	case len(w.Memos) == 0 || len(w.Memos) > MaxRunMemos:
		return nil, fmt.Errorf("%w: %d memos, a run has 1 to %d", ErrInvalid, len(w.Memos), MaxRunMemos)
	case w.FirstSeq > math.MaxUint64-MaxRunMemos:
		return nil, fmt.Errorf("%w: first seq %d", ErrInvalid, w.FirstSeq)
	}
	return w, nil
}

// rebuild makes the i-th memo of w; prev is the digest of the one before.
func rebuild(w *wireRun, i int, prev ID) (*Memo, error) {
	wm := w.Memos[i]
	body, err := decodeBody(wm.Kind, wm.Body)
	if err != nil {
		return nil, err
	}
	m := &Memo{
		Space: w.Space, Author: w.Author, Seq: w.FirstSeq + uint64(i), Prev: prev,
		Deps: fromWireDeps(wm.Deps), Time: wm.Time, Body: body,
	}
	if wm.Kind == KindGenesis {
		m.Space = SpaceID{}
	}
	if m, err = finish(m, wm.Body); err != nil {
		return nil, err
	}
	if wm.Kind == KindGenesis && m.SpaceID() != w.Space {
		return nil, fmt.Errorf("%w: the genesis makes space %s, the run says %s", ErrInvalid, m.SpaceID(), w.Space)
	}
	return m, nil
}

// Verify checks the seal. A decoded run whose seal verifies is valid.
func (r *Run) Verify() error { return VerifySeal(r.Space, r.Head(), r.Seal) }

// Known returns ErrUnknownKind when a memo of the run cannot be applied here.
func (r *Run) Known() error {
	for _, m := range r.Memos {
		if err := m.Known(); err != nil {
			return fmt.Errorf("%s: %w", m.Head(), err)
		}
	}
	return nil
}
