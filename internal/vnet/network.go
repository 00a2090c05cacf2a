package vnet

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	"github.com/marcopolo/simnet"
	quicgo "github.com/quic-go/quic-go"
)

const (
	// defaultBandwidth is that of a link each way, in bits per second.
	defaultBandwidth = 100_000_000
	// port is where every host listens, over UDP.
	port = 4001
)

// Link is how each host is connected to the others.
type Link struct {
	Latency   time.Duration // one way, between any two hosts
	Jitter    time.Duration // added to it: up to so much, drawn for each packet, so packets overtake each other
	Tail      time.Duration // added to it too: exponential, this is its mean
	Bandwidth int           // of each host, each way, in bits per second; 0 is 100 Mbit/s
	Loss      float64       // share of the packets that are lost, each way
}

// Network connects hosts, which are numbered. Its methods are safe for concurrent
// use.
type Network struct {
	link Link
	sim  simnet.Simnet

	mu     sync.Mutex
	random *rand.Rand
	hosts  map[string]int // by IP
	cut    func(from, to int) bool
}

// New starts a network without hosts. The seed is that of loss and jitter.
func New(link Link, seed uint64) *Network {
	if link.Bandwidth == 0 {
		link.Bandwidth = defaultBandwidth
	}
	n := &Network{link: link, random: rand.New(rand.NewPCG(seed, 0)), hosts: map[string]int{}}
	n.sim.LatencyFunc = n.latency
	n.sim.Logger = slog.New(slog.DiscardHandler) // of packets to hosts that are gone
	n.sim.Start()
	return n
}

// Close ends the network. The hosts are closed before.
func (n *Network) Close() { n.sim.Close() }

// Cut loses every packet from one host to another for which lost says so, from now
// on; it need not be so in the other direction. nil heals the network.
func (n *Network) Cut(lost func(from, to int) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut = lost
}

// SetLoss changes the share of the packets that are lost.
func (n *Network) SetLoss(share float64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.link.Loss = share
}

func (n *Network) latency(*simnet.Packet) time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	d := n.link.Latency + time.Duration(n.random.ExpFloat64()*float64(n.link.Tail))
	if n.link.Jitter > 0 {
		d += time.Duration(n.random.Int64N(int64(n.link.Jitter)))
	}
	return d
}

// loses decides about one packet.
func (n *Network) loses(from int, to *net.UDPAddr) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	i, ok := n.hosts[to.IP.String()]
	return !ok || n.cut != nil && n.cut(from, i) || n.random.Float64() < n.link.Loss
}

// ip returns the address of a host: each in a network of its own, and all public.
func ip(host int) net.IP {
	const nets = 80
	return net.IPv4(byte(11+host%nets), byte(host/nets), 0, 1)
}

// endpoint is what a host listens and dials with.
type endpoint struct {
	*simnet.SimConn
	net  *Network
	host int
}

func (e endpoint) WriteTo(p []byte, to net.Addr) (int, error) {
	if udp, ok := to.(*net.UDPAddr); ok && e.net.loses(e.host, udp) {
		return len(p), nil
	}
	return e.SimConn.WriteTo(p, to)
}

// Host starts a bare libp2p host on the network; options come on top. Once the host is
// closed, closed must be called.
func (n *Network) Host(i int, options ...libp2p.Option) (h host.Host, closed func() error, err error) {
	own, listen, closed := n.host(i)
	own = append(own, libp2p.ListenAddrStrings(listen), libp2p.Transport(quic.NewTransport), libp2p.DisableMetrics())
	if h, err = libp2p.New(append(own, options...)...); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("host %d: %w", i, err), closed())
	}
	return h, closed, nil
}

// host returns the libp2p options that put a host on the network, where it listens,
// and what must be called once the host is closed.
func (n *Network) host(i int) (options []libp2p.Option, listen string, closed func() error) {
	addr := &net.UDPAddr{IP: ip(i), Port: port}
	n.mu.Lock()
	n.hosts[addr.IP.String()] = i
	n.mu.Unlock()
	way := simnet.LinkSettings{BitsPerSecond: n.link.Bandwidth}
	listenUDP := func(_ string, at *net.UDPAddr) (net.PacketConn, error) {
		return endpoint{n.sim.NewEndpoint(at, simnet.NodeBiDiLinkSettings{Uplink: way, Downlink: way}), n, i}, nil
	}
	var manager *quicreuse.ConnManager // libp2p closes it only if it made it
	reuse := func(reset quicgo.StatelessResetKey, token quicgo.TokenGeneratorKey) (*quicreuse.ConnManager, error) {
		var err error
		manager, err = quicreuse.NewConnManager(reset, token,
			quicreuse.OverrideSourceIPSelector(func() (quicreuse.SourceIPSelector, error) { return source(addr.IP), nil }),
			quicreuse.OverrideListenUDP(listenUDP))
		return manager, err
	}
	options = []libp2p.Option{
		libp2p.QUICReuse(reuse),
		libp2p.DisableIdentifyAddressDiscovery(), // it keeps a bubble's time from passing
	}
	closed = func() error {
		if manager == nil {
			return nil
		}
		return manager.Close()
	}
	return options, fmt.Sprintf("/ip4/%s/udp/%d/quic-v1", addr.IP, port), closed
}

// source is the only address of a host.
type source net.IP

func (s source) PreferredSourceIPForDestination(*net.UDPAddr) (net.IP, error) { return net.IP(s), nil }
