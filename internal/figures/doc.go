// Package figures holds the seeds' figures as scenarios. The text that Lightcone
// grew from explains itself in drawings of Alice, Bob and their memos; each one
// that concerns what exists is a test here, TestFigNN, drawn again in the
// language of memo/memotest and acted out by the real rooms: memos are sealed
// into runs, stores attach them, projections fold them.
//
// The fault files do the same for the faults of the implementation that the seeds
// describe, one test each, so that none of them comes back. converge_test.go is
// the promise behind all figures: whatever the DAG and whatever the order of
// delivery, the same memos give the same bytes, which a naive interpreter, written
// from the rules alone, gives as well.
//
// There is nothing here but tests. They may use every room but the network's.
package figures
