package engine

import (
	"testing"
	"time"
)

// talker has peer 0 send numbered messages to peer 1 over a connection.
type talker struct {
	last Time
	got  []uint32
	cut  int
}

func (k *talker) Start(p *Port) {
	for i := range uint32(100) {
		if p.Self() == 0 {
			p.After(Ticks(time.Duration(i)*10*time.Millisecond), FirstKind, i)
		}
	}
}

func (k *talker) Step(p *Port, ev Event) {
	if ev.Kind == FirstKind+1 {
		k.got = append(k.got, ev.Arg)
		return
	}
	at, ok := p.Stream(1, FirstKind+1, ev.Arg, 10, k.last)
	if !ok {
		k.cut++
		return
	}
	k.last = at
}

func (k *talker) Digest(Peer) uint64 { return 0 }

// TestStreamsKeepTheOrder: what is sent over a connection arrives once and in order,
// however much is lost and whatever the jitter, but for what a partition cuts off.
func TestStreamsKeepTheOrder(t *testing.T) {
	for _, cuts := range [][]Partition{nil, {{From: Seconds(0.2), To: Seconds(0.5), Share: 0.5}}} {
		k := &talker{}
		for seed := uint64(0); ; seed++ { // until the two are on different sides
			k = &talker{}
			net := Network{Loss: 0.3, Jitter: 40 * time.Millisecond, Partitions: cuts}
			e, err := New(Config{Peers: 2, Seed: seed, Until: Seconds(60), Network: net}, func(*Shard) Protocol { return k })
			if err == nil {
				err = e.Run(t.Context())
			}
			if err != nil {
				t.Fatal(err)
			}
			if lost := e.Total(Lost); lost == 0 {
				t.Error("nothing was lost and repeated")
			}
			if cuts == nil || k.cut > 0 {
				break
			}
		}
		if len(k.got)+k.cut != 100 || cuts != nil && k.cut != 30 {
			t.Errorf("%d arrived, %d were cut off", len(k.got), k.cut)
		}
		for i := 1; i < len(k.got); i++ {
			if k.got[i] <= k.got[i-1] {
				t.Fatalf("%d came behind %d", k.got[i], k.got[i-1])
			}
		}
	}
}
