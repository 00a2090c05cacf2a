package node

import (
	"math/rand/v2"

	"lightcone/memo"
)

// maxIntroduced bounds the peers a joining peer is told about.
const maxIntroduced = 32

// introduce draws the peers that a joining peer is told about. Were they always the
// same, as the ones known longest, everybody would be connected with those alone.
func (s *spaceState) introduce(joiner PeerID, chance *rand.Rand) (peers []joinPeer) {
	for _, i := range chance.Perm(len(s.Peers)) {
		k := s.Peers[i]
		if p, err := memo.ParseAuthor(k.ID); err == nil && p != joiner && len(peers) < maxIntroduced {
			peers = append(peers, joinPeer{ID: p, Addrs: k.Addrs})
		}
	}
	return peers
}
