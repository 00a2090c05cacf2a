package memo

import (
	"fmt"
	"slices"
)

// MaxDeps bounds the causes of one memo by other authors; more are gathered by
// Join memos in the own chain first.
const MaxDeps = 32

// Memo is one immutable event. Make one with New or Decode, which check it and
// fix its identity; after that no field may change.
type Memo struct {
	Space  SpaceID // zero in a genesis, whose digest is the space's id
	Author Author
	Seq    uint64 // 1, 2, 3, … in the author's chain in this space
	Prev   ID     // the author's previous memo; zero when Seq is 1
	Deps   []Head // direct causes by other authors, ascending by author
	Time   Time
	Body   Body

	id  ID
	raw Raw // the canonical encoding of Body
}

// wire is the encoded form of a memo; its order of fields is the format.
type wire struct {
	_      struct{} `cbor:",toarray"`
	V      uint64
	Space  SpaceID
	Author Author
	Seq    uint64
	Prev   *Link
	Deps   []wireDep
	Time   Time
	Kind   Kind
	Body   Raw
}

type wireDep struct {
	_      struct{} `cbor:",toarray"`
	Author Author
	Seq    uint64
	Link   Link
}

// New checks m and returns it with its identity fixed. The body of m and its
// Deps belong to the result from then on.
func New(m Memo) (*Memo, error) {
	if m.Body == nil {
		return nil, fmt.Errorf("%w: a memo without a body", ErrInvalid)
	}
	raw, err := m.Body.encode()
	if err != nil {
		return nil, fmt.Errorf("encode body: %w", err)
	}
	return finish(&m, raw)
}

// finish checks m, whose body encodes to raw, and computes its digest.
func finish(m *Memo, raw Raw) (*Memo, error) {
	m.raw = raw
	if err := m.check(); err != nil {
		return nil, err
	}
	enc, err := m.Encode()
	if err != nil {
		return nil, err
	}
	m.id = Sum(enc)
	return m, nil
}

// ID returns the digest of the canonical bytes.
func (m *Memo) ID() ID { return m.id }

// Kind tells what the body is.
func (m *Memo) Kind() Kind { return m.Body.kind() }

// SpaceID returns the space m belongs to; a genesis belongs to the space it makes.
func (m *Memo) SpaceID() SpaceID {
	if m.Kind() == KindGenesis {
		return SpaceID(m.id)
	}
	return m.Space
}

// Head returns m's place in its author's chain.
func (m *Memo) Head() Head { return Head{Author: m.Author, Seq: m.Seq, ID: m.id} }

// Encode returns the canonical bytes, whose digest is the memo's ID.
func (m *Memo) Encode() ([]byte, error) {
	return Marshal(wire{
		V: version, Space: m.Space, Author: m.Author, Seq: m.Seq, Prev: linkTo(m.Prev),
		Deps: toWireDeps(m.Deps), Time: m.Time, Kind: m.Kind(), Body: m.raw,
	})
}

// Decode reads one memo strictly. A kind or cell type of a newer version
// decodes too; see Known.
func Decode(data []byte) (*Memo, error) {
	if len(data) > MaxForkProof+MaxHeader {
		return nil, fmt.Errorf("memo: %w: %d bytes, the limit is %d", ErrTooLarge, len(data), MaxForkProof+MaxHeader)
	}
	var w wire
	if err := Unmarshal(data, &w); err != nil {
		return nil, fmt.Errorf("memo: %w", err)
	}
	if w.V != version {
		return nil, fmt.Errorf("memo: %w: version %d, this program reads %d", ErrMalformed, w.V, version)
	}
	body, err := decodeBody(w.Kind, w.Body)
	if err != nil {
		return nil, fmt.Errorf("memo: %w", err)
	}
	return finish(&Memo{
		Space: w.Space, Author: w.Author, Seq: w.Seq, Prev: w.Prev.id(),
		Deps: fromWireDeps(w.Deps), Time: w.Time, Body: body,
	}, w.Body)
}

// MaxHeader bounds what a memo has besides its body: 9 elements, of which the
// 32 deps of 84 bytes are the largest.
const MaxHeader = 4 << 10

