// Package mesh is a model of gossipsub (v1.1, Vyzovitis and others 2020): which peer
// relays a message to whom. It is a model: go-libp2p-pubsub itself runs in p2p, and
// simulations/calib compares the two.
//
// # What is in it
//
// The mesh of one topic: about D links a peer, mended at each heartbeat when there are
// fewer than Low or as many as High; a message goes to all links but the one that it
// came by, to the first copy of it alone. A peer with High links takes further ones
// only of peers that it dialed, which is every other one. Ids of the messages of the
// last LazyBeats heartbeats are told to Lazy others, drawn anew each time (IHAVE), which
// ask for what they have not seen (IWANT). Messages of 1 KiB and more are refused
// elsewhere as soon as one copy is there (IDONTWANT). Links to peers that are gone are
// dropped at the next heartbeat.
//
// All peers begin without links and make D at their first heartbeat: the mesh has its
// degrees some four heartbeats later.
//
// # What is not
//
// Scores, backoff after a prune, peer exchange, opportunistic grafting, outbound
// quotas, and the handshakes of connections: peers know who is there, each knows
// everybody, and GRAFT costs one message.
package mesh
