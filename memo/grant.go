package memo

import "fmt"

// Role is what a grant lets its author do in a space of members.
type Role uint64

// The roles. Each includes those before it.
const (
	Writer  Role = iota // may write
	Granter             // may also grant, and revoke whom it granted
)

// String returns the role's name.
func (r Role) String() string {
	if r == Granter {
		return "granter"
	}
	return "writer"
}

// Grant is the body of KindGrant: in a space of members Author may write from now
// on, as Role says. Its first memo depends on the grant. A grant by an author who
// has no right to it is a valid memo without effect (package store).
//
// Wire: [author bytes32, role uint].
type Grant struct {
	_      struct{} `cbor:",toarray"`
	Author Author
	Role   Role
}

func (*Grant) kind() Kind { return KindGrant }

func (g *Grant) encode() ([]byte, error) { return Marshal(g) }

func (g *Grant) check() error {
	switch {
	case g.Author == Author{}:
		return fmt.Errorf("%w: a grant to nobody", ErrInvalid)
	case g.Role > Granter:
		return fmt.Errorf("%w: unknown role %d", ErrInvalid, g.Role)
	}
	return nil
}

func decodeGrant(raw Raw) (Body, error) {
	var g Grant
	if err := Unmarshal(raw, &g); err != nil {
		return nil, fmt.Errorf("grant: %w", err)
	}
	return &g, nil
}
