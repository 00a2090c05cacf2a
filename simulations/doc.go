// Package simulations builds worlds: a seeded network, disk and clock that
// drive the protocol core of p2p/gossip by the million, and whole node replicas
// by the handful.
//
// It is empty today: this room arrives with a later release, and nothing
// imports it yet.
//
// # What it will own
//
//   - The engine: a timing wheel, flat state per peer and one random stream per
//     peer, with the same results for a seed whatever the number of workers.
//   - The network model: regions with latency, jitter, loss, bandwidth, churn
//     and partitions.
//   - Scenarios as TOML files, and the reports of their runs.
//
// # What it must not know
//
// Real time and libp2p. One sub-package, simulations/calib, may import p2p: it
// compares the model of the network with real hosts.
package simulations
