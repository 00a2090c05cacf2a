// Package beacon gives meaning to pings, the sparse logical time of a space.
//
// It is empty today: this room arrives with a later release, and nothing
// imports it yet. Until then a ping is only a kind of memo that other versions
// know; causality rests on the links between memos alone, and so it stays.
//
// # What it will own
//
//   - Clocks: for each ping, how far every other beacon's pings are reachable.
//   - Readings: the few maximal pings a memo can reach, derived and never sent.
//   - HappensBefore over a one-method DAG: yes, no, or unknown; never wrong
//     about authors that do not fork.
//   - The emission controller, which holds a space near its target of pings per
//     second, and the cardinality sketch of authors that it rests on.
//
// # What it must not know
//
// The wall clock and the network. Time and randomness are arguments, so that
// simulations and real nodes run the same code. Like every pure room it starts
// no goroutine, opens no file and builds for js/wasm.
package beacon
