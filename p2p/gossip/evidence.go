package gossip

import (
	"errors"
	"fmt"

	"lightcone/memo"
	"lightcone/merge"
)

// This file is evidence that a peer signed a root whose state is not that of its cut.

// Limits of evidence, checked before anything is built from it.
const (
	// MaxEvidence bounds its bytes: it fits into a frame. What takes more cannot be
	// proved, such as a row of a megabyte, or that a memo far below its author's head was
	// left out.
	MaxEvidence = MaxFrame - 1<<10
	// maxEvidenceMemos bounds the memos between one that was left out and its author's
	// head.
	maxEvidenceMemos = 1 << 10
	// maxEvidenceBlocks bounds the blocks of each of its two proofs.
	maxEvidenceBlocks = 1 << 12
)

const evidenceVersion = 1

// ErrEvidence reports evidence that proves nothing.
var ErrEvidence = errors.New("it proves no lie")

// Evidence shows by its bytes alone that the peer who signed Announcement vouched for a
// row that the memos of its root do not make. With a Head it shows that something was
// left out: Memos[0] changes the row and is in the cut, since each following memo goes
// on from the one before and the last is the author's head in the vector, and the row,
// which may be missing, does not include what it did. Without one it shows that
// something was forged: the row says of Memos[0], the only one, what that did not do.
//
//	[1, genesis, announcement, key, [block of the proof of the row, …], [block of that of the head, …], [memo, …]]
//
// Genesis and memos are encoded memos, byte strings all. Whoever was told a lie, believed
// it and signed a root of his own vouches for it as well: there is evidence against him.
type Evidence struct {
	Genesis      []byte // of the space: it fixes the parameters of trees
	Announcement []byte // as signed
	Key          string // merge.RowKey
	Row          merge.Proof
	Head         merge.Proof // nil: something was forged
	Memos        [][]byte
}

// Lie is what Evidence proves.
type Lie struct {
	Space memo.SpaceID
	From  Peer    // who signed it
	Root  memo.ID // of the encoded root
	Key   string
	Memo  merge.Stamp // what was said of it is forged, or what it did was left out
	// Omitted tells the two apart.
	Omitted bool
	// Said is the row as it was vouched for, Truth what the memo did to it.
	Said, Truth merge.Row
}

type evidenceWire struct {
	_            struct{} `cbor:",toarray"`
	Version      uint64
	Genesis      memo.Bytes
	Announcement memo.Bytes
	Key          memo.Bytes
	Row          []memo.Bytes
	Head         []memo.Bytes
	Memos        []memo.Bytes
}

func wireBytes(in [][]byte) []memo.Bytes {
	out := make([]memo.Bytes, len(in))
	for i, b := range in {
		out[i] = memo.Bytes(b)
	}
	return out
}

func plainBytes(in []memo.Bytes) (out [][]byte) {
	for _, b := range in {
		out = append(out, []byte(b))
	}
	return out
}

// Encode returns the canonical bytes; ErrEvidence where they are more than MaxEvidence.
func (e *Evidence) Encode() ([]byte, error) {
	data, err := memo.Marshal(evidenceWire{
		Version: evidenceVersion, Genesis: memo.Bytes(e.Genesis), Announcement: memo.Bytes(e.Announcement), Key: memo.Bytes(e.Key),
		Row: wireBytes(e.Row), Head: wireBytes(e.Head), Memos: wireBytes(e.Memos),
	})
	if err == nil && len(data) > MaxEvidence {
		err = fmt.Errorf("%w: %d bytes, the limit is %d", ErrEvidence, len(data), MaxEvidence)
	}
	return data, err
}

