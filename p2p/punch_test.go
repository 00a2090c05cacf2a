package p2p

import (
	"context"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/p2p/protocol/holepunch"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	"github.com/marcopolo/simnet"
	"github.com/quic-go/quic-go"
)

// sourceIP is the only address of a simulated host.
type sourceIP net.IP

func (s sourceIP) PreferredSourceIPForDestination(*net.UDPAddr) (net.IP, error) {
	return net.IP(s), nil
}

// behind starts a server at ip:8000 of a simulated network: in the open, or behind a
// firewall that lets in answers only.
func behind(t *testing.T, router *simnet.SimpleFirewallRouter, ip string, open bool, c *testCore, o Options) node {
	t.Helper()
	var manager *quicreuse.ConnManager
	listen := func(_ string, at *net.UDPAddr) (net.PacketConn, error) {
		if open {
			router.SetAddrPubliclyReachable(at)
		}
		conn := simnet.NewSimConn(at)
		conn.SetUpPacketReceiver(router)
		router.AddNode(at, conn)
		return conn, nil
	}
	o.Listen = []string{"/ip4/" + ip + "/udp/8000/quic-v1"}
	o.Host = []libp2p.Option{
		libp2p.QUICReuse(func(reset quic.StatelessResetKey, token quic.TokenGeneratorKey) (_ *quicreuse.ConnManager, err error) {
			manager, err = quicreuse.NewConnManager(reset, token, quicreuse.OverrideListenUDP(listen),
				quicreuse.OverrideSourceIPSelector(func() (quicreuse.SourceIPSelector, error) {
					return sourceIP(net.ParseIP(ip)), nil
				}))
			return manager, err
		}),
		func(cfg *libp2p.Config) error {
			cfg.EnableAutoNATv2 = false // it would dial over the real network
			return nil
		},
	}
	o.bounds = defaultBounds()
	o.bounds.punch = moment
	t.Cleanup(func() { manager.Close() }) // libp2p closes it only if it made it
	return start(t, c, o)
}

// Two firewalled peers meet through a relay in the open, and punch a hole for a direct
// connection. Neither lets in what it did not ask for.
func TestHolePunching(t *testing.T) {
	t.Parallel() // it waits for a moment to pass
	router := &simnet.SimpleFirewallRouter{}
	r := behind(t, router, "1.2.0.1", true, newCore(1), Options{Relay: true})
	a := behind(t, router, "2.2.0.1", false, newCore(2), Options{})
	b := behind(t, router, "2.2.0.2", false, newCore(3), Options{})
	if err := a.straightenAt(t, b); err == nil {
		t.Fatal("the firewall lets in a stranger")
	}
	connect(t, b, r)
	connect(t, a, r)
	for _, n := range []node{a, b} {
		eventually(t, "hole punching", func() bool { return slices.Contains(n.host.Mux().Protocols(), holepunch.Protocol) })
	}
	eventually(t, "reservation", func() bool { return len(b.relays.addrs(nil)) > 0 })
	a.Keep(b.id, texts(b.relays.addrs(nil)))
	a.awaitUp(t, b.id, 1)
	for _, x := range [][2]node{{a, b}, {b, a}} {
		eventually(t, "direct connection", func() bool { return !peerOf(t, x[0], x[1]).Relayed })
	}
}

// straightenAt tries to reach another node without a relay.
func (n node) straightenAt(t *testing.T, to node) error {
	t.Helper()
	n.learn(toID(to.id), to.Addrs(), time.Second)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	err := n.host.Connect(ctx, n.host.Peerstore().PeerInfo(toID(to.id)))
	n.host.Peerstore().ClearAddrs(toID(to.id))
	n.clearBackoff(toID(to.id))
	return err
}
