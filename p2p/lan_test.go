package p2p

import (
	"net"
	"testing"

	"github.com/multiformats/go-multiaddr"
)

// A kept peer whose addresses nobody told us is found on the local network; one
// that is not kept is left alone.
func TestLANFindsKeptPeers(t *testing.T) {
	if !multicast(t) {
		t.Skip("no network interface with multicast is up")
	}
	everywhere := Options{LAN: true, Listen: []string{"/ip4/0.0.0.0/udp/0/quic-v1"}}
	nodes := startN(t, 3, everywhere)
	a, b, c := nodes[0], nodes[1], nodes[2]
	a.Keep(b.id, nil)
	eventually(t, "a finds b", func() bool { return a.connected(toID(b.id)) })
	if a.connected(toID(c.id)) {
		t.Error("a stranger was dialled because it announced itself")
	}
}

func multicast(t *testing.T) bool {
	t.Helper()
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range all {
		if addrs, err := i.Addrs(); err == nil && len(addrs) > 0 &&
			i.Flags&net.FlagLoopback == 0 && i.Flags&net.FlagUp != 0 && i.Flags&net.FlagMulticast != 0 {
			return true
		}
	}
	return false
}

func TestRelayedAddresses(t *testing.T) {
	for text, want := range map[string]bool{
		"/ip4/10.0.0.1/udp/4001/quic-v1": false,
		"/ip4/10.0.0.1/tcp/4001/p2p/12D3KooWKwDFxyifbaqc1mEnS2955acJ7g8S4xvb1vBe2fKbCge7/p2p-circuit": true,
	} {
		if got := isRelayed(multiaddr.StringCast(text)); got != want {
			t.Errorf("%s: relayed %v", text, got)
		}
	}
}
