// Package worlds is what happens in the simulations: one world a file, each a protocol
// of the engine, or several whole cores of p2p/gossip, and what is measured of it.
//
// A world says of each of its parts whether it is the product's own code or a model.
package worlds
