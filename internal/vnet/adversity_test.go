package vnet_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"lightcone/internal/vnet"
	"lightcone/node"
	"lightcone/p2p"
	"lightcone/p2p/gossip"
)

// home is a network where packets are seldom lost.
var home = vnet.Link{Latency: 10 * time.Millisecond, Jitter: 5 * time.Millisecond, Loss: 0.02}

// A host that hears the others and is not heard keeps nobody from anything.
func TestOneWayPartition(t *testing.T) {
	const hosts, deaf = 5, 4
	inVirtualTime(t, hosts, home, func(w *swarm) {
		w.write("together", w.all(), time.Second)
		w.net.Cut(func(from, _ int) bool { return from == deaf })
		w.write("apart", w.all(), time.Second)
		others := maps.Clone(w.rows)
		maps.DeleteFunc(others, func(row, _ string) bool { return strings.HasPrefix(row, "apart-4-") })
		w.settleAt(w.all()[:deaf], others, 5*time.Second)
		time.Sleep(time.Minute)
		w.net.Cut(nil)
		w.settle(30 * time.Second)
	})
}

// Replicas that stop and come back, one after the other, while others write.
func TestRestarts(t *testing.T) {
	const hosts = 5
	inVirtualTime(t, hosts, home, func(w *swarm) {
		for i := range hosts {
			w.stop(i)
			w.write("without", w.all(), time.Second)
			w.open(i, vnet.Options{})
			w.write("with", w.all(), time.Second)
		}
		w.settle(30 * time.Second)
	})
}

// Replicas that come back elsewhere, all but one, find each other through that one.
func TestAddressesChange(t *testing.T) {
	const hosts, stays = 5, 3
	inVirtualTime(t, hosts, home, func(w *swarm) {
		w.write("here", w.all(), time.Second)
		for i := range hosts {
			w.stop(i)
		}
		for i := range hosts {
			if i == stays {
				w.open(i, vnet.Options{})
			} else {
				w.openAt(i+hosts, i, vnet.Options{})
			}
		}
		w.write("elsewhere", w.all(), time.Second)
		w.settle(30 * time.Second)
		time.Sleep(30 * time.Second)
		for i, r := range w.hosts {
			if n := len(r.Server.Peers()); n != hosts-1 {
				t.Errorf("host %d found %d of %d peers", i, n, hosts-1)
			}
		}
	})
}

// What is written by a clock that is ahead waits for the others' clocks, and keeps
// nothing else waiting.
func TestClockJumps(t *testing.T) {
	const hosts, ahead = 4, 5 * time.Minute
	var jump atomic.Int64
	o := vnet.Options{Node: node.Options{Now: func() time.Time { return time.Now().Add(time.Duration(jump.Load())) }}}
	inVirtualTime(t, hosts, home, func(w *swarm) {
		w.write("together", w.all(), time.Second)
		w.settle(5 * time.Second)
		jump.Store(int64(ahead))
		w.write("ahead", w.all(), time.Second)
		jump.Store(0)
		others := maps.Clone(w.rows)
		maps.DeleteFunc(others, func(row, _ string) bool { return strings.HasPrefix(row, "ahead-3-") })
		w.settleAt(w.all()[:hosts-1], others, 5*time.Second)
		w.settle(ahead)
	}, o)
}

// liar is a node some of whose words are changed on their way out.
type liar struct{ *node.Node }

func (l liar) Attach(n gossip.Network) { l.Node.Attach(twisted{n}) }

type twisted struct{ gossip.Network }

func (n twisted) Do(e *gossip.Effects) {
	for i := range e.Send {
		e.Send[i].Data = twist(e.Send[i].Data)
	}
	for i := range e.Publish {
		e.Publish[i].Data = twist(e.Publish[i].Data)
	}
	n.Network.Do(e)
}

// twist changes one byte in every third message.
func twist(data []byte) []byte {
	if rand.N(3) > 0 || len(data) == 0 {
		return data
	}
	data = slices.Clone(data)
	data[rand.N(len(data))] ^= byte(1 + rand.N(255))
	return data
}

// A peer that twists what it says is refused, and keeps the others from nothing.
func TestLiar(t *testing.T) {
	const hosts = 10
	inVirtualTime(t, hosts, home, func(w *swarm) {
		honest := w.all()[:hosts-1]
		w.write("honest", honest, 5*time.Second)
		w.settleAt(honest, w.rows, 10*time.Second)
		invalid := int64(0)
		for _, i := range honest {
			st, err := w.hosts[i].Status(w.Context())
			if err != nil {
				t.Fatal(err)
			}
			invalid += st.Invalid + st.Refused
		}
		if invalid == 0 {
			t.Error("nobody noticed a lie")
		}
	}, vnet.Options{Core: func(n *node.Node) p2p.Core { return liar{n} }})
}

// A host that was cut off for long is back soon.
func TestLongOutage(t *testing.T) {
	const hosts, away = 3, 2
	inVirtualTime(t, hosts, home, func(w *swarm) {
		w.net.Cut(func(from, to int) bool { return from == away || to == away })
		w.write("apart", w.all(), time.Second)
		time.Sleep(time.Hour)
		w.net.Cut(nil)
		w.settle(30 * time.Second)
	})
}
