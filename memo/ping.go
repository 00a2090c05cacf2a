package memo

import "fmt"

// MaxRefs bounds the pings that one ping refers to.
const MaxRefs = 8

// Ping is the body of KindPing, a beacon's sign of life (DESIGN.md §6, package
// beacon). Neither part of it is a condition for attaching, so a ping is attached
// wherever its chain is.
type Ping struct {
	// VecRoot claims what the author had attached when it wrote the ping: the digest
	// of the search tree of that vector (merge.Root.Vector). Zero claims nothing.
	VecRoot ID
	// Refs are pings of other beacons that the author had attached: at most MaxRefs,
	// ascending by author, none of the own chain.
	Refs []Head
}

// wirePing is the encoded form: [vecRoot link|null, [[author, seq, link], …]].
type wirePing struct {
	_       struct{} `cbor:",toarray"`
	VecRoot *Link
	Refs    []wireDep
}

func (p *Ping) kind() Kind { return KindPing }

func (p *Ping) encode() ([]byte, error) {
	return Marshal(wirePing{VecRoot: linkTo(p.VecRoot), Refs: toWireDeps(p.Refs)})
}

func (p *Ping) check() error {
	return checkHeads("ref", p.Refs, MaxRefs)
}

// checkMemo applies the rules that need the memo around the body: a ping has no
// causes, but for those that let its author begin a chain, and refers to others.
func (p *Ping) checkMemo(m *Memo) error {
	if m.Seq > 1 && len(m.Deps) > 0 {
		return fmt.Errorf("%w: a ping with %d deps; it refers to others in its body", ErrInvalid, len(m.Deps))
	}
	for _, r := range p.Refs {
		if r.Author == m.Author {
			return fmt.Errorf("%w: a ping that refers to its own chain", ErrInvalid)
		}
	}
	return nil
}

func decodePing(raw Raw) (*Ping, error) {
	var w wirePing
	if err := Unmarshal(raw, &w); err != nil {
		return nil, fmt.Errorf("ping: %w", err)
	}
	if w.VecRoot != nil && w.VecRoot.id().IsZero() {
		return nil, fmt.Errorf("ping: %w: a link to nothing where null is meant", ErrMalformed)
	}
	return &Ping{VecRoot: w.VecRoot.id(), Refs: fromWireDeps(w.Refs)}, nil
}
