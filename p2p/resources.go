package p2p

import (
	"math"
	"net/netip"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/x/rate"
)

// What everybody together, and each peer, may take of this machine. The rest of
// libp2p's limits follow the machine's size.
const (
	// maxConns bounds all connections, maxInbound those others opened.
	maxConns, maxInbound = 1024, 512
	// maxStreams bounds the streams of all connections, and those others opened.
	maxStreams, maxInboundStreams = 16384, 8192
	// maxPeerConns bounds the connections with one peer: QUIC, TCP and WebSocket,
	// dialled from both sides at once, through relays, and some to spare.
	maxPeerConns = 8
	// maxPeerStreams bounds the streams with one peer: two per shared space, recon
	// and libp2p's own.
	maxPeerStreams = 512
	// minMemory is what libp2p's buffers may take on the smallest machine, and
	// memoryPerGiB what is added for each GiB the machine has; one part in peerShare is
	// what one peer may take.
	minMemory, memoryPerGiB, peerShare = 128 << 20, 512 << 20, 4
	// maxAddrConns bounds the connections from one IPv4 address or IPv6 /56, where
	// one owner could pose as many peers. Those of strangers are bounded tighter.
	maxAddrConns = 32
	// addrConnRate and addrConnBurst bound new connections per second from there.
	// Loopback is exempt from both.
	addrConnRate, addrConnBurst = 4, 64
	// Above highConns connections, those nobody keeps are closed down to
	// lowConns, but for ones younger than connGrace.
	lowConns, highConns = 192, 256
	connGrace           = time.Minute
)

// newResourceManager returns libp2p's, with the limits above.
func newResourceManager() (network.ResourceManager, error) {
	scaling := rcmgr.DefaultLimits
	scaling.SystemBaseLimit.Memory, scaling.SystemLimitIncrease.Memory = minMemory, memoryPerGiB
	scaling.PeerBaseLimit.Memory, scaling.PeerLimitIncrease.Memory = minMemory/peerShare, memoryPerGiB/peerShare
	libp2p.SetDefaultServiceLimits(&scaling)
	limits := rcmgr.PartialLimitConfig{
		System: rcmgr.ResourceLimits{
			Conns: maxConns, ConnsInbound: maxInbound, Streams: maxStreams, StreamsInbound: maxInboundStreams,
		},
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