// Known returns ErrUnknownKind when m, or a delta in it, is of a kind that this
// version cannot apply.
func (m *Memo) Known() error {
	switch b := m.Body.(type) {
	case *Opaque:
		return fmt.Errorf("%w: kind %d", ErrUnknownKind, b.Kind)
	case *Edit:
		for _, t := range b.Topics {
			for _, r := range t.Rows {
				for _, d := range r.Deltas {
					if !d.Type.known() {
						return fmt.Errorf("%w: cell type %d", ErrUnknownKind, d.Type)
					}
				}
			}
		}
	}
	return nil
}

// check applies every rule that needs nothing but the memo.
func (m *Memo) check() error {
	genesis, most := m.Kind() == KindGenesis, MaxEdit
	if m.Kind() == KindForkProof {
		most = MaxForkProof
	}
	switch {
	case m.Seq == 0:
		return fmt.Errorf("%w: a chain starts at seq 1", ErrInvalid)
	case (m.Seq == 1) != m.Prev.IsZero():
		return fmt.Errorf("%w: seq %d with prev %v", ErrInvalid, m.Seq, !m.Prev.IsZero())
	case genesis != m.Space.IsZero():
		return fmt.Errorf("%w: a genesis, and nothing else, has no space", ErrInvalid)
	case genesis && (m.Seq != 1 || len(m.Deps) != 0):
		return fmt.Errorf("%w: a genesis is the first memo of its author and has no causes", ErrInvalid)
	case !genesis && m.Seq == 1 && len(m.Deps) == 0:
		return fmt.Errorf("%w: an author's first memo depends on the genesis or a grant", ErrInvalid)
	case m.Time > MaxTime:
		return fmt.Errorf("%w: time %d", ErrInvalid, m.Time)
	case len(m.raw) > most:
		return fmt.Errorf("%w: a body of %d bytes, the limit is %d; split the edit", ErrTooLarge, len(m.raw), most)
	}
	if err := m.checkDeps(); err != nil {
		return err
	}
	if err := m.Body.check(); err != nil {
		return err
	}
	switch b := m.Body.(type) {
	case *Edit:
		return b.checkAuthor(m.Author, m.Time)
	case *Ping:
		return b.checkMemo(m)
	case *ForkProof:
		return b.checkIn(m)
	}
	return nil
}

func (m *Memo) checkDeps() error {
	if err := checkHeads("dep", m.Deps, MaxDeps); err != nil {
		return err
	}
	for _, d := range m.Deps {
		if d.Author == m.Author {
			return fmt.Errorf("%w: a dep on the own chain", ErrInvalid)
		}
	}
	return nil
}

// checkHeads refuses links of a memo that are too many, without a place, or not one
// an author in ascending order.
func checkHeads(what string, heads []Head, most int) error {
	if len(heads) > most {
		return fmt.Errorf("%w: %d %ss, the limit is %d", ErrTooLarge, len(heads), what, most)
	}
	for i, h := range heads {
		switch {
		case h.Seq == 0 || h.ID.IsZero():
			return fmt.Errorf("%w: a %s without a place", ErrInvalid, what)
		case i > 0 && heads[i-1].Author.Compare(h.Author) >= 0:
			return fmt.Errorf("%w: %ss are not strictly ascending by author", ErrInvalid, what)
		}
	}
	return nil
}

// SortDeps puts heads into the order that Deps has.
func SortDeps(heads []Head) {
	slices.SortFunc(heads, func(a, b Head) int { return a.Author.Compare(b.Author) })
}

func toWireDeps(heads []Head) []wireDep {
	out := make([]wireDep, len(heads))
	for i, h := range heads {
		out[i] = wireDep{Author: h.Author, Seq: h.Seq, Link: Link(h.ID)}
	}
	return out
}

func fromWireDeps(deps []wireDep) []Head {
	if len(deps) == 0 {
		return nil
	}
	out := make([]Head, len(deps))
	for i, d := range deps {
		out[i] = Head{Author: d.Author, Seq: d.Seq, ID: ID(d.Link)}
	}
	return out
}

// BodySize returns the length in bytes of the encoded body.
func (m *Memo) BodySize() int { return len(m.raw) }
