//go:build race

package walfs_test

// underRace makes the exhaustive tests smaller: the race detector looks for
// something else, and slows them tenfold.
const underRace = true
