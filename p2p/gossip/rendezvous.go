package gossip

import (
	"crypto/hmac"
	"crypto/sha256"

	"lightcone/memo"
)

// Rendezvous is what the members of a space can be found by: who knows it may be
// one, and nobody learns the space's id or secret from it.
type Rendezvous [sha256.Size]byte

// Rendezvous derives a space's. HMAC-SHA256 over a label and the space, keyed by the
// secret.
func (s Secret) Rendezvous(space memo.SpaceID) Rendezvous {
	mac := hmac.New(sha256.New, s[:])
	mac.Write([]byte("lightcone/rendezvous/1"))
	mac.Write(space[:])
	return Rendezvous(mac.Sum(nil))
}

// Met reports that Peer knows the rendezvous of Space. Recon with it starts as with
// every member; it proves the secret there.
type Met struct {
	Space memo.SpaceID
	Peer  Peer
}

func (Met) input() {}
