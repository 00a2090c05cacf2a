// Command context measures how large query contexts and their tokens get as a
// space grows, with folds and without.
//
// A world of a few nodes is simulated in memory: authors write real memos, each
// knowing some of what its node has, and the nodes learn of each other's with a
// delay. Clients read rows, scan, write, and go on at another node with nothing
// but a token. Each client has two contexts that take in the same: one is written
// over roots as a session of a node writes it, by the same policy and with the
// real folds and trees; the other has loose heads alone.
//
// What a client may have seen is checked as it goes: at the end of a run both of
// its contexts, folded in full, must have the same root.
package main
