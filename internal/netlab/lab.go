package netlab

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"
)

// MaxHosts bounds the hosts of a lab: they share a /24.
const MaxHosts = 200

// namespaces is where ip keeps the names of network namespaces.
const namespaces = "/run/netns"

// Lab is a network: who it belongs to, and how many hosts it has.
type Lab struct {
	ID    string `json:"id"`    // of NewID; it is in the name of everything made
	Hosts int    `json:"hosts"` // they are numbered from 1
}

// NewID returns an id that no other lab has.
func NewID() string {
	var b [4]byte
	rand.Read(b[:]) // never fails
	return fmt.Sprintf("%x", b)
}

// Namespace returns the name of a host's network namespace; host 0 is the switch.
func (l Lab) Namespace(host int) string { return fmt.Sprintf("lc%s-%d", l.ID, host) }

// Addr returns the IPv4 address of a host.
func (l Lab) Addr(host int) string { return fmt.Sprintf("10.77.0.%d", host) }

// port returns the name of a host's port on the switch.
func port(host int) string { return fmt.Sprintf("p%d", host) }

// bridge is the name of the switch's bridge.
const bridge = "br0"

// Create makes the lab. One that was half made is for Remove.
func (l Lab) Create(ctx context.Context) error {
	if l.Hosts < 1 || l.Hosts > MaxHosts {
		return fmt.Errorf("a lab of %d hosts; it has 1 to %d", l.Hosts, MaxHosts)
	}
	var names []string
	for host := range l.Hosts + 1 {
		names = append(names, "netns add "+l.Namespace(host))
	}
	if err := batch(ctx, "ip", "", names); err != nil {
		return err
	}
	cables := []string{
		"link add " + bridge + " type bridge",
		"link set " + bridge + " up",
	}
	for host := 1; host <= l.Hosts; host++ {
		cables = append(cables,
			fmt.Sprintf("link add %s type veth peer name eth0 netns %s", port(host), l.Namespace(host)),
			fmt.Sprintf("link set %s master %s up", port(host), bridge))
	}
	if err := batch(ctx, "ip", l.Namespace(0), cables); err != nil {
		return err
	}
	for host := 1; host <= l.Hosts; host++ {
		err := batch(ctx, "ip", l.Namespace(host), []string{
			"link set lo up",
			"addr add " + l.Addr(host) + "/24 dev eth0",
			// A veth carries up to 64 KiB of TCP or QUIC in one piece, which would be
			// lost in one piece; a real cable carries packets.
			"link set eth0 gso_max_segs 1 up",
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Remove removes the lab, or what there is of it. Programs that still run in it
// keep their host's namespace, without its name and its cable, until they end.
func (l Lab) Remove(ctx context.Context) error {
	entries, err := os.ReadDir(namespaces)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var lines []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "lc"+l.ID+"-") {
			lines = append(lines, "netns del "+e.Name())
		}
	}
	if len(lines) == 0 {
		return nil
	}
	slices.Sort(lines) // the switch first, and every cable with it
	return batch(ctx, "ip", "", lines)
}

// Dial returns a dialler whose connections are made on a host, so that its
// loopback interface is reached. Addresses must be numeric.
func (l Lab) Dial(host int) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (c net.Conn, err error) {
		err = l.Enter(host, func() (err error) {
			var d net.Dialer
			c, err = d.DialContext(ctx, network, addr)
			return err
		})
		return c, err
	}
}
