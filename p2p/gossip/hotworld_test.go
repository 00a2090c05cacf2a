package gossip

import (
	"container/heap"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"lightcone/memo"
	"lightcone/merge"
)

// hotWorld is one hot topic in virtual time: peers with real cores and real trees, a
// network with delays, and owners that take in no more than their budget. Messages on
// topics reach everybody once: carrying them is p2p's, and does not depend on hearing.
type hotWorld struct {
	t      testing.TB
	rng    *rand.Rand
	now    time.Duration
	events events
	number int
	space  memo.SpaceID
	params merge.Params
	peers  []*hotPeer
	rows   *rand.Zipf
	budget int      // units a second of each peer
	keys   []string // by rank
	sealed map[SealedHead]bool
	writes int
}

// hotStream is one stream between two peers; ends[0] opened it.
type hotStream struct {
	ends [2]*hotPeer
	ids  [2]SessionID
	last [2]time.Duration // arrival of the newest frame each way
	over [2]bool
}

// hotLag is the least and the most that a frame or message takes.
const hotLagMin, hotLagMax = 20 * time.Millisecond, 100 * time.Millisecond

func (w *hotWorld) at(t time.Duration, do func()) {
	heap.Push(&w.events, event{max(t, w.now), w.number, do})
	w.number++
}

func (w *hotWorld) run(d time.Duration, until func() bool) bool {
	end := w.now + d
	for len(w.events) > 0 && w.events[0].at <= end {
		ev := heap.Pop(&w.events).(event)
		w.now = ev.at
		ev.do()
		if until != nil && until() {
			return true
		}
	}
	w.now = end
	return until != nil && until()
}

func (w *hotWorld) time() time.Time { return epoch.Add(w.now) }

func (w *hotWorld) lag() time.Duration {
	return hotLagMin + time.Duration(w.rng.Int64N(int64(hotLagMax-hotLagMin)))
}

// network carries out what leaves a peer.
func (p *hotPeer) network(e *Effects) {
	w := p.w
	for _, o := range e.Open {
		to := w.peerOf(o.Peer)
		to.odd += 2
		s := &hotStream{ends: [2]*hotPeer{p, to}, ids: [2]SessionID{o.Session, to.odd}}
		p.streams[o.Session], to.streams[to.odd] = s, s
	}
	for _, o := range e.Send {
		p.send(o)
	}
	for _, o := range e.Close {
		p.closeStream(o)
	}
	for _, o := range e.Publish {
		p.publish(o)
	}
}

func (w *hotWorld) peerOf(id Peer) *hotPeer {
	i, _ := slices.BinarySearchFunc(w.peers, id, func(p *hotPeer, id Peer) int { return p.id.Compare(id) })
	return w.peers[i]
}

func (p *hotPeer) send(o Send) {
	w, s, me := p.w, p.streams[o.Session], int(o.Session%2)
	if s == nil || s.over[0] || s.over[1] {
		return
	}
	s.last[me] = max(s.last[me], w.now+w.lag())
	w.at(s.last[me], func() {
		other := s.ends[1-me]
		if s.over[1-me] {
			return
		}
		in := &Frame{Session: s.ids[1-me], Peer: p.id, Data: o.Data}
		if err := w.prepare(in); err != nil {
			w.t.Fatalf("%v sent %v", p.index, err)
		}
		other.step(in)
	})
}

// prepare is Prepare, but that no seal is verified twice.
func (w *hotWorld) prepare(in *Frame) error {
	m, err := decode(in.Data)
	raw, ok := m.(*seals)
	if err != nil || !ok {
		return Prepare(in)
	}
	out := &sealed{space: raw.Space, heads: make([]SealedHead, len(raw.Seals))}
	for i, s := range raw.Seals {
		if s == nil {
			continue
		}
		h := SealedHead{Head: memo.Head{Author: s.Author, Seq: s.Seq, ID: s.ID}, Seal: s.Seal}
		if !w.sealed[h] {
			if err := memo.VerifySeal(raw.Space, h.Head, h.Seal); err != nil {
				return err
			}
			w.sealed[h] = true
		}
		out.heads[i] = h
	}
	in.msg = out
	return nil
}

func (p *hotPeer) closeStream(o Close) {
	w, s, me := p.w, p.streams[o.Session], int(o.Session%2)
	if s == nil {
		return
	}
	if o.Blame {
		w.t.Errorf("%d blames %d: %v", p.index, s.ends[1-me].index, o.Err)
	}
	w.at(max(s.last[me], w.now+w.lag()), func() {
		for i, end := range s.ends {
			if s.over[i] {
				continue
			}
			s.over[i] = true
			delete(end.streams, s.ids[i])
			err := o.Err
			if err != nil && i != me {
				err = errors.New("stream reset")
			}
			end.step(Closed{Session: s.ids[i], Err: err})
		}
	})
}

// publish brings a message to all others, checked once for all.
func (p *hotPeer) publish(o Publish) {
	heard := &Heard{Space: o.Space, Peer: p.id, Data: o.Data}
	root := &HeardRoot{Space: o.Space, Peer: p.id, Data: o.Data}
	var in Input = heard
	if o.Roots {
		in = root
	}
	if err := Prepare(in); err != nil {
		p.w.t.Fatal(err)
	}
	for _, other := range p.w.peers {
		if other == p {
			continue
		}
		p.w.at(p.w.now+p.w.lag(), func() {
			if o.Roots {
				again := *root
				announcement := *root.announcement // the core completes it
				again.announcement = &announcement
				other.step(&again)
				return
			}
			again := *heard
			other.step(&again)
		})
	}
}
