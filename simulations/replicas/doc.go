// Package replicas runs worlds of three to seven whole replicas, a *node.Node each, on
// a network, disks and clocks that a seed decides about, and holds them to what they
// promise. Nothing of the node is replaced: it writes a real log, on a disk in memory
// that loses power (walfs/walfstest); its index and projection are in memory
// (node.Options.Volatile); its lots come from the seed (node.Options.Seed); its network
// is the world's, which is a p2p of its own kind: streams in order, publications not.
//
//	r := replicas.Run(seed, dir, nil) // within synctest.Test
//	r.Err, r.Trace, r.Struck()
//
// # What is promised
//
// While faults strike: a session, hopping between replicas with its token, reads its own
// writes, never less than it read before, and never a write without those before it. A
// replica that lost power has every own memo that left it. No run leaves without a seal.
//
// When all is healed: the replicas have the same memos, states and roots within minutes of
// their time; their change feeds tell of the same changes, once each; no author wrote two
// memos in one place; nothing forged attached; what was acknowledged is there, but for
// what a replica of level None or Interval had not synced when its power went; and rows
// show what a naive model makes of the feed.
//
// Of a log that rots: what is told from it is so, or is called damage; who starts with it
// has all that left it, or refuses. It gets a new disk and key then, and what somebody
// else had of it is there in the end.
//
// Of a disk that goes back to an image of before, while others hold what it lost: its
// replica gets that back from them, also where it is asked to write at once.
//
// In a space of members: nobody without a grant writes, and nobody takes what a stranger
// wrote, or one who was revoked writes on. The revoked need not be equal to the others.
//
// In a space that adopts replicas delete memos. A feed may lack what others tell then; the
// model is asked where it is known what all of them were.
//
// # The same again
//
// One seed makes one trace, of all that is sent and answered and when. The world is its own
// driver: it sleeps to the next event, lets it happen, waits until every goroutine rests
// and takes what they did in the order of the replicas. It lets one thing happen at a time, keeps
// its events off the instants at which timers fire, and has one client at a replica at a
// time. Tests run on one thread. docs/simulations/replicas.md says how well that works.
//
// # Where things are
//
// plan.go has a world from its beginning to its end, world.go the events, network.go and
// stream.go what is sent, replica.go and disk.go what crashes, client.go the sessions,
// faults.go, rot.go, older.go and liar.go the trouble, variant.go and rights.go what spaces there
// are, oracle.go the verdict.
//
// # What it must not know
//
// libp2p, real time, and how the parts of a node work: it sees what a user and a peer see.
package replicas
