package node_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lightcone/memo"
	"lightcone/node"
	"lightcone/p2p"
)

// patience bounds how long a test waits for something that takes milliseconds on a
// quiet machine; only one that fails waits that long.
const patience = 2 * time.Minute

// replica is a real node on real libp2p over loopback.
type replica struct {
	*node.Node
	server *p2p.Server
	space  *node.Space
}

func startReplica(t testing.TB, dir string, o p2p.Options) *replica {
	t.Helper()
	return startReplicaWith(t, dir, node.Options{}, o)
}

func startReplicaWith(t testing.TB, dir string, no node.Options, o p2p.Options) *replica {
	t.Helper()
	no.Silent = true // memos are counted; beacons have their own tests
	return serve(t, dir, no, o)
}

// serve opens a replica as it is asked for.
func serve(t testing.TB, dir string, no node.Options, o p2p.Options) *replica {
	t.Helper()
	n, err := node.Open(dir, no)
	if err != nil {
		t.Fatal(err)
	}
	if len(o.Listen) == 0 {
		o.Listen = []string{"/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0"}
	}
	s, err := p2p.Serve(context.Background(), n, o)
	if err != nil {
		n.Close()
		t.Fatal(err)
	}
	r := &replica{Node: n, server: s}
	t.Cleanup(func() { r.stop(t) })
	return r
}

