package vnet

import (
	"context"
	"errors"
	"fmt"

	"lightcone/node"
	"lightcone/p2p"
)

// Options of one replica; the zero value is a durable node with gossip. The server's
// addresses and libp2p options are the network's.
type Options struct {
	Node   node.Options
	Server p2p.Options
	// Core, unless nil, returns what stands between the node and its server: how a
	// peer gets to say what no honest one does.
	Core func(*node.Node) p2p.Core
}

// Replica is a real node on real libp2p, on a simulated network.
type Replica struct {
	*node.Node
	Server *p2p.Server
	Space  *node.Space // the space made or joined here

	closed func() error // to be called when the server is closed
}

// Open starts the replica of a directory as a host of the network. A directory may be
// opened again, by the same host, once its replica is closed.
func (n *Network) Open(host int, dir string, o Options) (*Replica, error) {
	replica, err := node.Open(dir, o.Node)
	if err != nil {
		return nil, err
	}
	options, listen, closed := n.host(host)
	o.Server.Host, o.Server.Listen = append(o.Server.Host, options...), []string{listen}
	o.Server.NoNAT = true // AutoNAT answers from real sockets
	core := p2p.Core(replica)
	if o.Core != nil {
		core = o.Core(replica)
	}
	server, err := p2p.Serve(context.Background(), core, o.Server)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("host %d: %w", host, err), closed(), replica.Close())
	}
	r := &Replica{Node: replica, Server: server, closed: closed}
	if spaces := replica.Spaces(); len(spaces) > 0 {
		r.Space, err = replica.OpenSpace(spaces[0].Name)
	}
	return r, err
}

// Close ends the replica.
func (r *Replica) Close() error {
	return errors.Join(r.Server.Close(), r.closed(), r.Node.Close())
}

// Invite lets others into the replica's space, with a ticket each.
func (r *Replica) Invite(ctx context.Context, joiners ...*Replica) error {
	for _, j := range joiners {
		ticket, err := r.Ticket(r.Space, node.TicketOptions{})
		if err != nil {
			return err
		}
		if j.Space, err = j.Join(ctx, ticket); err != nil {
			return err
		}
	}
	return nil
}
