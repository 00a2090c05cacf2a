package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/ipfs/boxo/bitswap"
	"github.com/ipfs/boxo/bitswap/network/bsnet"
	"github.com/ipfs/boxo/blockservice"
	"github.com/ipfs/boxo/blockstore"
	"github.com/ipfs/boxo/ipld/merkledag"
	"github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"
	crdt "github.com/ipfs/go-ds-crdt"
	pebbleds "github.com/ipfs/go-ds-pebble"
	ipld "github.com/ipfs/go-ipld-format"
	"github.com/ipfs/go-log/v2"
	"github.com/libp2p/go-libp2p"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/metrics"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"

	"lightcone/p2p/gossip"
)

// rebroadcast is how often heads are announced again, as in go-ds-crdt's own
// example, where the default is a minute.
const rebroadcast = 5 * time.Second

const crdtTopic = "compare"

// dscrdt is a swarm of go-ds-crdt datastores, wired as its example globaldb
// wires them by way of ipfs-lite: pebble without syncs, gossipsub, bitswap. There
// is no DHT, since all replicas are connected.
type dscrdt struct {
	dir   string
	nodes []*crdtNode
}

type crdtNode struct {
	host     host.Host
	traffic  *traffic
	pubsub   *pubsub.PubSub
	store    *crdt.Datastore
	arrivals arrivals
	undo     []func() error // what close does, last first
}

func startDSCRDT(ctx context.Context, dir string, peers int) (swarm, error) {
	if err := log.SetLogLevel("*", "fatal"); err != nil {
		return nil, err
	}
	d := &dscrdt{dir: dir}
	for range peers {
		if err := d.join(ctx); err != nil {
			return nil, errors.Join(err, d.close())
		}
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		pairs := 0
		for _, n := range d.nodes {
			pairs += len(n.pubsub.ListPeers(crdtTopic))
		}
		if pairs == peers*(peers-1) {
			return d, nil
		}
		if time.Now().After(deadline) {
			return nil, errors.Join(fmt.Errorf("only %d subscriptions within %v", pairs, patience), d.close())
		}
	}
}

// join starts a replica and connects it with all others.
func (d *dscrdt) join(ctx context.Context) error {
	x := &crdtNode{traffic: &traffic{Reporter: metrics.NewBandwidthCounter()}}
	d.nodes = append(d.nodes, x)
	var err error
	x.host, err = libp2p.New(
		libp2p.ListenAddrStrings(loopback),
		libp2p.Transport(tcp.NewTCPTransport),
		libp2p.BandwidthReporter(x.traffic),
		libp2p.DisableRelay(),
		libp2p.DisableMetrics(),
	)
	if err != nil {
		return err
	}
	x.undo = append(x.undo, x.host.Close)
	if err := x.open(ctx, filepath.Join(d.dir, strconv.Itoa(len(d.nodes)-1))); err != nil {
		return err
	}
	for _, other := range d.nodes[:len(d.nodes)-1] {
		if err := x.host.Connect(ctx, peer.AddrInfo{ID: other.host.ID(), Addrs: other.host.Addrs()}); err != nil {
			return err
		}
	}
	return nil
}

func (x *crdtNode) open(ctx context.Context, dir string) error {
	disk, err := pebbleds.NewDatastore(dir) // unsynced by default
	if err != nil {
		return err
	}
	x.undo = append(x.undo, disk.Close)
	blocks, err := blockstore.CachedBlockstore(ctx,
		blockstore.NewIdStore(blockstore.NewBlockstore(disk)), blockstore.DefaultCacheOpts())
	if err != nil {
		return err
	}
	exchange := bitswap.New(ctx, bsnet.NewFromIpfsHost(x.host), nil, blocks)
	service := blockservice.New(blocks, exchange)
	x.undo = append(x.undo, exchange.Close, service.Close)

	ctx, cancel := context.WithCancel(ctx)
	if x.pubsub, err = pubsub.NewGossipSub(ctx, x.host); err != nil {
		cancel()
		return err
	}
	broadcaster, err := crdt.NewPubSubBroadcaster(ctx, x.pubsub, crdtTopic)
	if err != nil {
		cancel()
		return err
	}
	o := crdt.DefaultOptions()
	o.RebroadcastInterval = rebroadcast
	o.PutHook = x.arrived
	x.store, err = crdt.New(disk, datastore.NewKey("crdt"), dag{merkledag.NewDAGService(service)}, broadcaster, o)
	if err != nil {
		cancel()
		return err
	}
	x.undo = append(x.undo, x.store.Close, func() error { cancel(); return nil })
	return nil
}

