// Package cores runs whole cores of p2p/gossip in the engine: the product's own
// protocol, with its own memos, runs, seals and trees. Only sockets, disk and clock are
// simulated.
//
//	w := cores.New(cores.Config{Engine: cfg, Links: 6, Begin: begin, Act: act})
//	err := w.Run(ctx)
//	w.Peer(0).Attached.Len()
//
// # What is the product's, and what is a model
//
// Every input goes through gossip.Prepare and Core.Step, every effect is carried out.
// What a core reads is a Shelf: what its peer attached, in memory. Roots are made by
// package merge, each by whoever folds.
//
// A model: connections (Port.Stream: in order, repeated when lost), which peers are
// connected (a random graph, each with about Links others), and topics: a publication
// goes over every connection of whoever gets it first, whole, once; a lost one is lost.
// Attaching takes no time. No peer forks its chain. Scores and what p2p does by them
// are not here: blame is counted.
//
// # Interning
//
// A run, a block, a frame and a publication exist once, whoever holds them, and are
// decoded and checked once; a peer's own state is which of them it has. So thousands
// of peers share one forest. They share it without locks: a World runs with one worker,
// whatever it is asked for, and its result cannot depend on how many there are.
package cores
