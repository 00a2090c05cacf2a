// Package mesh is a model of gossipsub (v1.1, Vyzovitis and others 2020): which peer
// relays a message to whom. It is a model: go-libp2p-pubsub itself runs in p2p, and
// simulations/calib compares the two.
//
// # What is in it
//
// The mesh of one topic: about D links a peer, mended at each heartbeat when there are
// fewer than Low or more than High; a message goes to all links but the one that it
// came by, to the first copy of it alone. Ids of the messages of the last LazyBeats
// heartbeats are told to Lazy others, drawn anew each time (IHAVE), which ask for what
// they have not seen (IWANT). Links to peers that are gone are dropped at the next
// heartbeat; a peer that comes back asks those it knew for its links again.
//
// # What is not
//
// Scores, backoff after a prune, peer exchange, opportunistic grafting, outbound
// quotas, IDONTWANT (the product uses it above 1 KiB alone), and the handshakes of
// connections: peers know who is there, and GRAFT costs one message.
//
// The mesh begins as a union of random cycles, and of a matching where D is odd: each
// peer has D links, drawn from the seed.
package mesh
