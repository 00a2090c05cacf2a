package p2p

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"lightcone/memo"
	"lightcone/p2p/gossip"
)

// patience is how long a test waits for what must happen; only one that fails waits
// that long.
const patience = 2 * time.Minute

// moment is a bound that a test waits for to pass: short, and longer than a busy
// machine lets a goroutine or a process wait.
const moment = 3 * time.Second

var (
	overQUIC = []string{"/ip4/127.0.0.1/udp/0/quic-v1"}
	overTCP  = []string{"/ip4/127.0.0.1/tcp/0"}
	overWS   = []string{"/ip4/127.0.0.1/tcp/0/ws"}
)

// testCore records what happens and lets a test decide the rest.
type testCore struct {
	key ed25519.PrivateKey
	net gossip.Network

	mu       sync.Mutex
	inputs   []gossip.Input
	changed  chan struct{} // closed and replaced with every input
	admitted map[memo.SpaceID]map[gossip.Peer]bool
	spaces   []memo.SpaceID
	secret   gossip.Secret
	busy     chan struct{}                             // while not closed, frames wait in Input
	refuse   func(gossip.Input) error                  // nil takes everything
	answer   func(gossip.Peer, []byte) ([]byte, error) // nil refuses
}

func (c *testCore) Key() ed25519.PrivateKey { return c.key }

func (c *testCore) Attach(n gossip.Network) {
	c.net = n
	for _, s := range c.spaces {
		n.Serve(s)
	}
}

func (c *testCore) Input(ctx context.Context, in gossip.Input) error {
	c.mu.Lock()
	busy, refuse := c.busy, c.refuse
	c.mu.Unlock()
	if _, frame := in.(*gossip.Frame); frame && busy != nil {
		select {
		case <-busy:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if refuse != nil {
		if err := refuse(in); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inputs = append(c.inputs, in)
	close(c.changed)
	c.changed = make(chan struct{})
	return nil
}

func (c *testCore) Answer(_ context.Context, from gossip.Peer, request []byte) ([]byte, error) {
	if c.answer == nil {
		return nil, errors.New("no tickets here")
	}
	return c.answer(from, request)
}

func (c *testCore) Admitted(space memo.SpaceID, p gossip.Peer) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.admitted[space][p]
}

// Rendezvous derives what a space is found by from the secret.
func (c *testCore) Rendezvous(space memo.SpaceID) (gossip.Rendezvous, bool) {
	return c.secret.Rendezvous(space), slices.Contains(c.spaces, space)
}

// admit makes Admitted true from now on, without telling the server.
func (c *testCore) admit(space memo.SpaceID, peers ...gossip.Peer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.admitted == nil {
		c.admitted = map[memo.SpaceID]map[gossip.Peer]bool{}
	}
	if c.admitted[space] == nil {
		c.admitted[space] = map[gossip.Peer]bool{}
	}
	for _, p := range peers {
		c.admitted[space][p] = true
	}
}

// all returns what happened so far.
func (c *testCore) all() []gossip.Input {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.inputs)
}

// await waits until something among the inputs satisfies the test, in sum.
func (c *testCore) await(t *testing.T, what string, enough func([]gossip.Input) bool) {
	t.Helper()
	deadline := time.After(patience)
	for {
		c.mu.Lock()
		inputs, changed := slices.Clone(c.inputs), c.changed
		c.mu.Unlock()
		if enough(inputs) {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("no %s within %v; %d inputs came: %v", what, patience, len(inputs), inputs)
		}
	}
}

func (c *testCore) awaitUp(t *testing.T, p gossip.Peer, times int) {
	t.Helper()
	c.await(t, "PeerUp", func(in []gossip.Input) bool { return count(in, gossip.PeerUp{Peer: p}) >= times })
}

func (c *testCore) awaitDown(t *testing.T, p gossip.Peer) {
	t.Helper()
	c.await(t, "PeerDown", func(in []gossip.Input) bool { return count(in, gossip.PeerDown{Peer: p}) >= 1 })
}

// awaitClosed waits for the end of n sessions and returns the errors.
func (c *testCore) awaitClosed(t *testing.T, n int) (ends []gossip.Closed) {
	t.Helper()
	c.await(t, "Closed", func(in []gossip.Input) bool { ends = pick[gossip.Closed](in); return len(ends) >= n })
	return ends
}

func (c *testCore) awaitFrames(t *testing.T, n int) (frames []*gossip.Frame) {
	t.Helper()
	c.await(t, "Frame", func(in []gossip.Input) bool { frames = pick[*gossip.Frame](in); return len(frames) >= n })
	return frames
}

func (c *testCore) awaitHeard(t *testing.T, data []byte) {
	t.Helper()
	c.await(t, "Heard "+string(data), func(in []gossip.Input) bool { return heard(in, data) })
}

func heard(in []gossip.Input, data []byte) bool {
	return slices.ContainsFunc(pick[*gossip.Heard](in), func(h *gossip.Heard) bool { return bytes.Equal(h.Data, data) })
}

func count(in []gossip.Input, what gossip.Input) (n int) {
	for _, x := range in {
		if x == what {
			n++
		}
	}
	return n
}

func pick[T gossip.Input](in []gossip.Input) (out []T) {
	for _, x := range in {
		if x, ok := x.(T); ok {
			out = append(out, x)
		}
	}
	return out
}

// node is a server with its core.
type node struct {
	*testCore
	*Server
	id gossip.Peer
}

func newCore(n byte) *testCore {
	seed := bytes.Repeat([]byte{n}, ed25519.SeedSize)
	return &testCore{key: ed25519.NewKeyFromSeed(seed), changed: make(chan struct{})}
}

// start serves a core until the test ends.
func start(t *testing.T, c *testCore, o Options) node {
	t.Helper()
	if o.Listen == nil {
		o.Listen = overTCP
	}
	if testing.Verbose() {
		o.Logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	s, err := Serve(t.Context(), c, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return node{testCore: c, Server: s, id: gossip.Peer(c.key.Public().(ed25519.PublicKey))}
}

// serving returns a core of a space.
func serving(n byte) *testCore {
	c := newCore(n)
	c.spaces = []memo.SpaceID{space}
	return c
}

func (c *testCore) awaitMet(t *testing.T, p gossip.Peer) {
	t.Helper()
	c.await(t, "meeting", func(in []gossip.Input) bool { return count(in, gossip.Met{Space: space, Peer: p}) > 0 })
}

func startN(t *testing.T, n int, o Options) []node {
	t.Helper()
	nodes := make([]node, n)
	for i := range nodes {
		nodes[i] = start(t, newCore(byte(i+1)), o)
	}
	return nodes
}

// connect makes a keep a connection to b and waits for both to know.
func connect(t *testing.T, a, b node) {
	t.Helper()
	a.Keep(b.id, b.Addrs())
	a.awaitUp(t, b.id, 1)
	b.awaitUp(t, a.id, 1)
}