// DecodeEvidence reads what Encode wrote, and nothing else. Whether it proves anything
// Verify tells.
func DecodeEvidence(data []byte) (*Evidence, error) {
	if len(data) > MaxEvidence {
		return nil, fmt.Errorf("evidence: %w: %d bytes, the limit is %d", ErrWire, len(data), MaxEvidence)
	}
	var w evidenceWire
	if err := memo.Unmarshal(data, &w); err != nil {
		return nil, fmt.Errorf("evidence: %w: %w", ErrWire, err)
	}
	switch {
	case w.Version != evidenceVersion:
		return nil, fmt.Errorf("evidence: %w: version %d, this program reads %d", ErrWire, w.Version, evidenceVersion)
	case max(len(w.Row), len(w.Head)) > maxEvidenceBlocks || len(w.Memos) == 0 || len(w.Memos) > maxEvidenceMemos:
		return nil, fmt.Errorf("evidence: %w: proofs of %d and %d blocks, %d memos", ErrWire, len(w.Row), len(w.Head), len(w.Memos))
	}
	return &Evidence{
		Genesis: []byte(w.Genesis), Announcement: []byte(w.Announcement), Key: string(w.Key),
		Row: plainBytes(w.Row), Head: plainBytes(w.Head), Memos: plainBytes(w.Memos),
	}, nil
}

// Verify returns the lie that the evidence proves. It needs nothing else: no peer that
// follows the protocol, and was not lied to itself, ever signs what there is evidence
// against, whatever else is held here or there.
func (e *Evidence) Verify() (*Lie, error) {
	lie, err := e.verify()
	if err != nil {
		return nil, fmt.Errorf("evidence: %w", err)
	}
	return lie, nil
}

func (e *Evidence) verify() (*Lie, error) {
	space, said, err := parseAnnouncement(e.Announcement)
	if err != nil {
		return nil, err
	}
	root := said.Root
	if root.Params, err = paramsOf(space, e.Genesis); err != nil {
		return nil, err
	}
	data, err := root.Encode()
	if err != nil {
		return nil, err
	}
	topic, name, ok := merge.SplitRowKey(e.Key)
	if !ok || len(e.Memos) == 0 {
		return nil, fmt.Errorf("%w: %q is no row, or there is no memo", ErrEvidence, e.Key)
	}
	m, err := memo.Decode(e.Memos[0])
	if err != nil {
		return nil, err
	}
	lie := &Lie{
		Space: space, From: said.From, Root: memo.Sum(data), Key: e.Key, Memo: merge.StampOf(m), Omitted: len(e.Head) > 0,
	}
	if edit, ok := m.Edits(topic, name); ok && m.SpaceID() == space {
		if lie.Truth, err = merge.Delta(lie.Memo, edit); err != nil {
			return nil, err
		}
	}
	if lie.Said, _, err = merge.VerifyRow(root.Params, root.State, e.Key, e.Row); err != nil {
		return nil, err
	}
	if lie.Omitted {
		err = e.verifyOmitted(lie, m, root)
	} else if len(e.Memos) > 1 || !lie.Said.Forges(lie.Memo, lie.Truth) {
		err = fmt.Errorf("%w: the row says of memo %s what that did", ErrEvidence, m.Head())
	}
	return lie, err
}

// verifyOmitted tells whether a root covers m, by the chain from there to its author's
// head, and lacks what it did.
func (e *Evidence) verifyOmitted(lie *Lie, m *memo.Memo, root merge.Root) error {
	head, err := merge.VerifyHead(root.Params, root.Vector, m.Author, e.Head)
	if err != nil {
		return err
	}
	last := m.Head()
	for _, data := range e.Memos[1:] {
		next, err := memo.Decode(data)
		if err != nil {
			return err
		}
		if next.Prev != last.ID {
			return fmt.Errorf("%w: memo %s does not go on from %s", ErrEvidence, next.Head(), last)
		}
		last = next.Head()
	}
	if last != head.Head || m.SpaceID() != lie.Space {
		return fmt.Errorf("%w: the memos end in %s, the root covers %s", ErrEvidence, last, head.Head)
	}
	if lie.Said.Includes(lie.Truth) {
		return fmt.Errorf("%w: the row includes what memo %s did", ErrEvidence, m.Head())
	}
	return nil
}

// paramsOf returns the parameters that the genesis of a space fixes.
func paramsOf(space memo.SpaceID, genesis []byte) (merge.Params, error) {
	m, err := memo.Decode(genesis)
	if err != nil {
		return merge.Params{}, err
	}
	g, ok := m.Body.(*memo.Genesis)
	if !ok || m.SpaceID() != space {
		return merge.Params{}, fmt.Errorf("%w: memo %s is not what made space %s", ErrEvidence, m.ID(), space)
	}
	return merge.Params{Space: space, W: int(g.W), M: int(g.M), D: int(g.D)}, nil
}