// dag offers sessions, as ipfs-lite's peer does.
type dag struct{ ipld.DAGService }

// Session implements crdt.SessionDAGService.
func (d dag) Session(ctx context.Context) ipld.NodeGetter {
	return merkledag.NewSession(ctx, d.DAGService)
}

// arrived is the hook that go-ds-crdt calls once it has applied a put.
func (x *crdtNode) arrived(k datastore.Key, _ []byte) {
	now := time.Now()
	if n, err := strconv.Atoi(k.BaseNamespace()[1:]); err == nil {
		x.arrivals.mark(n, now)
	}
}

func (d *dscrdt) write(ctx context.Context, from, to int) error {
	store := d.nodes[0].store
	if to-from == 1 {
		return store.Put(ctx, datastore.NewKey(key(from)), value(from))
	}
	b, err := store.Batch(ctx)
	if err != nil {
		return err
	}
	for k := from; k < to; k++ {
		if err := b.Put(ctx, datastore.NewKey(key(k)), value(k)); err != nil {
			return err
		}
	}
	return b.Commit(ctx)
}

func (d *dscrdt) receivers() (out []*arrivals) {
	for _, x := range d.nodes[1:] {
		out = append(out, &x.arrivals)
	}
	return out
}

func (d *dscrdt) sent() (n int64) {
	for _, x := range d.nodes {
		n += x.traffic.out.Load()
	}
	return n
}

// topics: nothing is counted here.
func (d *dscrdt) topics() gossip.TopicTraffic { return gossip.TopicTraffic{} }

func (d *dscrdt) received(i int) int64 { return d.nodes[i].traffic.in.Load() }

func (d *dscrdt) equal(ctx context.Context) error {
	var want [32]byte
	for i, x := range d.nodes {
		got, err := x.digest(ctx)
		if err != nil {
			return err
		}
		if i == 0 {
			want = got
		} else if got != want {
			return fmt.Errorf("%w: 0 and %d", errUnequal, i)
		}
	}
	return nil
}

func (x *crdtNode) digest(ctx context.Context) (sum [32]byte, err error) {
	rows, err := x.store.Query(ctx, query.Query{Orders: []query.Order{query.OrderByKey{}}})
	if err != nil {
		return sum, err
	}
	defer rows.Close()
	h := sha256.New()
	for row := range rows.Next() {
		if row.Error != nil {
			return sum, row.Error
		}
		fmt.Fprintf(h, "%s %x\n", row.Key, row.Value)
	}
	h.Sum(sum[:0])
	return sum, nil
}

func (d *dscrdt) close() error {
	var faults []error
	for _, x := range d.nodes {
		for i := len(x.undo) - 1; i >= 0; i-- {
			faults = append(faults, x.undo[i]())
		}
	}
	return errors.Join(faults...)
}

func (d *dscrdt) disk() (int64, error) {
	used, _, err := size(d.dir)
	return used, err
}

// traffic counts the bytes on all streams, as Lightcone's own counter does;
// libp2p's is up to a second behind.
type traffic struct {
	metrics.Reporter
	in, out atomic.Int64
}

// LogSentMessage implements metrics.Reporter.
func (t *traffic) LogSentMessage(n int64) { t.out.Add(n) }

// LogRecvMessage implements metrics.Reporter.
func (t *traffic) LogRecvMessage(n int64) { t.in.Add(n) }

// LogSentMessageStream implements metrics.Reporter; the bytes are counted above.
func (t *traffic) LogSentMessageStream(int64, protocol.ID, peer.ID) {}

// LogRecvMessageStream implements metrics.Reporter; the bytes are counted above.
func (t *traffic) LogRecvMessageStream(int64, protocol.ID, peer.ID) {}
