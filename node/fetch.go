package node

import (
	"context"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/p2p/gossip"
)

type fetchedRoot struct {
	id     memo.ID
	root   merge.Root
	vector memo.Vector
	from   PeerID
}

func (s *Space) fetchRoot(ctx context.Context, id memo.ID, origin [8]byte, parts gossip.Parts) (fetchedRoot, error) {
	return fetchedRoot{}, ErrNoNetwork
}
