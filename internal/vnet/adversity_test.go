package vnet_test

import (
	"bytes"
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

// twist changes a third of the messages in one byte, wherever it is, and a third in
// the rows that they write.
func twist(data []byte) []byte {
	data = slices.Clone(data)
	switch rand.N(3) {
	case 0:
		data[rand.N(len(data))] ^= byte(1 + rand.N(255))
	case 1:
		data = bytes.ReplaceAll(data, []byte("true-"), []byte("lies-"))
	}
	return data
}

// Nobody believes a peer that twists what it says, and it keeps the others from
// nothing. What it says plainly may be heard, or not once it is blamed.
func TestLiar(t *testing.T) {
	const hosts, last = 10, 9
	inVirtualTime(t, hosts, home, func(w *swarm) {
		w.write("true", w.all(), 5*time.Second)
		w.stop(last)
		time.Sleep(20 * time.Second)
		honest, rows := w.all(), rowsOf(t, w.hosts[0])
		if unlike := w.unlike(honest, rows); unlike != "" {
			t.Error(unlike)
		}
		for row, name := range w.rows {
			if got, ok := rows[row]; got != name && (ok || !strings.HasPrefix(row, "true-9-")) {
				t.Errorf("row %s is %q, written was %q", row, got, name)
			}
			delete(rows, row)
		}
		if len(rows) > 0 {
			t.Errorf("rows that nobody wrote: %v", rows)
		}
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
