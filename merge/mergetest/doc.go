// Package mergetest proves that something is the lattice it claims to be, and
// folds memos the slow and obvious way for comparison.
//
// Laws runs the laws of a join semilattice over whatever Lattice describes:
// rows today, roots and further cell types as they come. Histories generates
// what a handful of authors may have written to one row: concurrent and forked
// memos, row tombstones, and tombstones with deltas in the same memo. Naive folds
// such a history by the rules alone, in a way that shares no code with
// merge.Join.
//
// It must not know what merge does inside: a fault there must not show up here.
package mergetest
