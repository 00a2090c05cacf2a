// Package merge holds the lattice that state lives in, and the search tree that
// gives every state one digest.
//
// # Rows
//
// State is the join of deltas. Delta turns one memo's edit of a row into a Row;
// Join puts rows together:
//
//	d, err := merge.Delta(merge.StampOf(m), edit)
//	row = merge.Join(row, d)
//
// Join is commutative, associative and idempotent, so the order, the duplicates
// and the detours by which memos arrive cannot change a state (package
// merge/mergetest proves it). A row tombstone drops every atom with a smaller
// stamp, and the atoms of its own memo stay. Row.Includes recognises what a row
// already holds without any history. Rows are immutable values that share memory.
//
// A cell is known by its field and type; types never join. Row.Shown says which
// cell of a field a reader sees.
//
//	register  the write with the greatest Stamp
//	multi     every value that no later writer had seen; to write is to resolve
//	counter   the sum of what each author added; who clears the row, clears what
//	          authors add who did not know of it
//	set       every element that was added and whose addition nobody removed: of
//	          concurrent additions and removals of an element, additions win
//
// Multis and sets are observed-remove sets of atoms, each named by a dot: its
// author and a number k that counts the author's additions to the cell. A delta
// says which dots it adds and which it removes. A state remembers every dot it has
// seen, in one span an author, and thus tells an atom that was removed from one it
// has not heard of. A counter's delta holds its author's sums, not a step, so
// that it may arrive twice (delta-state CRDTs: Almeida, Shoker, Baquero 2018).
//
// An author who is forked may give one number to two memos. The state still
// converges: of counts the one with the greater digest stays, of atoms none.
// Writer makes the deltas of authors who are not.
//
// Row.Encode gives the row state, the same bytes on every peer, with a table of
// the memos that every value came from. DecodeRow is strict.
//
// # The search tree
//
// Build makes a B+Tree out of ascending entries. Where its nodes begin depends
// on the keys alone, so equal entries give equal trees, however they came
// about, and one changed entry changes a few nodes. Boundaries are the local
// maxima of a keyed hash: an item begins a node if its priority is the greatest
// among the W items before and after it.
//
//	prio(level, dom, key) = SHA-256("lc1" ‖ space ‖ u8(level) ‖ u8(dom) ‖ key)
//
// A run that stays longer than M is cut again by the priorities of the next
// domain and, below domain D, in its middle half. So a node has W to M items
// whatever keys an attacker chooses; the root may have fewer. The items of a
// level are the first keys, digests, counts and domains of the nodes below; the
// level with one node is the root. No entries make one empty leaf.
//
// Apply changes a tree by a batch of keys; the result is, byte for byte, what
// Build makes of the changed entries, but only nodes that change are read and
// made, and a few neighbours where boundaries move (region.go says which). Diff
// compares two trees without looking at what they have in common, and Merge
// joins them at that cost:
//
//	root, err = merge.Apply(p, blocks, root, []merge.Change{{Key: "k", Value: v}}, blocks)
//	for d, err := range merge.Diff(p, blocks, before, root) { … }
//
// Get, Scan and Rank read a tree. Prove shows to someone who knows nothing but
// the root's digest what the tree holds at a key, or that it holds nothing;
// VerifyProof is their side. All reading is through a BlockGetter, which need
// not be trusted: every block is checked against its digest and against its
// parent.
//
// Walk brings a tree block by block from elsewhere, without trusting who sends
// them. It asks for what is not held and not part of a base tree, and of an
// answer it derives nothing before the answer is checked:
//
//	for !w.Done() {
//		ids, err := w.Next(limit) // ask for them; Again(id) when one does not come
//		err = w.Take(id, data)    // of an answer; then put it
//	}
//
// # Nested rows
//
// In a state tree a row state of up to InlineMax bytes is a value, one of up to
// MaxRowBlock bytes a block of its own. Above that the row is nested: it is cut
// into pieces of about 4 KiB, each with the provenance of what is in it, and these
// are the entries of a search tree of the row's own. How it is cut depends on the
// row alone, so nested rows are as history-independent as trees are: equal rows are
// equal bytes, whatever joins led there. A row that changes puts the pieces that
// changed and their way up, about six blocks for one element of a set of 20,000.
// Readers and joins still take the whole row: time and memory in proportion to it.
//
// # Roots
//
// BuildState and BuildVector make the two trees of a Root, a cut and the state
// at it; ApplyState folds rows into a state, ApplyVector heads into a vector, and
// Replace exchanges rows without a join. MergeRoot merges both trees: a root
// is a function of the set of memos, and MergeRoot of two roots is the root of
// the union, whoever merges and in whatever order.
//
// # What this package does not know
//
// Transport, storage engines, peers, clocks. It starts no goroutines and keeps
// no global state; blocks go through BlockPutter and BlockGetter.
package merge
