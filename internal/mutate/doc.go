// Mutate removes the defences of the program, one at a time, and shows that a test
// notices each. It is run by hand, before a release or after work on a defence, and is
// no part of CI:
//
//	go run ./internal/mutate                 all patches, in turn
//	go run ./internal/mutate -run 'recon'    those whose name matches
//	go run ./internal/mutate -table          the table of docs/threats.md
//
// The patches are in internal/mutate/testdata, a file for each area. A patch is a
// block of lines:
//
//	== memo flood                        its name
//	threat: a peer relays runs …         what it is that somebody does
//	defence: Gate.Admit, authorEvery     what stands against it; the files follow below
//	then: 40,000 runs of one author …    what happens without it
//	test: ./p2p/gossip TestFloodOfMemos  the package and the tests (-run) that must fail
//	--- p2p/gossip/gate.go               a file, and hunks of it
//	 	context                            lines of one hunk, as in a unified diff without
//	-	old                                numbers; an empty line ends it
//	+	new
//
// The lines of a hunk without + must be in the file just once: a patch that does not
// apply any more is an error, and has to follow the code. The tree is never written to.
// Go compiles the patched files in the place of the originals (-overlay), so several
// runs, and work on the tree, do not disturb each other.
//
// First the tests run as they are and must pass. Then each patch is red (its test
// fails: good), green (the defence was gone and nothing noticed), or broken (it does not
// compile, or no such test ran). The exit status is 0 when all are red.
package main
