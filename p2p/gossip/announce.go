package gossip

import (
	"lightcone/memo"
	"lightcone/merge"
)

// Announcement is a peer's signed word that a root is that of a cut it has.
type Announcement struct {
	From  Peer
	ID    memo.ID // of the encoded root
	Root  merge.Root
	Memos uint64      // that the root covers
	Peers uint64      // estimate of the peers behind it
	Heads []memo.Head // that the announcer has beyond it
	Raw   []byte      // as signed, to be shown to others
}
