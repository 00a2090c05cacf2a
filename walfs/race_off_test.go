//go:build !race

package walfs_test

// underRace: see the file built with the race detector.
const underRace = false
