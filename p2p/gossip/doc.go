// Package gossip is the replication protocol as a value: input in, effects out.
//
// # How it is used
//
// One Core serves every space of a replica. Its owner calls Step with an Input
// (a peer came or went, a frame or a message arrived, memos were attached, time
// passed) and carries out the Effects: send, publish, open, close, deliver, keep.
// The Core does no I/O, starts no goroutine and reads no clock: time and randomness
// are arguments, so the same inputs give the same effects on every machine. It
// reads what the replica holds through Holdings and never writes: attaching is
// the owner's, which reports back with Attached.
//
// Decoding and signature checks are the costly part of a message and need no
// state; Prepare does them, on any goroutine, before the owner sees the input. Runs that
// recon brings once more need no such check (PrepareHolding).
//
// # The protocol
//
// Gossip is the hint, recon the promise. A sealed run is published once on its
// space's topic, next to an 8-byte hint of the sender's vector; a hint that stays
// different, or a run whose causes are missing, starts recon with the sender.
// Recon is a session over one stream:
//
//	A                                   B
//	HELLO proof, vecRoot, credit   ──►        B checks the proof; equal roots: done
//	                               ◄──  HELLO proof, vecRoot, credit
//	                               ◄──  VEC   every author: seq, digest
//	VEC   the authors that differ  ──►
//	RUNS  what B lacks             ──►        in causal order, under B's credit
//	                               ◄──  RUNS  what A lacks, under A's credit
//	CREDIT / DONE                  ◄─►  CREDIT / DONE
//
// Equal vectors cost one round trip. Of more than treeFrom authors B gives the root of
// its vector's tree instead of a list (VECNODES); A asks (VECWANT) level by level for
// the nodes that its own tree does not have, and so learns what differs at the cost of
// what differs. Where that would cost more than the list it asks for the list.
//
// What is served is read in small steps, a Turn each, so that requests from others come
// between. A session that breaks leaves what it
// brought; the next one starts from there. With gossip off, everything still
// arrives: peers that come up and the anti-entropy timer start sessions.
//
// What a side sends is bounded by the cut it held at its VEC: closed under
// causes, so it attaches, and finite, however fast its authors write.
//
// A replica may hold runs back from what is attached, because they are late. Recon says
// and serves them as the rest (Holdings.Had), so that they come once and others get them
// from here too; roots, announcements and seals are of what is attached.
//
// A replica pulls the memos of a space from one peer at a time; two would bring
// the same ones. Its own sessions wait for their turn. In those that others open
// meanwhile, and when two peers open at once, its HELLO grants a credit of zero:
// it serves and takes nothing. One of its own that is answered when another brings
// memos already, as those that stood still during a partition are, ends and is had again.
//
// # Forks
//
// Of an author who forked all branches are exchanged. HELLO carries a digest of what is
// held of those known to have forked; where it differs, A and B compare, author by
// author, the sets of runs from the fork on, by ranges ordered by (time, digest): equal
// fingerprints end a range, others split it in sixteen, and few runs are listed. The
// fingerprints are keyed by both nonces and the secret, so that nobody writes runs that
// make two sets look alike. What a side lacks it asks for by digest:
//
//	RANGES fingerprints            ──►
//	                               ◄──  RANGES fingerprints, lists        in turns,
//	RANGES fingerprints, lists     ──►                                    until one is empty
//	                               ◄──  NEED  digests; none: no more
//	BRANCHES runs in that order    ──►
//
// Where each side holds one branch neither knows of a fork, and such sets do not exist.
// It shows as two heads of one place, or as a run that does not continue the chain. The
// opener of the next session looks for the last common place by digests (PROBE, PROBED),
// says it (PARTED), and both send what they have behind it.
//
// # Roots
//
// A root that the owner folds (Folded) is announced on a topic of its own: signed
// by who made it, its vector's and its state's tree, how many memos it covers, what
// the announcer has beyond it. Roots of equal cuts are equal, whoever makes them, so
// one announcement does for all: each listens for announceListen, then waits for a moment
// in one of the slots that follow, and says nothing if
// an equal root was heard by then, or one that is known to cover its own: of the cut
// held here now, or of a vector that was fetched. This is the Trickle timer of RFC
// 6206 with k = 1. While nothing is news its interval doubles up to announceMax, and
// only then is a root said again, by one peer in each interval: for those whom the
// first announcement did not reach. Slots are drawn so that of all peers about two draw the
// first, of as many as beacons count, members and heads show, or repeated announcements
// tell; and a root that was made late in an interval is said as rarely as if the interval
// had begun with it. So how many announcements a root takes does not grow with the peers.
//
// Where roots are merged that differ, most peers have one that nobody else has, and an
// equal one silences few. So who heard enoughRoots that were news in each enoughTime of an
// interval says nothing in it, unless its root has memos of its own that no root it fetched
// has. Those who have such draw slots among themselves (Tellers).
//
// A root that is news, not of a cut held here, goes to the owner (Announced), and is
// a reason for recon with who relayed it if there is more behind it than is held. A
// root of a cut folded here, but with another state, raises an alarm: its maker, or
// we, compute wrongly. Nothing of this moves our own state; an announcement is its
// maker's word.
//
// What a member can make us remember, ask or tell is bounded, see roots.go.
//
// # Blocks
//
// A root is fetched (Fetch) block by block, from whoever has its blocks, in sessions
// of their own kind: the first frame of the stream is FETCH.
//
//	A                                   B
//	FETCH proof, fresh             ──►        B checks the proof; if asked for, it folds
//	                               ◄──  FETCH proof, newest root
//	WANT  ids of blocks            ──►
//	                               ◄──  BLOCKS  in that order; null: not held
//	WANTSEALS heads                ──►
//	                               ◄──  SEALS   in that order; null: not held
//	DONE                           ──►
//
// First comes the root's own block, then the tree of its vector, then one seal for
// every author it has ahead of us, so that nobody can claim memos that were never
// written, then the tree of its state with the rows. Each part ends in a Fetched;
// what part a fetch goes to is its Parts. A tree is walked from its root node down
// (merge.Walk): a block is asked for by its digest, checked before anything is
// derived from it, and handed to the owner (Keep). Subtrees that our own newest root
// has are not asked for, nor is what is held. Many questions are under way at once,
// as many as make fetchWindow; rows that a reader waits for (Prefer) come first.
//
// One peer is asked at a time: the origin first, then the members in turn. A block
// that it does not have is asked of another, and so is what a stream that broke, or
// a peer that left us waiting, still owes; what came is not asked for again. Only an
// answer that is not what was asked for is a lie: it ends the session, and that peer
// is not asked again. A root that is no root, though every block has its digest, is
// its maker's fault. Fetches of one root share the way, MaxFetches roots are fetched
// at once, and each Fetch has an end: with all it asked for, or with an error when
// every connected member was asked, or nothing new came within fetchPatience.
//
// A zero root stands for the newest of the origin, which folds what it has before it
// answers, within foldPatience, and signs an announcement of it (WORD). Blocks are served within their space alone.
//
// # Inquiries
//
// Memos that a state stands for are covered, and recon does not bring them. Inquire asks
// one peer for the run that has one of them, on a stream that FETCH opens (WANTRUN, RUNS):
// who adopted a state looks into it so. What a signed root has that its memos do not
// make, or lacks that they do, is Evidence against who signed it, for anyone, by its
// bytes alone.
//
// # Hearing
//
// The topic carries everything; a replica hears what it can attach. Once a second its
// owner may say so (Load): a bound in units a second, one for a memo attached, a row
// merged, a block decoded. Without one everything is heard. With one, and more offered,
// a memo is heard with
//
//	p_hear = min(1, max(1/64, w·B/λ))
//
// where λ is what is offered, B hearing's share of the bound less the owner's backlog,
// and w is ¼ for an author who writes more than its fair share. The coin is one for a
// stretch of 1024 memos of a chain, keyed with a secret of the replica's own. Genesis,
// grants, revocations and fork proofs, authors whom a reader waits for (Want) and rows
// that somebody cares about (Config.Cares) are always heard. What is not heard is not
// handed over and waits nowhere; where memos are missing in front of what is heard,
// recon asks for them.
//
// What decides about a published run, a root of others and an announcement is one small
// value for each space, an Ear, beside the replica's Budget. Both can be driven without
// a Core: simulations have a million of them.
//
// All that comes takes from one budget, which keeps room for own memos: runs of recon
// wait in their session and give back their credit late, blocks are asked for as there
// is room and set aside while under way, and the owner takes units for the rows it
// merges (Take). So no second takes more than the bound, by whole ticks.
//
// Where a member's root may stand for memos (Holdings.Adopts) roots bring what is not
// heard: the merging funnel. While a flood is new hearing keeps most of the bound, for
// roots cover little then and cost the leaves that differ, where a memo costs one unit;
// recon fills the gaps of the chains that are heard and names no others in its VEC.
// After that hearing has a small share, and recon brings memos only where
// a peer leads by few. Of announced roots those are merged (Announced.PassBy) that
//
//	p_merge = min(1, (C/λ_roots)·(P̂/P̄))
//
// chooses, C being how many can be merged in a second by what the last ones cost, and
// P̂ the peers behind a root. Where there are beacons an own root is announced when its
// reading advanced, or when it covers two that were merged.
//
// # Who may ask
//
// A HELLO or FETCH carries a proof that its sender knows the space's secret, bound to
// both peers. Without it nothing of a space is served, not even its existence. A peer
// that the owner expels (Expel), because its key was revoked, is served nothing with it.
//
// # Where this departs from the design, for now
//
// Recon itself brings memos alone: state is fetched where the owner asks for it.
package gossip
