package memo

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"
)

// ErrBadID reports a text that is not an identifier of the expected sort.
var ErrBadID = errors.New("not a valid identifier")

// ID is the SHA-256 of the canonical bytes of a memo or of a tree block.
// Inside the program the 32 bytes are used; people are shown the CID.
type ID [32]byte

// SpaceID names a space: the digest of its genesis memo.
type SpaceID [32]byte

// Author is an ed25519 public key. It is also the identity of the libp2p peer
// that writes with it: one peer, one author.
type Author [32]byte

// Sum returns the digest of data.
func Sum(data []byte) ID { return sha256.Sum256(data) }

// String returns the CIDv1 (dag-cbor, sha2-256) of the digest in base32.
func (id ID) String() string {
	mh, err := multihash.Encode(id[:], multihash.SHA2_256)
	if err != nil {
		panic(err) // sha2-256 of 32 bytes always encodes
	}
	return cid.NewCidV1(cid.DagCBOR, mh).String()
}

// IsZero reports whether id names nothing.
func (id ID) IsZero() bool { return id == ID{} }

// Compare orders digests by their bytes.
func (id ID) Compare(o ID) int { return bytes.Compare(id[:], o[:]) }

// ParseID reads the text that ID.String wrote.
func ParseID(s string) (ID, error) {
	c, err := cid.Decode(s)
	if err != nil {
		return ID{}, fmt.Errorf("%w: %q is no CID: %w", ErrBadID, s, err)
	}
	dec, err := multihash.Decode(c.Hash())
	if err != nil || c.Type() != cid.DagCBOR || dec.Code != multihash.SHA2_256 || dec.Length != len(ID{}) {
		return ID{}, fmt.Errorf("%w: %q is no CIDv1 of dag-cbor and sha2-256", ErrBadID, s)
	}
	return ID(dec.Digest), nil
}

// String returns the CID of the space's genesis memo.
func (s SpaceID) String() string { return ID(s).String() }

// IsZero reports whether s names no space, as in a genesis memo itself.
func (s SpaceID) IsZero() bool { return s == SpaceID{} }

// ParseSpaceID reads the text that SpaceID.String wrote.
func ParseSpaceID(s string) (SpaceID, error) {
	id, err := ParseID(s)
	return SpaceID(id), err
}

// libp2pKeyPrefix is the protobuf header of an ed25519 public key in libp2p's
// peer ids (libp2p specs, peer-ids: Type = Ed25519, Data = 32 bytes).
var libp2pKeyPrefix = []byte{0x08, 0x01, 0x12, ed25519.PublicKeySize}

// String returns the libp2p peer id, "12D3KooW…": the base58 of the identity
// multihash of the protobuf-encoded public key.
func (a Author) String() string {
	mh, err := multihash.Encode(append(bytes.Clone(libp2pKeyPrefix), a[:]...), multihash.IDENTITY)
	if err != nil {
		panic(err) // an identity hash of 36 bytes always encodes
	}
	return multihash.Multihash(mh).B58String()
}

// Compare orders authors by their bytes.
func (a Author) Compare(o Author) int { return bytes.Compare(a[:], o[:]) }

// ParseAuthor reads the text that Author.String wrote.
func ParseAuthor(s string) (Author, error) {
	mh, err := multihash.FromB58String(s)
	if err != nil {
		return Author{}, fmt.Errorf("%w: %q is no peer id: %w", ErrBadID, s, err)
	}
	dec, err := multihash.Decode(mh)
	if err != nil {
		return Author{}, fmt.Errorf("%w: %q is no peer id: %w", ErrBadID, s, err)
	}
	key, ok := bytes.CutPrefix(dec.Digest, libp2pKeyPrefix)
	if !ok || dec.Code != multihash.IDENTITY || len(key) != ed25519.PublicKeySize {
		return Author{}, fmt.Errorf("%w: %q is no ed25519 peer id", ErrBadID, s)
	}
	return Author(key), nil
}

// Head names one memo of an author's chain.
type Head struct {
	Author Author
	Seq    uint64
	ID     ID
}

func (h Head) String() string { return fmt.Sprintf("%s#%d %s", h.Author, h.Seq, h.ID) }
