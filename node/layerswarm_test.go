package node_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"lightcone/memo"
	"lightcone/node"
	"lightcone/p2p"
)

// slowLink passes TCP connections on, so many bytes a second each way.
type slowLink struct {
	to   string
	rate int
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
	s := &slowLink{to: to, rate: rate, Listener: l}
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
			free = free.Add(time.Second * time.Duration(n) / time.Duration(s.rate))
			time.Sleep(time.Until(free))
		}
		if err != nil {
			break
		}
	}
	from.Close()
	to.Close()
}

// cut ends the link and all that goes over it.
func (s *slowLink) cut() {
	s.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.open {
		c.Close()
	}
}

var _ io.Closer = (*slowLink)(nil)

var tcpOnly = p2p.Options{Listen: []string{"/ip4/127.0.0.1/tcp/0"}}

// rowBytes is what a row of fullOf holds.
const rowBytes = 600

// fullOf starts a replica with n rows, each written by a memo of its own.
func fullOf(t testing.TB, n int) *replica {
	t.Helper()
	r := startReplicaWith(t, t.TempDir(), node.Options{Durability: node.None}, tcpOnly)
	var err error
	if r.space, err = r.CreateSpace("default", node.Policy{}); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		fields := node.Fields{"i": memo.Int(int64(i)), "data": memo.Blob(bytes.Repeat([]byte{byte(i)}, rowBytes))}
		if _, err := r.space.Put(context.Background(), "t", rowName(i), fields); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func rowName(i int) string { return fmt.Sprintf("row%05d", i) }

// joinOver lets a replica join through a link.
func joinOver(t testing.TB, issuer, joiner *replica, rate int) *slowLink {
	t.Helper()
	ticket, err := issuer.Ticket(issuer.space, node.TicketOptions{})
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
func tcpAddr(t testing.TB, r *replica) string {
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

// lateRows are the rows of the tests below: enough memos that a state is fetched.
const lateRows = 5000

// Over a slow link a late joiner shows rows long before their memos came, with the
// name of the peer that vouches for them; at the end everything is its own.
func TestLateJoinerShowsVouchedRows(t *testing.T) {
	ctx := context.Background()
	a := fullOf(t, lateRows)
	b := startReplicaWith(t, t.TempDir(), node.Options{}, tcpOnly)
	began := time.Now()
	joinOver(t, a, b, 800_000)
	for _, i := range []int{lateRows - 1, lateRows / 2} {
		row, err := b.space.Session(node.Read{Mode: node.Local, Wait: patience}).Get(ctx, "t", rowName(i))
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("row %d after %v, with %d of %d memos here, vouched for by %v", i, time.Since(began), b.Spaces()[0].Memos, lateRows+1, row.VouchedBy)
		if row.Fields["i"] != memo.Int(int64(i)) {
			t.Errorf("row %d: %v", i, row.Fields)
		}
		if row.VouchedBy != a.ID() && b.Spaces()[0].Memos <= uint64(i) {
			t.Errorf("row %d is shown without its memo and vouched for by %v", i, row.VouchedBy)
		}
	}
	if st, err := b.Status(ctx); err != nil || st.Spaces[0].Layer == nil || st.Spaces[0].Layer.Peer != a.ID() || st.Spaces[0].Layer.Memos != lateRows+1 {
		t.Errorf("status: %+v, %v", st.Spaces[0], err)
	}
	var behind *node.BehindError
	if _, err := b.space.Session(node.Read{Wait: -1}).Get(ctx, "t", rowName(lateRows-1)); !errors.Is(err, node.ErrNotFound) {
		t.Errorf("another read shows what a peer vouches for: %v", err)
	}
	x := b.space.Session(node.Read{Vouched: true, Wait: patience})
	if row, err := x.Get(ctx, "t", rowName(lateRows-1)); err != nil || row.VouchedBy != a.ID() {
		t.Errorf("a vouched read: %+v, %v", row, err)
	}
	if _, err := b.space.Session(node.From(x.Token()), node.Read{Wait: -1}).Get(ctx, "t", rowName(0)); !errors.As(err, &behind) {
		t.Errorf("the session un-knows what it was vouched: %v", err)
	}
	n, labelled := 0, 0
	for row, err := range b.space.Session(node.Read{Mode: node.Local, Wait: patience}).Scan(ctx, node.Query{Topic: "t"}) {
		if err != nil {
			t.Fatal(err)
		}
		if row.Fields["i"] != memo.Int(int64(n)) {
			t.Fatalf("row %d: %v", n, row.Fields)
		}
		if n++; row.VouchedBy != (node.PeerID{}) {
			labelled++
		}
	}
	t.Logf("a scan of %d rows after %v, %d of them vouched for", n, time.Since(began), labelled)
	if n != lateRows {
		t.Errorf("a scan shows %d rows", n)
	}
	converge(t, []*replica{a, b})
	t.Logf("equal after %v, %d bytes received", time.Since(began), b.server.Traffic().Received)
	if row, err := b.space.Session(node.Read{Mode: node.Local}).Get(ctx, "t", rowName(5)); err != nil || row.VouchedBy != (node.PeerID{}) {
		t.Errorf("at the end: %+v, %v", row, err)
	}
	waitFor(t, "the layer is dropped", func() bool {
		st, err := b.Status(ctx)
		return err == nil && st.Spaces[0].Layer == nil && len(st.Spaces[0].Liars) == 0
	})
}
