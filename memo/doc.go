// Package memo holds the nouns everything else stands on: the Memo and its
// parts, their one canonical encoding, and the rules that make a memo valid.
//
// # What a memo is
//
// A memo is an immutable event: it carries deltas, never state. Its author
// numbers it 1, 2, 3, … in a chain of its own (seq, prev), names the memos of
// other authors it was caused by (deps), and stamps it with a hybrid logical
// time. Its identity is the SHA-256 of its canonical DAG-CBOR bytes, shown as a
// CIDv1, so that any IPLD tool can read and verify it.
//
//	Memo = [1, space, author, seq, prev, deps, time, kind, body]
//	Run  = [1, space, author, firstSeq, prev, [[deps, time, kind, body], …], sig]
//
// Memos travel and are stored in runs: up to MaxRunMemos consecutive memos of
// one author whose last memo is signed (the seal). The hash chain covers the
// rest. A run is attached whole and is never cut differently.
//
// # Validity
//
// Validity is a function of the bytes and the seal alone, never of a clock, of
// arrival order or of what else is held: no two peers judge a memo differently.
// Decoding is strict: what does not encode back to the same bytes is refused,
// and a failed decode leaves the receiver untouched. A kind or a cell type this
// version does not know is not an error of the sender: the memo decodes with an
// Opaque body, can be hashed and verified, and reports ErrUnknownKind when asked
// whether it may be attached.
//
// # Edits
//
// An edit changes rows of topics: it clears them with a tombstone, and changes
// their cells by deltas, one a cell at most. What a delta says depends on the
// cell's type: Op sets or deletes a Register; a Count says what its author added
// to a Counter in all; a Change adds values to a Multi or elements to a Set and
// lists those it removes. What becomes of them is told in package merge.
//
// # Pings
//
// A ping is a memo that changes nothing: it claims what its author had attached
// and refers to pings of others. What pings mean is told in package beacon.
//
// # Rights
//
// In a space of Members a Grant says who may write, a Revoke up to which of an
// author's memos they are good. Both are valid whoever writes them; who may, and
// what follows, is told in package store.
//
// # Fork proofs
//
// A ForkProof is evidence that an author wrote two memos for one place of its chain:
// two of its seals, or a seal and a run. It is part of the memo's validity that it
// proves what it says.
//
// # What this package does not know
//
// Disk, network, the wall clock, and who reads. Time is an argument (Next).
package memo
