package node

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lightcone/p2p"
)

// linked is a node on real libp2p, over TCP on loopback.
type linked struct {
	*Node
	server *p2p.Server
	space  *Space
}

func startLinked(t testing.TB, dir string, o Options) *linked {
	t.Helper()
	o.Silent = true // a ping moves the vector, and roots are compared; beacons have their own tests
	n, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	s, err := p2p.Serve(context.Background(), n, p2p.Options{Listen: []string{"/ip4/127.0.0.1/tcp/0"}})
	if err != nil {
		n.Close()
		t.Fatal(err)
	}
	r := &linked{Node: n, server: s}
	t.Cleanup(func() { r.stop(t) })
	return r
}

// stop ends the node; more than once does no harm.
func (r *linked) stop(t testing.TB) {
	t.Helper()
	if r.server == nil {
		return
	}
	if err := r.server.Close(); err != nil {
		t.Error(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	r.server = nil
}

// converge waits until both nodes have the same memos, and fails unless they make the
// same state.
func (r *linked) converge(t testing.TB, o *linked) {
	t.Helper()
	waitUntil(t, "both have the same memos", func() bool { return r.Spaces()[0].Memos == o.Spaces()[0].Memos })
	a, err := r.space.Digest(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if b, err := o.space.Digest(context.Background()); err != nil || a != b {
		t.Fatalf("the digests are %x and %x; %v", a, b, err)
	}
}

// slowLink passes TCP connections on, so many bytes a second each way. A test that
// has seen what it wanted to see in between lets it pass the rest at once: so it is as
// slow as a loaded machine needs, and takes no longer for it.
type slowLink struct {
	to   string
	rate atomic.Int64
	mu   sync.Mutex
	open []net.Conn
	net.Listener
}

func newSlowLink(t testing.TB, to string, rate int) *slowLink {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &slowLink{to: to, Listener: l}
	s.rate.Store(int64(rate))
	t.Cleanup(s.cut)
	go s.serve()
	return s
}

func (s *slowLink) serve() {
	for {
		in, err := s.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", s.to)
		if err != nil {
			in.Close()
			continue
		}
		s.mu.Lock()
		s.open = append(s.open, in, out)
		s.mu.Unlock()
		go s.pass(in, out)
		go s.pass(out, in)
	}
}

func (s *slowLink) pass(from, to net.Conn) {
	buf := make([]byte, 16<<10)
	from.(*net.TCPConn).SetReadBuffer(4 * len(buf)) // what waits, waits where it can be overtaken
	to.(*net.TCPConn).SetWriteBuffer(4 * len(buf))
	free := time.Now() // when what was passed on has gone through
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				break
			}
			if now := time.Now(); free.Before(now) {
				free = now
			}
			free = free.Add(time.Second * time.Duration(n) / time.Duration(s.rate.Load()))
			time.Sleep(time.Until(free))
		}
		if err != nil {
			break
		}
	}
	from.Close()
	to.Close()
}

// widen makes the link fast: nobody looks at what is under way any more.
func (s *slowLink) widen() { s.rate.Store(1 << 30) }

// cut ends the link and all that goes over it.
func (s *slowLink) cut() {
	s.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.open {
		c.Close()
	}
}

// joinOver lets a replica join through a link.
func joinOver(t testing.TB, issuer, joiner *linked, rate int) *slowLink {
	t.Helper()
	ticket, err := issuer.Ticket(issuer.space, TicketOptions{})
	if err != nil {
		t.Fatal(err)
	}
	link := newSlowLink(t, tcpAddr(t, issuer), rate)
	ticket.Addrs = []string{fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", link.Addr().(*net.TCPAddr).Port)}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if joiner.space, err = joiner.Join(ctx, ticket); err != nil {
		t.Fatal(err)
	}
	return link
}

// tcpAddr returns where a replica listens.
func tcpAddr(t testing.TB, r *linked) string {
	t.Helper()
	for _, a := range r.server.Addrs() {
		parts := strings.Split(a, "/")
		if len(parts) >= 5 && parts[1] == "ip4" && parts[3] == "tcp" {
			return net.JoinHostPort(parts[2], parts[4])
		}
	}
	t.Fatalf("no address in %v", r.server.Addrs())
	return ""
}

// patience bounds what takes a few seconds on a quiet machine; only a test that fails
// waits that long.
const patience = 2 * time.Minute

// forget makes the folder begin the next fold from nothing.
func (f *folder) forget(s *Space) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.last, s.id)
}
