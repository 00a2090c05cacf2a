package memo

import "fmt"

// Revoke is the body of KindRevoke: of Author's memos those up to Seq are good,
// the one at Seq being ID. With Seq 0 and no ID nothing is. Later ones attach only
// beneath a memo of somebody who is not revoked. A revocation by an author who has
// no right to it is a valid memo without effect (package store).
//
// Wire: [author bytes32, seq uint, link|null].
type Revoke struct {
	Author Author
	Seq    uint64
	ID     ID // zero when Seq is 0
}

type wireRevoke struct {
	_      struct{} `cbor:",toarray"`
	Author Author
	Seq    uint64
	Last   *Link
}

func (*Revoke) kind() Kind { return KindRevoke }

func (r *Revoke) encode() ([]byte, error) {
	return Marshal(wireRevoke{Author: r.Author, Seq: r.Seq, Last: linkTo(r.ID)})
}

func (r *Revoke) check() error {
	switch {
	case r.Author == Author{}:
		return fmt.Errorf("%w: a revocation of nobody", ErrInvalid)
	case (r.Seq == 0) != r.ID.IsZero():
		return fmt.Errorf("%w: a revocation names a last good memo by seq and digest, or none", ErrInvalid)
	}
	return nil
}

func decodeRevoke(raw Raw) (Body, error) {
	var w wireRevoke
	if err := Unmarshal(raw, &w); err != nil {
		return nil, fmt.Errorf("revocation: %w", err)
	}
	return &Revoke{Author: w.Author, Seq: w.Seq, ID: w.Last.id()}, nil
}
