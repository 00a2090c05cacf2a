package p2p

import (
	"errors"
	"fmt"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"

	"lightcone/p2p/gossip"
)

// ErrIdentity reports a libp2p peer whose identity is no ed25519 key.
var ErrIdentity = errors.New("peer has no ed25519 identity")

// idPrefix is what a libp2p peer id of an ed25519 key starts with: an identity
// multihash of 36 bytes, which are a protobuf header and the key.
const idPrefix = "\x00\x24\x08\x01\x12\x20"

// toID returns the libp2p peer id of an author.
func toID(p gossip.Peer) peer.ID { return peer.ID(idPrefix + string(p[:])) }

// toPeer returns the author that a libp2p peer id stands for.
func toPeer(id peer.ID) (p gossip.Peer, err error) {
	key, ok := strings.CutPrefix(string(id), idPrefix)
	if !ok || len(key) != len(p) {
		return p, fmt.Errorf("%w: %s", ErrIdentity, id)
	}
	copy(p[:], key)
	return p, nil
}
