package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"lightcone/memo"
	"lightcone/node"
	"lightcone/p2p"
	"lightcone/p2p/gossip"
)

// topic holds all rows on Lightcone's side; a value is the row's field "".
const topic = "t"

// loopback is where the replicas of both sides listen.
const loopback = "/ip4/127.0.0.1/tcp/0"

// lookEvery is how often a receiver of Lightcone's side looks for what is
// visible. It is added to Lightcone's delays, up to its length.
const lookEvery = time.Millisecond

// lightcone is a swarm of real nodes in one space.
type lightcone struct {
	dir   string
	opts  node.Options
	nodes []*lightNode
	log   int64 // bytes of all logs in use, known once closed

	mu   sync.Mutex
	base uint64 // memos of the space before the first write
	upTo []int  // upTo[i]: keys that are there after i+1 writes
}

type lightNode struct {
	*node.Node
	server   *p2p.Server
	space    *node.Space
	arrivals arrivals
	wrote    chan struct{} // tells look that there is something to wait for
	stop     context.CancelFunc
	stopped  chan error
}

// The two durabilities that are compared.
const (
	relaxed = node.None
	durable = node.Group
)

func startLightcone(d node.Durability) func(context.Context, string, int) (swarm, error) {
	return func(ctx context.Context, dir string, peers int) (swarm, error) {
		// Silent: keys are counted by memos, and pings would be counted as keys.
		l := &lightcone{dir: dir, opts: node.Options{Durability: d, Silent: true}}
		for range peers {
			if err := l.join(ctx); err != nil {
				return nil, errors.Join(err, l.close())
			}
		}
		if err := l.mesh(ctx); err != nil {
			return nil, errors.Join(err, l.close())
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.base = l.nodes[0].Spaces()[0].Memos
		return l, nil
	}
}

func (l *lightcone) nodeDir(i int) string { return filepath.Join(l.dir, fmt.Sprint(i)) }

// join opens a node: the first makes the space, the others get a ticket.
func (l *lightcone) join(ctx context.Context) error {
	n, err := node.Open(l.nodeDir(len(l.nodes)), l.opts)
	if err != nil {
		return err
	}
	server, err := p2p.Serve(ctx, n, p2p.Options{Listen: []string{loopback}})
	if err != nil {
		return errors.Join(err, n.Close())
	}
	x := &lightNode{Node: n, server: server, wrote: make(chan struct{}, 1), stopped: make(chan error, 1)}
	ctx, cancel := context.WithCancel(ctx)
	x.stop = cancel
	l.nodes = append(l.nodes, x)
	if first := l.nodes[0]; first == x {
		x.space, err = n.CreateSpace("default", node.Policy{})
	} else {
		var ticket node.Ticket
		if ticket, err = first.Ticket(first.space, node.TicketOptions{}); err == nil {
			x.space, err = n.Join(ctx, ticket)
		}
	}
	if err != nil || len(l.nodes) == 1 { // nothing arrives at the writer
		close(x.stopped)
		return err
	}
	go func() { x.stopped <- l.look(ctx, x) }()
	return nil
}

// mesh waits until every node is connected to every other.
func (l *lightcone) mesh(ctx context.Context) error {
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		pairs := 0
		for _, n := range l.nodes {
			st, err := n.Status(ctx)
			if err != nil {
				return err
			}
			pairs += len(st.Peers)
		}
		if pairs == len(l.nodes)*(len(l.nodes)-1) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("only %d connections within %v", pairs, patience)
		}
	}
}

// look marks what is visible at x until ctx ends. It asks for the number of
// memos, since there is one author, whose memos come in order, and proves by
// reading the newest row that what is counted is visible. While nothing is under
// way it sleeps, so that it costs no CPU.
func (l *lightcone) look(ctx context.Context, x *lightNode) error {
	for have := 0; ctx.Err() == nil; {
		keys, written := l.keysAt(x)
		if have == written {
			select {
			case <-x.wrote:
			case <-ctx.Done():
			}
			continue
		}
		if keys == have {
			time.Sleep(lookEvery)
			continue
		}
		if _, err := x.space.Get(ctx, topic, key(keys-1)); err != nil && ctx.Err() == nil {
			return fmt.Errorf("%s is counted but not visible: %w", key(keys-1), err)
		}
		for now := time.Now(); have < keys; have++ {
			x.arrivals.mark(have, now)
		}
	}
	return nil
}

