// Command simulator runs one flood in Lightcone's simulator and in PeerSim: the same
// protocol on the same network, in the same run.
//
// Each figure is of a process of its own, so that what the kernel says of it belongs to
// one side: this program starts itself again for the sides written in Go (child.go), and
// a Java virtual machine for PeerSim (peersim.go). Sides take turns, in rounds.
//
// The sides: lightcone is `simulations.Run` of a scenario with world = "flood", the code
// of `lightcone sim run`; engine is simulations/engine with nothing of the product, a bit
// a peer (bare.go); heap is the textbook's simulator, a loop around container/heap
// (heap.go); peersim is PeerSim with the classes of the folder java, which are compiled
// when they are needed. PeerSim itself is no part of this module: the environment variable
// PEERSIM names its class path, and without it the side is left out.
//
// That all sides simulate the same is checked, not assumed: see check.go.
package main
