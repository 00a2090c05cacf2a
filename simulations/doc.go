// Package simulations runs scenarios: worlds of up to a million peers, on one machine,
// in virtual time, for people who study gossip. They drive the code that production
// runs where that is what is studied, and models where it is not, and every report
// says which is which.
//
//	s, err := scenario.Parse(file)
//	r, err := simulations.Run(ctx, s, worlds.Options{})
//
// # Where things are
//
//   - engine: a timing wheel, flat state and a random stream per peer; the network.
//   - mesh: a model of gossipsub on the engine.
//   - scenario: what can be asked for, as TOML; scenarios/ has those that come along.
//   - worlds: what happens, one world a file.
//   - report: the result, and the files made of it.
//
// # What it must not know
//
// Real time, but to tell how long a run took, and libp2p. One sub-package,
// simulations/calib, imports p2p: it compares the model of the mesh with real hosts.
package simulations
