package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"lightcone/node"
	"lightcone/p2p"
)

// listenFile remembers where the node listened the last time, and which port
// stood for port 0, so that it is found where its peers know it to be. Each line
// is an address as asked for, a space, and what it became.
const listenFile = "listen"

// defaultListen is every interface, over QUIC and TCP.
var defaultListen = []string{"/ip4/0.0.0.0/udp/0/quic-v1", "/ip4/0.0.0.0/tcp/0"}

// serve connects n to the network at the ports it had the last time, or at
// others when they are taken.
func (a *app) serve(ctx context.Context, n *node.Node, o netOptions, log *slog.Logger) (*p2p.Server, error) {
	known := readListen(a.dir)
	listen := o.Listen
	switch {
	case len(listen) > 0:
		maps.DeleteFunc(known, func(asked, _ string) bool { return !slices.Contains(listen, asked) })
	case len(known) > 0: // as the last time
		listen = sortedKeys(known)
	default:
		listen = defaultListen
	}
	fixed := make([]string, len(listen))
	remembers := false
	for i, addr := range listen {
		fixed[i] = addr
		if was, ok := known[addr]; ok && was != addr {
			fixed[i], remembers = was, true
		}
	}
	srv, err := p2p.Serve(ctx, n, o.options(fixed, log))
	if err != nil && remembers {
		log.Warn("cannot listen where this node was before; taking free ports, peers may need a new ticket", "err", err)
		srv, err = p2p.Serve(ctx, n, o.options(listen, log))
	}
	if errors.Is(err, p2p.ErrOptions) {
		return nil, &usageError{err}
	}
	if err != nil {
		return nil, err
	}
	for _, addr := range listen {
		known[addr] = cmp.Or(portOf(addr, srv.Addrs()), addr)
	}
	if err := errors.Join(writeListen(a.dir, known), o.remember(a.dir)); err != nil {
		log.Warn("cannot remember ports and peers for the next start", "err", err)
	}
	return srv, nil
}

// onLAN reports whether any address is more than this machine's own.
func onLAN(listen []string) bool {
	return slices.ContainsFunc(listen, func(addr string) bool {
		return addr != listenNone && !strings.HasPrefix(addr, "/ip4/127.") && !strings.HasPrefix(addr, "/ip6/::1/")
	})
}

// portOf returns addr with its port 0 replaced by the port of a bound address of
// the same protocols, "" when it asks for a certain port.
func portOf(addr string, bound []string) string {
	before, after, ok := cutPort(addr)
	if !ok {
		return ""
	}
	ip, protocol := path.Split(before)
	for _, b := range bound {
		b, _, _ = strings.Cut(b, "/p2p/")
		rest, ok := strings.CutSuffix(b, after)
		at, port := path.Split(rest)
		host, proto := path.Split(path.Clean(at))
		if ok && proto == protocol && family(host) == family(ip) && port != "" {
			return before + "/" + port + after
		}
	}
	return ""
}

// cutPort splits a multiaddr at its port 0: what comes before the slash, and
// what comes after the port.
func cutPort(addr string) (before, after string, ok bool) {
	for _, protocol := range []string{"/tcp", "/udp"} {
		before, after, ok = strings.Cut(addr+"/", protocol+"/0/")
		if ok {
			return before + protocol, strings.TrimSuffix("/"+after, "/"), true
		}
	}
	return "", "", false
}

// family returns the first protocol of a multiaddr, ip4 or ip6.
func family(addr string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(addr, "/"), "/")
	return name
}

// readListen returns what each address became; nothing when the file is not
// readable: it is a convenience.
func readListen(dir string) map[string]string {
	known := map[string]string{}
	data, err := os.ReadFile(filepath.Join(dir, listenFile))
	if err != nil {
		return known
	}
	for line := range strings.Lines(string(data)) {
		if asked, became, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			known[asked] = became
		}
	}
	return known
}

func writeListen(dir string, known map[string]string) error {
	var b strings.Builder
	for _, asked := range sortedKeys(known) {
		fmt.Fprintf(&b, "%s %s\n", asked, known[asked])
	}
	return os.WriteFile(filepath.Join(dir, listenFile), []byte(b.String()), 0o600)
}
