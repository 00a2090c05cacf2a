// Package p2p carries the replication protocol over libp2p: host, connections,
// topics, streams, framing and limits. It knows peers, spaces and bytes, and
// not what a memo means.
//
//	server, err := p2p.Serve(ctx, node, p2p.Options{})
//	server.Keep(peer, addrs)     // stay connected
//	server.Block(peer)           // a partition, made by the product itself
//	server.Close()
//
// Serve drives a Core (a *node.Node): what happens on the network becomes
// Core.Input, and what the core wants done comes through gossip.Network, which
// the Server implements.
//
// # Peers
//
// A peer's libp2p identity is its author key; peers with another kind of key
// are refused by the Gater, as are blocked ones and those blamed too often. Of those
// who dial us it lets in who is kept, members, and few strangers, counted by net.
// Until a stranger proves to know a space's secret, in recon or in a meeting, its
// streams are short, soon ended and small. PeerUp is reported once a
// connected peer is known to speak recon, PeerDown when its last connection is
// gone; the two alternate, and what the core is slow to take in is folded into
// the latest state, so that no queue grows. A peer that returned before its old
// connection was seen to be gone was never down; its sessions end all the same.
//
// Keep pins a peer: it stays connected, as do those of Options.Peers. Others, named by
// Suggest, by members in a meeting, or found at the rendezvous, are candidates, of which
// some are drawn at random and dialled. In a meeting two peers prove to each other that
// they share a space without naming it; the core is told by gossip.Met.
//
// A peer that others may not reach reserves a place at relays among its peers. What
// runs through a relay carries everything that a direct connection does, and ends soon
// after a direct one stands: dialled, or by hole punching.
//
// # Recon
//
// A session is one stream of /lightcone/recon/1. Its frames are delivered in the
// order in which they were sent, and then exactly one Closed, whoever ended it
// and however: also after the core's own Close, and when the stream never stood.
// An orderly end delivers what was sent before it; after a reset it may be lost.
//
// # Topics
//
// Each space has a gossipsub of its own, on a protocol of its own, and to it the
// world consists of the peers admitted to that space: it neither opens a stream
// to others nor is handed theirs. So a peer that did not prove that it knows the
// space's secret gets no message, no announcement, no message id and no hint
// that the space is served here, even if it takes part in another space.
//
// A stream of an admitted peer that we have not admitted yet waits for a moment,
// and each side opens its own as soon as it admits the other. From the next
// heartbeat of gossipsub on the two may be linked: what one publishes or relays
// goes to the other. A peer has two or three links, see mesh.go. What fell between
// is repaired by recon, which a new link starts (gossip.Linked). An admission lasts
// while the peer is connected; at the next connection the core is asked
// (Core.Admitted).
//
// A space has two topics: runs travel on the one, announcements of roots on the
// other. The queues of the second are short, and what one peer relays there is
// bounded in rate before anything is decoded.
//
// Messages carry no author and no signature of gossipsub: runs and announcements
// authenticate themselves. All runs are relayed; what does not decode is refused by
// the core. Messages lost to full queues are counted in Traffic.
//
// # Limits
//
// Every queue and every count has a named bound, next to what it bounds.
package p2p
