package gossip

import (
	"time"

	"lightcone/memo"
)

// Rates at which published runs are looked into: a signature takes some 60 µs, and what
// is dropped here comes by recon. The rates are of what one peer relays: nobody uses up
// what another may.
const (
	// A peer relays peerEvery apart, after a burst of peerBurst …
	peerEvery, peerBurst = 100 * time.Microsecond, 1 << 14
	// … of these, runs of one author authorEvery apart.
	authorEvery, authorBurst = 200 * time.Microsecond, 1 << 13
	// maxGated bounds the peers, and the authors by peer, that are told apart: with more
	// all begin anew.
	maxGated = 1 << 14
)

// Gate holds floods off before anything of them is decoded or verified. It belongs to
// one goroutine; the zero value is ready.
type Gate struct {
	peers   map[Peer]*Pace
	authors map[[2]Peer]*Pace // by peer and claimed author
	Dropped int64
}

// Admit tells whether an input may go on to Prepare. All but published runs may: what
// sessions bring is bounded by what was granted.
func (g *Gate) Admit(now time.Time, in Input) bool {
	h, ok := in.(*Heard)
	if !ok {
		return true
	}
	allowed := paceOf(&g.peers, h.Peer).Allow(now, peerEvery, peerBurst)
	if author, ok := claimedAuthor(h.Data); ok && allowed {
		allowed = paceOf(&g.authors, [2]Peer{h.Peer, author}).Allow(now, authorEvery, authorBurst)
	}
	if !allowed {
		g.Dropped++
	}
	return allowed
}

func paceOf[K comparable](paces *map[K]*Pace, k K) *Pace {
	if p := (*paces)[k]; p != nil {
		return p
	}
	if *paces == nil || len(*paces) >= maxGated {
		*paces = map[K]*Pace{}
	}
	p := &Pace{}
	(*paces)[k] = p
	return p
}

// claimedAuthor reads the author of a publication's run without decoding it: the third
// part of its array, behind the version and the space.
func claimedAuthor(data []byte) (a memo.Author, ok bool) {
	const at = messageHeader + 1 + 1 + spaceItem
	if len(data) < at+authorItem {
		return a, false
	}
	item := data[at : at+authorItem]
	return memo.Author(item[2:]), item[0] == bytes32Head && item[1] == byte(len(a))
}

// bytes32Head begins a CBOR byte string whose length is in the next byte.
const bytes32Head = 0x58
