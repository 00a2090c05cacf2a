package memo

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// Kind tells what a memo's body is.
type Kind uint64

// The kinds of memo. Kinds this version does not handle decode to Opaque.
const (
	KindGenesis Kind = iota
	KindEdit
	KindPing
	KindJoin
	KindGrant
	KindRevoke
	KindForkProof
)

// ErrUnknownKind reports a memo whose kind, or one of whose cell types, belongs
// to a newer version. It is held, not attached, and nobody is blamed for it.
var ErrUnknownKind = errors.New("memo of a kind this version does not know; a newer version reads it")

// ErrInvalid reports a memo, run or key that breaks a rule of its format.
var ErrInvalid = errors.New("invalid")

// Body is what a memo says: *Genesis, *Edit, *Ping, Join, *Grant, *Revoke,
// *ForkProof or *Opaque.
type Body interface {
	kind() Kind
	encode() ([]byte, error)
	check() error
}

// Join is the empty body of KindJoin: a memo that only gathers causes.
type Join struct{}

func (Join) kind() Kind              { return KindJoin }
func (Join) encode() ([]byte, error) { return Marshal([]Raw{}) }
func (Join) check() error            { return nil }

// Opaque is the body of a kind this version does not know, as it came.
type Opaque struct {
	Kind Kind
	Raw  Raw
}

func (o *Opaque) kind() Kind              { return o.Kind }
func (o *Opaque) encode() ([]byte, error) { return o.Raw, nil }

// check refuses the kinds that decode to a body of their own.
func (o *Opaque) check() error {
	switch o.Kind {
	case KindGenesis, KindEdit, KindPing, KindJoin, KindGrant, KindRevoke, KindForkProof:
		return fmt.Errorf("%w: an opaque body of the known kind %d", ErrInvalid, o.Kind)
	}
	return canonical(o.Raw)
}

// Rights says who may write into a space.
type Rights uint64

// The rights of a space.
const (
	Open    Rights = iota // whoever knows the space
	Members               // authors with a grant
)

// Trust says what another peer's root is worth (DESIGN.md §4).
type Trust uint64

// The trust policies of a space.
const (
	Verify Trust = iota // only memos move the own root
	Adopt               // a member's signed state is joined at once
)

// Limits of a genesis.
const (
	MaxSpaceName = 64 // bytes
	MaxRootKeys  = 64
)

// Genesis is the body of KindGenesis, the memo that makes a space and fixes
// its rules: who may write, whose roots are believed, the parameters W, M, D of
// its search tree (package merge) and Rho, its target of beacon pings per second.
type Genesis struct {
	_        struct{} `cbor:",toarray"`
	Name     string
	RootKeys []Author
	Rights   Rights
	Trust    Trust
	W, M, D  uint64
	Rho      float64
}

// Default tree parameters and beacon rate of a new space (DESIGN.md §4, §6).
const (
	DefaultW   = 16
	DefaultM   = 128
	DefaultD   = 3
	DefaultRho = 2.0
)

func (g *Genesis) kind() Kind { return KindGenesis }

func (g *Genesis) encode() ([]byte, error) { return Marshal(g) }

func (g *Genesis) check() error {
	switch {
	case g.Name == "" || len(g.Name) > MaxSpaceName || !utf8.ValidString(g.Name):
		return fmt.Errorf("%w: a space's name has 1 to %d bytes of UTF-8", ErrInvalid, MaxSpaceName)
	case len(g.RootKeys) > MaxRootKeys:
		return fmt.Errorf("%w: %d root keys, the limit is %d", ErrTooLarge, len(g.RootKeys), MaxRootKeys)
	case g.Rights > Members || g.Trust > Adopt:
		return fmt.Errorf("%w: unknown rights %d or trust %d", ErrInvalid, g.Rights, g.Trust)
	case g.W < 1 || g.W > g.M/4 || g.M > 1<<12 || g.D > 16: // M ≥ 4W, said so that nothing overflows
		return fmt.Errorf("%w: tree parameters w=%d M=%d D=%d", ErrInvalid, g.W, g.M, g.D)
	case !(g.Rho > 0):
		return fmt.Errorf("%w: a beacon rate of %v", ErrInvalid, g.Rho)
	}
	return nil
}

// decodeBody reads the body of the given kind, strictly.
func decodeBody(k Kind, raw Raw) (Body, error) {
	switch k {
	case KindGenesis:
		var g Genesis
		if err := Unmarshal(raw, &g); err != nil {
			return nil, fmt.Errorf("genesis: %w", err)
		}
		return &g, nil
	case KindEdit:
		return decodeEdit(raw)
	case KindPing:
		return decodePing(raw)
	case KindJoin:
		var none []Raw
		if err := Unmarshal(raw, &none); err != nil || len(none) != 0 {
			return nil, fmt.Errorf("%w: the body of a join is empty", ErrMalformed)
		}
		return Join{}, nil
	case KindGrant:
		return decodeGrant(raw)
	case KindRevoke:
		return decodeRevoke(raw)
	case KindForkProof:
		return decodeForkProof(raw)
	default:
		return &Opaque{Kind: k, Raw: raw}, nil
	}
}
