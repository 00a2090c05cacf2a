// Package node is one replica: it owns a directory, keeps the order persist →
// project → send → notify, and offers the public Go API.
//
//	n, err := node.Open(dir, node.Options{})
//	s, err := n.CreateSpace("default", node.Policy{})
//	r, err := s.Put(ctx, "airports", "00M", node.Fields{"name": v})
//	row, err := s.Session(node.From(r.Token)).Get(ctx, "airports", "00M")
//
// # One owner
//
// One goroutine owns a replica: own writes, what peers deliver and the
// replication protocol all pass through it, in turn. Writers that wait while it
// syncs share the next sync. Readers never ask it: they work on an immutable
// view behind an atomic pointer, and wait for a newer one on its channel.
// Decoding and signature checks happen before the owner sees an input, on the
// goroutines that bring it.
//
// # Own memos that were lost
//
// A disk may go back to what it was: a machine that is rolled back, a sync that was none.
// Peers then hold memos of this node that its log has not, and to write others in their
// place would fork its chain. So behind an unclean stop the writes of a node with a
// network wait, up to 2 s, until the known members of the space said how far they have the
// chain and what they have more of it is here. What the node writes by itself, as pings,
// waits for an answer behind any start.
//
// # Sessions
//
// A Session is a query context that grows with each read and write: a read never
// shows less than it has seen, a write happens after everything it has seen.
// Its token carries that to other processes and peers. A read under a token the
// node does not cover yet waits, asking the token's origin for what is missing,
// and then either fails with a BehindError, which says what is missing and who
// may have it, or answers with a warning.
//
// The context of a session that scanned is the newest root here and the loose heads
// beyond it; sessions share roots. It stays small: beyond 64 loose heads it goes over
// to a newer root of which the session has seen everything, beyond 256 it is folded,
// or gathered in a memo. Session.Fold folds it at once, amid an Update too: what the
// transaction reads, and which causes its memo names, stay.
//
// # Members
//
// A space of Policy{Rights: memo.Members} is written by those who were granted it:
//
//	t, err := n.Ticket(s, node.TicketOptions{Scope: node.ScopeWrite}) // the grant comes with joining
//	r, err := s.Grant(ctx, peer, memo.Writer)                         // or by name
//	r, err = s.Revoke(ctx, peer)
//
// Others read; what they write is ErrNotPermitted and leaves no record. A revocation
// stops what comes after, as far as no member had it: a node that did writes a join
// that makes everybody attach it. What decides this is told in package store.
//
// # Roots and exact reads
//
// A goroutine beside the owner folds what the node has into a root: the cut and its
// state, as two search trees of blocks. ExactToken names one, and an Exact session
// under it shows the state of precisely that cut:
//
//	then, err := s.Session().ExactToken(ctx)
//	row, err := s.Session(node.From(then), node.Read{Mode: node.Exact}).Get(ctx, "airports", "00M")
//
// A token of heads alone is walked, up to a bound. What this node cannot tell is
// ErrContextUnavailable. Exact sessions only read.
//
// # What a peer vouches for
//
// A node that learns that a peer has many memos more fetches that peer's newest root
// beside them: the cut it covers, a seal of every author for what is ahead of the own
// cut, and the state. Until the memos are here, Local reads of rows, and AtLeast reads
// with Read.Vouched, show the join of both, row by row as the blocks come, the asked
// ones first. Row.VouchedBy names the peer where a row says more than the memos here:
//
//	x := s.Session(node.Read{Vouched: true})
//	row, err := x.Get(ctx, "airports", "00M")
//
// Nothing of it gets into the log, the projection, own roots, the feed, or other reads.
// A session does not un-know it: its other reads and its writes wait for the memos,
// and an Update reads what memos here say. Once they are here the peer's word is
// compared with them; Status names the peers whose word was false.
//
// # The change feed
//
// Space.Watch yields what memos did to rows, in the order of the log, as soon as
// a Get shows it. Each consumer reads the log for itself; nothing is queued for
// it and nobody waits for it. A Cursor is a place in the log of one node: the
// LSN of a record and how many of its changes are behind. It also carries the
// context of that place, with which a consumer starts anew on another node.
//
// # History and reasons
//
// Space.History yields the memos that touched a row, causes first, each with the
// earlier edits its author had seen and those it had not. Space.Why tells of each
// field which memos it is from, by which rule, and which edits lost to what. Both
// decide what came before what by the links between memos alone; where a walk
// along them would be too long they say so.
//
// # Beacons
//
// With a network a node is a beacon of the spaces it shares: it writes pings, which claim
// what it has and refer to those of others, about Genesis.Rho of them a second by all
// beacons together while there is news, else one a minute or fewer. Space.Beacons tells
// who pings, what everybody had (the stability cut), which memos came later than that,
// and how far this node is behind its peers. Options.Silent turns the own pings off.
//
// # Spaces that adopt
//
// In a space made with Policy{Trust: memo.Adopt} a member's word stands for memos that do
// not come: the state he announces, or has when recon stays behind, is compared with
// the own one, refused if it stands on memos that its vector or their authors' seals do
// not have, and joined through the log. Compact then deletes the bodies of memos behind a
// checkpoint; peers that lack them are given the state. What a row shows, its history,
// its explanation and the feed name who vouched for it. Writes go on as before: vectors
// cover what was adopted. Two states of one cut whose memos are all held are an Alarm.
// Of each adopted state a few rows and memos, drawn by lot, are compared with each other
// later; what is false is a Proof against who signed it, good for anyone (Node.Evidence,
// Space.Accuse), and nothing more is adopted of that peer until Space.Pardon.
//
// # The network
//
// *Node satisfies p2p.Core without knowing libp2p: p2p.Serve(ctx, n, …) connects
// it. A node without a network is a complete local database.
package node
