package merge

import (
	"errors"
	"fmt"
	"math"

	"lightcone/memo"
)

// ErrProof reports a proof that does not prove what it is held against.
var ErrProof = errors.New("not a proof for this key and root")

// Proof shows what a tree holds at a key: the bytes of the nodes that Get reads,
// from the root down.
type Proof [][]byte

// proofVersion is the first element of an encoded proof.
const proofVersion = 1

// proofParts is the length of the array [1, [node, …]].
const proofParts = 2

// Prove returns the proof for key, present or not, in the tree under root.
func Prove(p Params, g BlockGetter, root memo.ID, key string) (Proof, error) {
	t := tracer{g: g}
	if _, _, err := Get(p, &t, root, key); err != nil {
		return nil, fmt.Errorf("prove key %q: %w", key, err)
	}
	return t.read, nil
}

// tracer keeps the blocks that are read through it.
type tracer struct {
	g    BlockGetter
	read [][]byte
}

func (t *tracer) Block(id memo.ID) ([]byte, error) {
	data, err := t.g.Block(id)
	if err == nil {
		t.read = append(t.read, data)
	}
	return data, err
}

// VerifyProof returns the value that proof shows key to have in the tree under
// root, or that there is none. It trusts p and root alone. The proof is refused
// (ErrProof, or the error of its first wrong node) unless its nodes are just
// those on the way from root to key: every one is the block its parent names,
// canonical, of the level, key range and count that its parent says. What is
// decided of a node is what DecodeNode decides. No node names its space, so take
// p from where root is from, which is a Root.
func VerifyProof(p Params, root memo.ID, key string, proof Proof) (value []byte, found bool, err error) {
	rest := proof
	value, found, err = Get(p, (*replay)(&rest), root, key)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%w: %d nodes too many", ErrProof, len(rest))
	}
	if err != nil {
		return nil, false, fmt.Errorf("proof of key %q: %w", key, err)
	}
	return value, found, nil
}

// replay gives the nodes of a proof in order, whichever is asked for: that one
// is not it is Get's to see.
type replay Proof

func (r *replay) Block(memo.ID) ([]byte, error) {
	if len(*r) == 0 {
		return nil, fmt.Errorf("%w: it ends above the leaf", ErrProof)
	}
	data := (*r)[0]
	*r = (*r)[1:]
	return data, nil
}

// Encode returns the canonical bytes of the proof.
func (f Proof) Encode() []byte {
	b := appendArray(nil, proofParts)
	b = appendUint(b, proofVersion)
	b = appendArray(b, len(f))
	for _, node := range f {
		b = appendBytes(b, node)
	}
	return b
}

// DecodeProof reads what Proof.Encode wrote, and nothing else. The nodes are
// not looked at; they share memory with data.
func DecodeProof(data []byte) (Proof, error) {
	r := &reader{b: data}
	r.arrayOf(proofParts, "a proof")
	if v := r.uint(); v != proofVersion {
		r.fail("version %d, this program reads %d", v, proofVersion)
	}
	f := make(Proof, r.array(maxLevel+1))
	for i := range f {
		f[i] = r.bytes(math.MaxInt32)
	}
	if err := r.end(); err != nil {
		return nil, fmt.Errorf("proof: %w", err)
	}
	return f, nil
}
