// Package netlab makes a small network on one machine: hosts, each in a Linux
// network namespace of its own, on one switch that can part them, lose packets
// and limit rates. Real programs run in it and notice nothing.
//
//	if err := netlab.Usable(ctx); err != nil { … }   // says what is missing
//	lab := netlab.Lab{ID: netlab.NewID(), Hosts: 8}
//	defer lab.Remove(ctx)
//	err := lab.Create(ctx)
//	err = lab.Enter(3, cmd.Start)                    // cmd runs on host 3
//	err = lab.Apply(ctx, netlab.Rules{Groups: [][]int{{1, 2}, {3, 4}}, Loss: 0.3})
//
// # What it makes
//
// Host n is the namespace "lcID-n" with an interface eth0 and the address Addr(n).
// The switch is the namespace "lcID-0": a bridge, with the other ends of the
// hosts' cables as its ports. Nothing appears in the namespace of the caller, no
// route leads out, and the machine's own firewall has no say. A lab is a value:
// whoever knows its ID and size can change and remove it, also when the process
// that made it is gone.
//
// # Rules
//
// Partitions and loss are nftables rules on the switch: a frame from one group to
// another is dropped, and of all others a random share, in each direction, ARP
// included. Nobody is told, as with a cable that is cut. What a host sends in one
// piece is split into packets first. The rate is a token
// bucket (tc tbf) at both ends of each cable, so it holds for what a host sends
// and for what it gets. Rules hold until others are applied.
//
// It runs the tools ip and tc (Debian package iproute2) and nft (nftables), and
// needs root: CAP_SYS_ADMIN and CAP_NET_ADMIN. It knows nothing of Lightcone.
package netlab
