package p2p

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
)

// reannounce is how often gossipsub is reminded of the admitted peers. It
// remembers them itself; this is for streams that failed and were given up.
const reannounce = 5 * time.Second

// view is the host as the gossipsub of one space sees it. In it, a peer is
// connected from the moment it is admitted, and nobody else exists.
//
// It replaces exactly what gossipsub finds peers and streams by: the event bus,
// the connectedness, and the registration of the stream handler.
type view struct {
	host.Host
	protocol protocolID
	bus      event.Bus
	arrivals event.Emitter
	news     chan struct{} // holds one token while gossipsub is to be reminded

	mu      sync.Mutex
	peers   map[peer.ID]bool
	parted  map[peer.ID]parting
	in, out map[peer.ID]network.Stream // the latest of each peer
	handle  network.StreamHandler      // gossipsub's, for streams of admitted peers
}

// parting is how far the two ends of a broken pair of streams are with a new one.
type parting int

const (
	leaving parting = iota + 1 // our stream is reset, gossipsub is yet to notice
	waiting                    // it did; the next stream of the peer admits it again
)

func newView(h host.Host, protocol protocolID) (*view, error) {
	v := &view{
		Host: h, protocol: protocol, bus: eventbus.NewBus(),
		news: make(chan struct{}, 1), peers: map[peer.ID]bool{}, parted: map[peer.ID]parting{},
		in: map[peer.ID]network.Stream{}, out: map[peer.ID]network.Stream{},
	}
	var err error
	v.arrivals, err = v.bus.Emitter(new(event.EvtPeerIdentificationCompleted))
	return v, err
}

// admit makes a peer exist.
func (v *view) admit(id peer.ID) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.parted[id] == 0 { // else its next stream does
		v.peers[id] = true
	}
	v.remind()
}

// remind makes gossipsub look for admitted peers that it has no stream to.
func (v *view) remind() { poke(v.news) }

func (v *view) forget(id peer.ID) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.peers, id)
	delete(v.parted, id)
}

func (v *view) admitted(id peer.ID) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.peers[id]
}

func (v *view) all() []peer.ID {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Collect(maps.Keys(v.peers))
}

// announce tells gossipsub of admitted peers until ctx ends. It ignores those it
// has a stream to.
func (v *view) announce(ctx context.Context) {
	defer v.arrivals.Close()
	again := time.NewTicker(reannounce)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-v.news:
		case <-again.C:
		}
		for _, id := range v.all() {
			v.arrivals.Emit(event.EvtPeerIdentificationCompleted{Peer: id, Protocols: []protocolID{v.protocol}})
		}
	}
}

// EventBus returns a bus on which only admitted peers arrive.
func (v *view) EventBus() event.Bus { return v.bus }

// Network returns a network in which only admitted peers are connected.
func (v *view) Network() network.Network { return viewNetwork{v.Host.Network(), v} }

// SetStreamHandler keeps the handler; the server calls it for admitted peers.
func (v *view) SetStreamHandler(_ protocolID, h network.StreamHandler) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.handle = h
}

func (v *view) handler() network.StreamHandler {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.handle
}

// NewStream opens a stream to an admitted, connected peer.
func (v *view) NewStream(ctx context.Context, id peer.ID, protocols ...protocolID) (network.Stream, error) {
	if !v.admitted(id) {
		return nil, network.ErrNoConn
	}
	st, err := v.Host.NewStream(overAny(ctx, "gossip"), id, protocols...)
	if err == nil {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.out[id] = st
	}
	return st, err
}

type viewNetwork struct {
	network.Network
	view *view
}

func (n viewNetwork) Peers() []peer.ID { return n.view.all() }

func (n viewNetwork) Connectedness(id peer.ID) network.Connectedness {
	if !n.view.admitted(id) {
		return network.NotConnected
	}
	if c := n.Network.Connectedness(id); c != network.Limited {
		return c
	}
	return network.Connected // a relay in between is no affair of gossipsub's
}
