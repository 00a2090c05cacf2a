// Package beacon gives meaning to pings, the sparse logical time of a space.
//
// Every author is a beacon: now and then it writes a ping, a memo that changes
// nothing, claims what its author had attached, and refers to pings of others. All
// pings of a space together are few, whatever the number of peers; yet they tell
// who knew of whom, how far everybody is, and what is everywhere by now.
//
// # Clocks
//
// Pings is the index of one space, fed with each memo as it attaches. For each place
// of a chain at which that changes it keeps a Clock: beacon → the latest ping in the
// past, over predecessors, causes and refs. The counter of a beacon is the ping's own
// seq, so claiming a great one takes as many memos. A ref counts when its ping is held,
// not before: until then, and for what was written before the index began or was
// forgotten, a clock says up to which time it may lack pings (Clock.Since). Clocks share
// most of what they are made of, and those of the last pings are remembered, within a
// budget of bytes.
//
// A Reading is the few pings of a clock that are in no other's past. It is never sent
// in a memo: everybody derives it.
//
// # Before
//
// HappensBefore decides by chains, times and clocks, and else by a bounded walk, which
// clocks shorten, over links that a one-method DAG gives. It may not know, it is never
// wrong about authors who keep to the rules. A forked author is exempt from shortcuts.
//
// # Emission
//
// An Emitter decides, once a second, whether its beacon pings: with a chance that
// starts at ρτ/N̂ and follows the measured rate of pings. N̂ comes from Authors, a sketch
// of who wrote in the last day. Only news make a beacon ping, memos that are no pings;
// without them it pings once in IdleFloor at most.
//
// # Claims
//
// From the claims of the latest pings follow the stability cut, what everybody on the
// roster has (Stability), late memos, which are older than that (Late), and P̂, the
// number of peers behind a cut (Behind).
//
// # What it must not know
//
// The wall clock and the network. Time and randomness are arguments, so that
// simulations and real nodes run the same code. Like every pure room it starts
// no goroutine, opens no file and builds for js/wasm.
package beacon
