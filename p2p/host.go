package p2p

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/metrics"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/gologshim"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/libp2p/go-libp2p/x/rate"
	"github.com/multiformats/go-multiaddr"
)

// What strangers may take of this machine. The limits of memory are libp2p's,
// which follow the machine's size.
const (
	// maxConns bounds all connections, maxInbound those others opened.
	maxConns, maxInbound = 1024, 512
	// maxPeerConns bounds the connections with one peer: QUIC and TCP, dialled
	// from both sides at once, and some to spare.
	maxPeerConns = 8
	// maxPeerStreams bounds the streams with one peer: two per shared space, recon
	// and libp2p's own.
	maxPeerStreams = 512
	// maxAddrConns bounds the connections from one IPv4 address or IPv6 /56, where
	// one owner could pose as many peers.
	maxAddrConns = 32
	// addrConnRate and addrConnBurst bound new connections per second from there.
	// Loopback is exempt from both.
	addrConnRate, addrConnBurst = 4, 64
	// Above highConns connections, those nobody keeps are closed down to
	// lowConns, but for ones younger than connGrace.
	lowConns, highConns = 192, 256
	connGrace           = time.Minute
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

// newHost returns a libp2p host that listens on the addresses of o: on all of
// them, or on what is possible when they are the default ones.
func newHost(key ed25519.PrivateKey, gater *Gater, traffic metrics.Reporter, o Options) (host.Host, error) {
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
	h, err := libp2p.New(append([]libp2p.Option{
		libp2p.Identity(identity),
		libp2p.UserAgent(userAgent),
		libp2p.NoListenAddrs,
		libp2p.Transport(quic.NewTransport),
		libp2p.Transport(tcp.NewTCPTransport),
		libp2p.Security(libp2ptls.ID, libp2ptls.New),
		libp2p.Security(noise.ID, noise.New),
		libp2p.ConnectionGater(gater),
		libp2p.ResourceManager(resources),
		libp2p.ConnectionManager(conns),
		libp2p.BandwidthReporter(traffic),
		libp2p.DisableRelay(),
		libp2p.DisableMetrics(),
	}, o.Host...)...)
	if err != nil {
		return nil, fmt.Errorf("start libp2p: %w", err)
	}
	if err := listen(h, o); err != nil {
		h.Close()
		return nil, err
	}
	return h, nil
}

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

func newResourceManager() (network.ResourceManager, error) {
	scaling := rcmgr.DefaultLimits
	libp2p.SetDefaultServiceLimits(&scaling)
	limits := rcmgr.PartialLimitConfig{
		System:      rcmgr.ResourceLimits{Conns: maxConns, ConnsInbound: maxInbound},
		PeerDefault: rcmgr.ResourceLimits{Conns: maxPeerConns, Streams: maxPeerStreams, StreamsInbound: maxPeerStreams},
	}.Build(scaling.AutoScale())
	perAddr := rate.Limit{RPS: addrConnRate, Burst: addrConnBurst}
	return rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(limits),
		rcmgr.WithLimitPerSubnet(
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 32, ConnCount: maxAddrConns}},
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 56, ConnCount: maxAddrConns}},
		),
		rcmgr.WithNetworkPrefixLimit(
			[]rcmgr.NetworkPrefixLimit{{Network: loopback4, ConnCount: math.MaxInt}},
			[]rcmgr.NetworkPrefixLimit{{Network: loopback6, ConnCount: math.MaxInt}},
		),
		rcmgr.WithConnRateLimiters(&rate.Limiter{
			NetworkPrefixLimits: []rate.PrefixLimit{{Prefix: loopback4}, {Prefix: loopback6}},
			SubnetRateLimiter: rate.SubnetLimiter{
				IPv4SubnetLimits: []rate.SubnetLimit{{PrefixLength: 32, Limit: perAddr}},
				IPv6SubnetLimits: []rate.SubnetLimit{{PrefixLength: 56, Limit: perAddr}},
				GracePeriod:      connGrace,
			},
		}),
	)
}

var (
	loopback4 = netip.MustParsePrefix("127.0.0.0/8")
	loopback6 = netip.MustParsePrefix("::1/128")
)
