// Package mergetest proves that something is the lattice it claims to be, and
// folds memos the slow and obvious way for comparison.
//
// Laws runs the laws of a join semilattice over whatever Lattice describes:
// rows and roots. Histories generates what a handful of authors may have written
// to one row: cells of all types or of some, concurrent and forked memos, row
// tombstones, and tombstones with deltas in the same memo. Naive folds such a
// history by the rules alone, in a way that shares no code with merge.Join: no
// joins, no spans, only memos that name dots. Heavy generates histories whose rows
// are so large that many of them are nested.
//
// Sessions generates what authors do who keep to the rules, and what each of them
// knew and meant, so that tests can compare what readers see with intentions.
//
// It must not know what merge does inside: a fault there must not show up here.
package mergetest