func (r *replica) stop(t testing.TB) {
	if err := r.server.Close(); err != nil {
		t.Error(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// swarm starts k replicas that share one space: the first makes it, the others
// join with a ticket each.
func swarm(t testing.TB, k int, o p2p.Options) []*replica {
	t.Helper()
	out := make([]*replica, k)
	for i := range out {
		out[i] = startReplica(t, t.TempDir(), o)
		var err error
		if i == 0 {
			out[i].space, err = out[i].CreateSpace("default", node.Policy{})
		} else {
			out[i].space, err = join(t, out[0], out[i])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func join(t testing.TB, issuer, joiner *replica) (*node.Space, error) {
	t.Helper()
	ticket, err := issuer.Ticket(issuer.space, node.TicketOptions{})
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := node.ParseTicket(ticket.String())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return joiner.Join(ctx, parsed)
}

func put(t testing.TB, r *replica, row string, fields map[string]string) node.Receipt {
	t.Helper()
	f := node.Fields{}
	for k, v := range fields {
		var err error
		if f[k], err = memo.Text(v); err != nil {
			t.Fatal(err)
		}
	}
	rec, err := r.space.Put(context.Background(), "animals", row, f)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// converge waits until all replicas have the same digest of the same vector.
func converge(t testing.TB, rs []*replica) [32]byte {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		digests := map[[32]byte]bool{}
		memos := map[uint64]bool{}
		var last [32]byte
		for _, r := range rs {
			d, err := r.space.Digest(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			digests[d], last = true, d
			memos[r.Spaces()[0].Memos] = true
		}
		if len(digests) == 1 && len(memos) == 1 {
			return last
		}
		if time.Now().After(deadline) {
			for i, r := range rs {
				st, _ := r.Status(context.Background())
				t.Logf("replica %d: %+v", i, st)
			}
			t.Fatalf("not converged: %d digests, memo counts %v", len(digests), memos)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// waitFor polls until cond holds.
func waitFor(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !cond(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v in vain: %s", patience, what)
		}
	}
}

func TestThreeReplicasConverge(t *testing.T) {
	for _, noGossip := range []bool{false, true} {
		t.Run(fmt.Sprintf("noGossip=%v", noGossip), func(t *testing.T) {
			t.Parallel() // it waits for recon
			rs := swarm(t, 3, p2p.Options{NoGossip: noGossip})
			for i := range 30 {
				put(t, rs[i%3], fmt.Sprintf("row%d", i%7), map[string]string{"by": fmt.Sprint(i), fmt.Sprint("f", i%3): "x"})
			}
			converge(t, rs)
		})
	}
}

// Twelve replicas write while the mesh between them forms, which relays to two or
// three others only: everything reaches everybody, by gossip or recon.
func TestManyReplicasConverge(t *testing.T) {
	rs := swarm(t, 12, p2p.Options{})
	for i := range 5 * len(rs) {
		put(t, rs[i%len(rs)], fmt.Sprintf("row%d", i), map[string]string{"by": fmt.Sprint(i)})
	}
	converge(t, rs)
}

func TestPartitionStaleReadHeal(t *testing.T) {
	t.Parallel() // it waits for disks and links
	ctx := context.Background()
	rs := swarm(t, 3, p2p.Options{})
	b, c := rs[1], rs[2]
	put(t, rs[0], "fox", map[string]string{"name": "Fox", "sound": "?"})
	converge(t, rs)

	if err := c.Block(); err != nil {
		t.Fatal(err)
	}
	token := put(t, b, "fox", map[string]string{"sound": "Ring-ding"}).Token
	put(t, c, "fox", map[string]string{"sound": "Woof", "legs": "four"})

	stale := c.space.Session(node.From(token), node.Read{Wait: 200 * time.Millisecond})
	_, err := stale.Get(ctx, "animals", "fox")
	var behind *node.BehindError
	if !errors.As(err, &behind) {
		t.Fatalf("a cut-off replica answered under a context it lacks: %v", err)
	}
	if len(behind.Missing) != 1 || behind.Lag.Memos == 0 {
		t.Errorf("missing %v, lag %d", behind.Missing, behind.Lag.Memos)
	}
	if len(behind.Holders) == 0 || behind.Holders[0] != b.ID() && behind.Holders[len(behind.Holders)-1] != b.ID() {
		t.Errorf("holders %v do not name %v, who wrote it", behind.Holders, b.ID())
	}

	if err := c.Unblock(); err != nil {
		t.Fatal(err)
	}
	row, err := c.space.Session(node.From(token), node.Read{Wait: patience}).Get(ctx, "animals", "fox")
	if err != nil {
		t.Fatal(err)
	}
	if row.Fields["sound"].Text() == "?" {
		t.Error("the answer is older than the token")
	}
	converge(t, rs)
}

func TestRestartKeepsPeers(t *testing.T) {
	dir := t.TempDir()
	a := startReplica(t, t.TempDir(), p2p.Options{})
	var err error
	if a.space, err = a.CreateSpace("default", node.Policy{}); err != nil {
		t.Fatal(err)
	}
	b := startReplica(t, dir, p2p.Options{})
	if b.space, err = join(t, a, b); err != nil {
		t.Fatal(err)
	}
	converge(t, []*replica{a, b})
	b.stop(t)
	for i := range 20 {
		put(t, a, fmt.Sprint(i), map[string]string{"x": "y"})
	}
	b2 := startReplica(t, dir, p2p.Options{})
	if b2.space, err = b2.OpenSpace("default"); err != nil {
		t.Fatal(err)
	}
	converge(t, []*replica{a, b2})
}

func TestTicketsAreChecked(t *testing.T) {
	rs := swarm(t, 2, p2p.Options{})
	stranger := startReplica(t, t.TempDir(), p2p.Options{})
	good, err := rs[0].Ticket(rs[0].space, node.TicketOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*node.Ticket)
		want   error
	}{
		"more uses":      {func(k *node.Ticket) { k.Uses = 1000 }, node.ErrTicketRefused},
		"later expiry":   {func(k *node.Ticket) { k.Expires = k.Expires.Add(time.Hour) }, node.ErrTicketRefused},
		"forged key":     {func(k *node.Ticket) { k.Key[0]++ }, node.ErrTicketRefused},
		"other nonce":    {func(k *node.Ticket) { k.Nonce++ }, node.ErrTicketRefused},
		"expired":        {func(k *node.Ticket) { k.Expires = time.Now().Add(-time.Hour) }, node.ErrTicketExpired},
		"other issuer":   {func(k *node.Ticket) { k.Issuer = rs[1].ID(); k.Addrs = rs[1].server.Addrs() }, node.ErrTicketRefused},
		"nobody listens": {func(k *node.Ticket) { k.Issuer[3]++; k.Addrs = []string{"/ip4/127.0.0.1/tcp/9"} }, node.ErrNoRoute},
	} {
		bad := good
		c.change(&bad)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		if _, err := stranger.Join(ctx, bad); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		cancel()
	}
	if len(stranger.Spaces()) != 0 {
		t.Error("a refused ticket left a space behind")
	}
	if stranger.space, err = stranger.Join(context.Background(), good); err != nil {
		t.Fatal(err)
	}
	second := startReplica(t, t.TempDir(), p2p.Options{})
	if _, err := second.Join(context.Background(), good); !errors.Is(err, node.ErrTicketRefused) {
		t.Errorf("a ticket for one use worked twice: %v", err)
	}
}

func TestMemosFromTheFutureAreDelayed(t *testing.T) {
	a := startReplica(t, t.TempDir(), p2p.Options{})
	var err error
	if a.space, err = a.CreateSpace("default", node.Policy{}); err != nil {
		t.Fatal(err)
	}
	var offset atomic.Int64 // of the writer's clock
	b := startReplicaWith(t, t.TempDir(), node.Options{
		Now: func() time.Time { return time.Now().Add(time.Duration(offset.Load())) },
	}, p2p.Options{})
	if b.space, err = join(t, a, b); err != nil {
		t.Fatal(err)
	}
	put(t, b, "now", map[string]string{"x": "1"})
	converge(t, []*replica{a, b})
	offset.Store(int64(time.Hour))
	put(t, b, "later", map[string]string{"x": "2"})
	waitFor(t, "the memo is delayed", func() bool {
		st, err := a.Status(context.Background())
		return err == nil && st.Delayed == 1
	})
	if _, err := a.space.Get(context.Background(), "animals", "later"); !errors.Is(err, node.ErrNotFound) {
		t.Fatalf("a memo an hour ahead was attached: %v", err)
	}
}

// A crash leaves the projection behind the log. What peers sent comes in runs of
// several memos that share one record; all of them are projected again.
func TestCrashReplaysWholeRuns(t *testing.T) {
	rs := swarm(t, 2, p2p.Options{})
	var wg sync.WaitGroup
	for w := range 16 { // concurrent writes share runs
		wg.Go(func() {
			for i := range 8 {
				put(t, rs[0], fmt.Sprintf("row %d of %d", i, w), map[string]string{"x": "y"})
			}
		})
	}
	wg.Wait()
	want := converge(t, rs)

	crashed := t.TempDir()
	if err := os.CopyFS(crashed, os.DirFS(rs[1].Dir())); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(crashed, "key"), 0o600); err != nil {
		t.Fatal(err)
	}
	n, err := node.Open(crashed, node.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	s, err := n.OpenSpace("default")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Digest(context.Background()); err != nil || got != want {
		t.Fatalf("digest after the crash %x, before it %x (%v)", got, want, err)
	}
}
