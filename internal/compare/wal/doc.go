// Command wal runs Lightcone's log side by side with those of etcd, raft-wal and
// pebble, and with the bare system calls, in one run on one file system.
//
//	go run . wal [--seconds 0.5] [--rounds 3] [--cases append-synced] [--json FILE]
//
// One file, one idea: side.go says what a side is and what a record looks like;
// append.go, read.go and tail.go are what is done to a side, whatever it is; bare.go,
// walfs.go, etcd.go, raftwal.go and pebble.go are the sides; main.go runs the
// rounds; watch.go measures; table.go prints.
//
// Every figure is of equal work: what a side stored is read back afterwards and
// compared, each record once and with all its bytes, and a side that lacks one
// ends the run with an error.
package main
