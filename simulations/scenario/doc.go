// Package scenario is what can be simulated, as a TOML file:
//
//	name  = "a flood"
//	world = "flood"        # what happens; its own table below
//	peers = 10_000
//	until = "5s"           # virtual time
//
//	[network]
//	latency = [["20ms"]]
//	loss    = 0.01
//
//	[flood]
//	messages = 4
//
// Everything but world has a default. A file that asks for what does not exist, or
// cannot be, is refused with its line and a reason.
//
// A [sweep] names parameters and the values each takes; every combination is a run.
package scenario
