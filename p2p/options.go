package p2p

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"lightcone/memo"
	"lightcone/p2p/gossip"
)

// Core is the replica that a Server connects to the world. All of its methods
// are called from many goroutines.
type Core interface {
	// Key is the author's key, which is also the peer's.
	Key() ed25519.PrivateKey
	// Attach lends the network to the core, once, before the first Input. The
	// core calls n.Serve for its spaces then and for later ones as they come.
	Attach(n gossip.Network)
	// Input takes what happened. It blocks while the core is busy, which is what
	// slows the senders down. An error refuses the input: a refused frame ends
	// its session.
	Input(ctx context.Context, in gossip.Input) error
	// Answer answers a request to join; the text of an error goes back to from.
	Answer(ctx context.Context, from gossip.Peer, request []byte) ([]byte, error)
	// Admitted reports whether p may take part in the topic of a space. It must
	// not block.
	Admitted(space memo.SpaceID, p gossip.Peer) bool
	// Rendezvous returns what the members of a space are found by, false when the
	// space is not here. It must not block.
	Rendezvous(space memo.SpaceID) (gossip.Rendezvous, bool)
}

// ErrOptions reports options that cannot be served.
var ErrOptions = errors.New("bad p2p options")

// Options says how to take part in the network. The zero value is usable.
type Options struct {
	// Listen holds the multiaddrs to listen on; all of them must work. Nil means
	// any free port of every IPv4 interface, over QUIC and TCP where they work. With
	// none, others reach this peer through relays only.
	Listen []string
	// LAN announces this peer on its local network by mDNS, and finds kept peers
	// that announce themselves.
	LAN bool
	// Peers holds multiaddrs, each ending in /p2p/ID, of peers to stay connected with.
	// Spaces shared with them are found out.
	Peers []string
	// Bootstrap holds such multiaddrs of peers that take part in the rendezvous, by
	// which members of a space find each other anywhere, and that may relay. This peer
	// stays connected with them.
	Bootstrap []string
	// Rendezvous takes part in the rendezvous without such peers, to be one for others.
	Rendezvous bool
	// Relay offers this peer to others as a relay, within the limits of a relay.
	Relay bool
	// NoNAT turns AutoNAT and hole punching off, for networks without NAT. They are
	// off as well where only loopback is listened on.
	NoNAT bool
	// NoGossip turns topics off: everything travels by recon.
	NoGossip bool
	// Host holds further options of the libp2p host, which come after our own: the
	// seam through which tests put a server on a simulated network.
	Host []libp2p.Option
	// Logger receives what an operator may want to know; nil discards it.
	Logger *slog.Logger

	bounds *bounds // nil: the constants; tests set smaller ones
}

// bounds holds the limits that tests reach sooner than the constants allow.
type bounds struct {
	linger time.Duration // relayLinger
	punch  time.Duration // punchTimeout
	hello  time.Duration // helloTimeout
	idle   time.Duration // idleTimeout
	crowd  crowdBounds
}

func defaultBounds() *bounds {
	return &bounds{
		linger: relayLinger, punch: punchTimeout, hello: helloTimeout, idle: idleTimeout,
		crowd: crowdBounds{strangers: maxStrangers, netStrangers: maxNetStrangers, netMembers: maxNetMembers},
	}
}

// defaultListen is used when Options.Listen is nil.
var defaultListen = []string{"/ip4/0.0.0.0/udp/0/quic-v1", "/ip4/0.0.0.0/tcp/0"}

// Validate reports the first option that cannot be served.
func (o Options) Validate() error {
	for _, a := range o.Listen {
		if _, err := multiaddr.NewMultiaddr(a); err != nil {
			return fmt.Errorf("%w: cannot listen on %q, want something like %s: %w", ErrOptions, a, defaultListen[0], err)
		}
	}
	if _, err := parsePeers(o.Peers); err != nil {
		return err
	}
	_, err := parsePeers(o.Bootstrap)
	return err
}

// traverses reports whether this peer may have to find a way through a NAT.
func (o Options) traverses() bool {
	return !o.NoNAT && (o.Listen == nil || slices.ContainsFunc(o.Listen, func(text string) bool {
		a, err := multiaddr.NewMultiaddr(text)
		return err == nil && !manet.IsIPLoopback(a)
	}))
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.bounds == nil {
		o.bounds = defaultBounds()
	}
	return o
}