// keysAt returns how many keys x has and how many were written.
func (l *lightcone) keysAt(x *lightNode) (keys, written int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.upTo) == 0 {
		return 0, 0
	}
	memos := x.Spaces()[0].Memos
	if memos > l.base {
		keys = l.upTo[min(int(memos-l.base), len(l.upTo))-1]
	}
	return keys, l.upTo[len(l.upTo)-1]
}

func (l *lightcone) write(ctx context.Context, from, to int) error {
	l.mu.Lock()
	l.upTo = append(l.upTo, to)
	l.mu.Unlock()
	for _, x := range l.nodes[1:] {
		select {
		case x.wrote <- struct{}{}:
		default:
		}
	}
	_, err := l.nodes[0].space.Update(ctx, func(tx *node.Tx) error {
		for k := from; k < to; k++ {
			if err := tx.Put(topic, key(k), node.Fields{"": memo.Blob(value(k))}); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

// rest waits until the first node has folded all it has, as a node at rest does.
func (l *lightcone) rest(ctx context.Context) error {
	_, err := l.nodes[0].space.Session().ExactToken(ctx)
	return err
}

// ask reads what is newest at the last node, another node's word included.
func (l *lightcone) ask(ctx context.Context, k int) (vouched bool, err error) {
	x := l.nodes[len(l.nodes)-1]
	want := memo.Blob(value(k))
	for ; ctx.Err() == nil; time.Sleep(lookEvery) {
		row, err := x.space.Session(node.Read{Mode: node.Local, Wait: patience}).Get(ctx, topic, key(k))
		switch {
		case err == nil && row.Fields[""] == want:
			return row.VouchedBy != node.PeerID{}, nil
		case err == nil:
			return false, fmt.Errorf("%s is %v", key(k), row.Fields)
		case !errors.Is(err, node.ErrNotFound):
			return false, err
		}
	}
	return false, ctx.Err()
}

func (l *lightcone) receivers() (out []*arrivals) {
	for _, x := range l.nodes[1:] {
		out = append(out, &x.arrivals)
	}
	return out
}

func (l *lightcone) sent() (n int64) {
	for _, x := range l.nodes {
		n += x.server.Traffic().Sent
	}
	return n
}

func (l *lightcone) topics() (sum gossip.TopicTraffic) {
	for _, x := range l.nodes {
		t := x.server.Traffic().Topics
		sum.Bytes += t.Bytes
		sum.Messages += t.Messages
		sum.Copies += t.Copies
		sum.CopyBytes += t.CopyBytes
		sum.IHave += t.IHave
		sum.IWant += t.IWant
		sum.IDontWant += t.IDontWant
		sum.Grafts += t.Grafts
		sum.Prunes += t.Prunes
	}
	return sum
}

func (l *lightcone) received(i int) int64 { return l.nodes[i].server.Traffic().Received }

func (l *lightcone) equal(ctx context.Context) error {
	want, err := l.nodes[0].space.Digest(ctx)
	for i := 1; i < len(l.nodes) && err == nil; i++ {
		var got [32]byte
		if got, err = l.nodes[i].space.Digest(ctx); err == nil && got != want {
			err = fmt.Errorf("%w: 0 and %d", errUnequal, i)
		}
	}
	return err
}

func (l *lightcone) close() error {
	var faults []error
	for _, x := range l.nodes {
		x.stop()
		faults = append(faults, <-x.stopped)
		st, err := x.Status(context.Background())
		l.log += st.LogBytes
		faults = append(faults, err, x.server.Close(), x.Close())
	}
	return errors.Join(faults...)
}

// disk counts the log as far as it is used, the index and the rows.
func (l *lightcone) disk() (int64, error) {
	total := l.log
	for i := range l.nodes {
		for _, part := range []string{"kv", "projection.db"} {
			used, _, err := size(filepath.Join(l.nodeDir(i), part))
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				return 0, err
			}
			total += used
		}
	}
	return total, nil
}
