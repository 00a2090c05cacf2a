// Command index runs the search tree of package merge side by side with the
// Merkle search trees of bluesky's indigo, in one run on the same keys and values.
//
//	go run . index [--keys 100000] [--rounds 3] [--cases update] [--json FILE]
//	go run . index --keys 1000000 --data airports.csv --key iata
//
// One file, one idea: side.go says what a side can do; lightcone.go, indigo.go
// and resident.go are the sides; blocks.go is the block store that each has of
// its own; data.go makes keys and rows; batches.go, pairs.go, paths.go and ground.go
// are what is done to a side, whatever it is; bench.go runs the rounds; watch.go
// measures; table.go prints; main.go has the flags.
//
// Every figure is of equal work: what a side's tree holds afterwards is compared
// with what it was given, and a side that holds anything else ends the run with
// an error.
package main
