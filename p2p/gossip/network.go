package gossip

import (
	"context"
	"time"

	"lightcone/memo"
)

// Network is what a driver lends to the owner of a Core. Its methods are safe
// for concurrent use and none but Ask waits for the network.
type Network interface {
	// Do carries out the effects that leave the replica, in order. It returns at
	// once; what a full queue cannot take closes its session, or is counted as
	// dropped when it was a publication.
	Do(e *Effects)
	// Serve subscribes to the topic of a space. Repeating it is harmless.
	Serve(space memo.SpaceID)
	// Keep makes the driver stay connected to p, redialling with backoff: who issued
	// our ticket, or whom an operator named.
	Keep(p Peer, addrs []string)
	// Suggest names a peer that takes part in a space, and where it was. The driver
	// stays connected with some of these, drawn at random.
	Suggest(space memo.SpaceID, p Peer, addrs []string)
	// Ask sends one request to p and returns its answer: how a space is joined.
	Ask(ctx context.Context, p Peer, addrs []string, request []byte) ([]byte, error)
	// Addrs returns the multiaddrs this peer can be reached at.
	Addrs() []string
	// Peers describes the connected peers, ascending by id.
	Peers() []PeerInfo
	// Block cuts the named peers off, or everybody when none is named: existing
	// connections close and new ones are refused, both ways, until Unblock.
	Block(peers ...Peer)
	// Unblock undoes every Block.
	Unblock()
	// Traffic returns what was sent and received since the start.
	Traffic() Traffic
}

// PeerInfo describes a connected peer.
type PeerInfo struct {
	Peer       Peer
	Addrs      []string      // remote addresses of the open connections
	Transports []string      // of these: quic, tcp, ws, wss; sorted, each once
	RTT        time.Duration // a moving average; zero when not measured yet
	Relayed    bool          // all of these run through relays
	Since      time.Time     // when the oldest of them was made
	Pinned     bool          // see Network.Keep
	Score      float64       // what the peer was blamed for, 0 or less
}

// Traffic counts bytes on the wire and messages that were dropped here.
type Traffic struct {
	Sent, Received int64
	Dropped        int64 // publications and messages lost to full queues, or above the rate of who relays them
	Topics         TopicTraffic
}

// TopicTraffic counts what came in on the topics of all spaces.
type TopicTraffic struct {
	Bytes            int64 // of all that follows
	Messages, Copies int64 // messages, and the copies in which they came
	Roots            int64 // of the messages, announcements of roots
	CopyBytes        int64 // of the copies with their frames; the rest of Bytes is control

	IHave, IWant, IDontWant int64 // message ids in control of that kind
	Grafts, Prunes          int64
}

// RemoteError is the answer of a peer that refuses a request: Ask returns it, so
// that a refusal can be told from a peer that cannot be reached.
type RemoteError struct{ Text string }

func (e *RemoteError) Error() string { return "peer refuses: " + e.Text }
