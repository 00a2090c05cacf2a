// Package store keeps a replica's memos: durable, attached in causal order, and
// ready to be handed to other peers.
//
// # Two parts on disk
//
// The truth is a write-ahead log (package walfs, dir/wal). A foreign run is one
// record, an own memo is one record, the seal over own memos is one record. A
// memo is appended when it attaches, never before, so the order of the log is a
// causal order: whoever reads it front to back meets every cause before its
// effects, and a cursor into it never misses a memo.
//
// The index (the KV seam, pebble in dir/kv, or an ordered map in memory) says
// where in the log things are. It has no log of its own. Every writing call puts
// its changes into it as one batch together with the LSN they reach, so that
// what a crash leaves is a prefix, and Open replays the rest. The index can
// therefore be deleted, damaged or older than the log: Open rebuilds it, with
// the same answers. keys.go lists what is in it. Only the pending set and the
// quarantine live nowhere else; lost, they are wanted from peers again.
//
// # How it is used
//
//	s, err := store.Open(dir, store.Options{})
//	s.AddSpace(id)                       // accept memos of this space
//	placed, err := s.AppendOwn(walfs.Group, memos, &seal)
//	res, err := s.Attach(runs)           // decoded and verified foreign runs
//	v := s.View()                        // what other goroutines read
//	a, res, err := s.Adopt(adoption)     // a state, on its announcer's word
//	err = s.Replay(lsn, f)               // what attached, to rebuild a projection
//	f, err := v.Feed(lsn)                // what attached, as it comes
//	s.Clean()                            // the last stop was an orderly one
//	v.RowMemos(id, topic, row, from, to) // those that edit one row
//
// One goroutine, the replica's owner, calls the methods that write. View may be
// called by anybody at any time; a View never changes.
//
// # Attaching
//
// A run attaches when its author's memo before it is attached, every dep is
// covered and it breaks no rule. Until then it waits in the pending set, filed
// under one missing cause, and is looked at again when that cause attaches. The
// set is bounded in runs and bytes; the oldest runs make room. Runs of a kind
// that a newer version writes are kept there too, without blame.
//
// HoldBack keeps runs from attaching that the replica finds late (quarantine.go). They
// are of no cut; View.Had shows and serves them to peers beside what is attached, so
// that nobody sends them again and nobody lacks them. Release attaches them, and so
// does a run that depends on one and is not late, a fork of their author, an adopted
// state that covers them, and a bound: nothing of what is held is dropped.
//
// Own memos appended without a seal belong to the own chain at once (View.All,
// View.Memo, Replay) but to View.Vector only when sealed: nothing that could
// still be lost is ever offered to a peer. After a crash they are kept and
// Unsealed reports them, to be sealed.
//
// A run that does not continue the head held here, or that holds other memos at
// covered places, shows that its author forked its chain. It attaches as any other,
// once the memo before its first is held, by digest: branch.go tells what is kept of
// branches. The vector has the greatest head by (seq, digest); View.Forks tells who
// forked, View.Evidence proves it, and a memo that does (kind 6) marks the author in
// the vectors. An own chain that forked is not written on: ErrOwnFork. In a
// space of members what a run may do depends on its author, see below.
//
// # Who may write
//
// In a space of members (rights.go, govern.go) an author's first memo names a grant
// to it that goes back to a root key, else it is refused. Whether it does is a function
// of that memo's past, so all replicas agree; a grant by one without the right is kept
// and has no effect. An author's level is one more than that of the nearest who granted
// it what its first memo names; a root key's is 0. One is made a granter later by
// naming the grant that says so.
//
// A revocation counts if its author is a root key, or granted whom it revokes and is of
// a lower level: so nobody is revoked by whom it may revoke, and no order of arrival
// matters. Runs that reach beyond the last good memo are parked, until a run that
// stands waits for them: then they attach as its causes, and lift their own causes in
// turn. The next run of an author stands if the author is not revoked; a first memo as
// soon as one of the grants that it names is here. What is beneath a run that stands
// lifts whoever wrote it. What attached before the revocation came stays: View.Beyond
// names it, and a memo of the replica that depends on it makes everybody attach it.
// The log is trusted for this: what is in it was attached.
//
// Places that are covered are open to all branches of an author, revoked or not: who
// attached branches in time names the greatest head, and with it the places of all of
// them. A branch that goes beyond that head attaches nowhere, for what a run that stands
// names is a memo and not a place.
//
// So replicas that hold the same runs, and the joins that they owe, attach the same: of
// the runs that only some of them attached take the first of an author nearest to a
// root key. What stops it elsewhere is a revocation from nearer to a root key, which all
// have: then who attached it owes a join. Nothing else keeps it from lifting its causes.
//
// A replica that only reads writes no join. What it alone attached in time it has
// alone; but it got that from a peer, and every writer that attached it covers for all.
// An author whose only grant lies beyond a revocation is a stranger to who does not hold
// it: its own join lifts nothing, another's does.
//
// Strangers, whose runs will not attach as things are, have a share of the pending set
// and no more.
//
// # State in place of memos
//
// In a space whose genesis says trust=adopt, Adopt joins the state that a peer
// announced: row states and sealed heads, in as many records as it takes, and behind
// them one that commits them (adoptrecord.go). A crash in between leaves all or
// nothing. The vector then covers memos whose bodies are not held: ErrNoBody,
// and View.Vouched tells on whose word. Runs that go on from an adopted head attach;
// those below it are duplicates; NextRun says behind which place in attach order a
// peer needs the state first.
//
// Compact writes the same records of the own state and deletes the log before them,
// the floor. Only the run with the genesis is carried over. An index is rebuilt
// from the last floor, as is whatever Replay feeds.
//
// # A disk that is full, or fails
//
// Appending is refused, with ErrFull, while less than Reserve is free, before the
// disk is really full: so the index can be written to the end. Should somebody
// else take that too, the index waits for room (gate.go) with what it has in
// memory, and appending is refused until it has caught up. ErrFull ends by itself.
// What does not is a failed sync of the log, and an index that cannot be written
// for another reason: the store has to be opened again. Reading goes on in every
// case.
//
// # What this package does not know
//
// Peers, and what deltas mean. Signatures are checked before runs get here; only
// own seals are verified, since a bad one would poison the own chain for good.
package store
