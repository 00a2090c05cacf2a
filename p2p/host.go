package p2p

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/gologshim"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"
	"github.com/libp2p/go-libp2p/p2p/protocol/holepunch"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/libp2p/go-libp2p/p2p/transport/websocket"
	"github.com/multiformats/go-multiaddr"
)

// userAgent is told to other peers.
const userAgent = "lightcone/1"

// silence keeps libp2p from writing to standard error, where it reports things
// as ordinary as a listener that was closed. GOLOG_LOG_LEVEL, which is libp2p's
// own variable, brings that back.
var silence = sync.OnceFunc(func() {
	if os.Getenv("GOLOG_LOG_LEVEL") == "" {
		gologshim.SetDefaultHandler(slog.DiscardHandler)
	}
})

// newHost returns a libp2p host that does not listen yet.
func (s *Server) newHost(key ed25519.PrivateKey, o Options) (host.Host, error) {
	silence()
	identity, err := crypto.UnmarshalEd25519PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("peer key: %w", err)
	}
	resources, err := newResourceManager()
	if err != nil {
		return nil, fmt.Errorf("resource limits: %w", err)
	}
	conns, err := connmgr.NewConnManager(lowConns, highConns, connmgr.WithGracePeriod(connGrace))
	if err != nil {
		return nil, fmt.Errorf("connection limits: %w", err)
	}
	options := []libp2p.Option{
		libp2p.Identity(identity),
		libp2p.UserAgent(userAgent),
		libp2p.NoListenAddrs,
		libp2p.Transport(quic.NewTransport),
		libp2p.Transport(tcp.NewTCPTransport),
		libp2p.Transport(websocket.New),
		libp2p.Security(libp2ptls.ID, libp2ptls.New),
		libp2p.Security(noise.ID, noise.New),
		libp2p.ConnectionGater(s.gater),
		libp2p.ResourceManager(resources),
		libp2p.ConnectionManager(conns),
		libp2p.BandwidthReporter(&s.traffic),
		libp2p.AddrsFactory(s.relays.addrs),
		libp2p.EnableRelay(), // dials through relays; NoListenAddrs turns it off
		libp2p.DisableMetrics(),
		// When to dial is decided in keep.go. libp2p would give QUIC up after 100
		// attempts of which fewer than 5 succeeded, as they do while a machine is
		// offline, and try one in 100 from then on, for hours once it is back.
		libp2p.UDPBlackHoleSuccessCounter(nil),
		libp2p.IPv6BlackHoleSuccessCounter(nil),
	}
	if o.traverses() {
		options = append(options, libp2p.EnableAutoNATv2(), libp2p.EnableHolePunching(holepunch.DirectDialTimeout(s.bounds.punch)))
	}
	h, err := libp2p.New(append(options, o.Host...)...)
	if err != nil {
		return nil, fmt.Errorf("start libp2p: %w", err)
	}
	return h, nil
}

// listen listens on the addresses of o: on all of them, or on what is possible when
// they are the default ones.
func listen(h host.Host, o Options) error {
	wanted := o.Listen
	if wanted == nil {
		wanted = defaultListen
	}
	var failed []error
	for _, text := range wanted {
		addr, err := multiaddr.NewMultiaddr(text)
		if err == nil {
			err = h.Network().Listen(addr)
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("cannot listen on %s, choose another address or port: %w", text, err))
		}
	}
	err := errors.Join(failed...)
	if o.Listen == nil && len(failed) < len(wanted) {
		if err != nil {
			o.Logger.Warn("listening on fewer transports", "err", err)
		}
		return nil
	}
	return err
}
