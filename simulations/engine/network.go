package engine

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Limits of a network.
const (
	MaxRegions    = 64
	MaxPartitions = 256
	// MinPacket bounds what a packet takes, and maxPackets how many of a message are drawn.
	MinPacket, maxPackets = 64, 32
	// MinSession bounds the means of churn: shorter ones are nothing but comings and
	// goings.
	MinSession = 10 * time.Millisecond
)

// Network is a model of the links between peers. The zero Network has one region and
// DefaultLatency.
type Network struct {
	// Regions are shares of the peers, which need not sum to 1. Which peer is where is
	// drawn from the seed. None: one region.
	Regions []float64
	// Latency is the one-way delay from region to region; nil: DefaultLatency.
	Latency [][]time.Duration
	// Jitter is the mean of an exponential delay on top, drawn for each message.
	Jitter time.Duration
	// Loss is the probability that a message is lost.
	Loss float64
	// Resend is how long a sender waits until it sends again what was lost, twice as
	// long each further time, as QUIC does; 0: what is lost is lost.
	Resend time.Duration
	// Packet is how many bytes of a message a packet takes; 0: any number. The packets
	// of a message leave together, each has a jitter of its own and is lost on its own,
	// and the message is there when the last of them is. Of a message of more than
	// 32 packets that many are drawn.
	Packet int
	// Uplink is the bandwidth of a peer's link to the others in bytes per second; 0:
	// no limit. What a peer sends waits for what it sent before. Downlinks have no
	// limit: homes and phones receive faster than they send.
	Uplink float64
	// Partitions cut groups of peers off from each other for a while.
	Partitions []Partition
	// Churn has peers come and go.
	Churn Churn
	// Drift is the greatest deviation of a peer's clock: drawn evenly from ±Drift, in
	// seconds per second.
	Drift float64
}

// DefaultLatency is that of a Network which names none.
const DefaultLatency = 50 * time.Millisecond

// DefaultPacket is what a first packet of quic-go, 1280 bytes, takes of a message.
const DefaultPacket = 1250

// Partition splits the peers from From until To.
type Partition struct {
	From, To Time
	// Share of the peers is on the one side, drawn from the seed; by Regions, if there
	// are any: those regions are.
	Share   float64
	Regions []int
}

// Churn is alternating sessions of exponential length. A peer starts up with the
// probability that it is up at any time.
type Churn struct {
	Up, Down time.Duration // means; 0: peers never leave
	// Keep is how many peers, the first ones, never leave.
	Keep int
}

// Validate reports what cannot be simulated.
func (n Network) Validate() error {
	rows := max(1, len(n.Regions))
	switch {
	case len(n.Regions) > MaxRegions:
		return fmt.Errorf("%d regions; at most %d", len(n.Regions), MaxRegions)
	case len(n.Partitions) > MaxPartitions:
		return fmt.Errorf("%d partitions; at most %d", len(n.Partitions), MaxPartitions)
	case n.Latency != nil && len(n.Latency) != rows:
		return fmt.Errorf("a latency matrix of %d rows for %d regions; give one row and column a region", len(n.Latency), rows)
	case n.Loss < 0 || n.Loss > 1 || math.IsNaN(n.Loss):
		return fmt.Errorf("a loss of %v; it is a probability from 0 to 1", n.Loss)
	case n.Resend < 0 || n.Resend > 0 && n.Loss == 1:
		return fmt.Errorf("what is lost with probability %v is sent again after %v; it would never arrive", n.Loss, n.Resend)
	case n.Packet < 0 || n.Packet > 0 && n.Packet < MinPacket:
		return fmt.Errorf("a packet of %d bytes; give %d or more, or 0 for any", n.Packet, MinPacket)
	case n.Uplink != 0 && !(n.Uplink >= 1):
		return fmt.Errorf("an uplink of %v bytes per second; give 1 or more, or 0 for no limit", n.Uplink)
	case n.Jitter < 0 || n.Jitter > End.Duration():
		return fmt.Errorf("a jitter of %v; give from 0 to %v", n.Jitter, End.Duration())
	case !(n.Drift >= 0 && n.Drift < 1):
		return fmt.Errorf("a drift of %v seconds per second; give less than 1, such as 0.0001", n.Drift)
	case (n.Churn.Up > 0) != (n.Churn.Down > 0):
		return errors.New("churn needs both means, of the time up and of the time down")
	case n.Churn.Up < 0 || n.Churn.Up > 0 && min(n.Churn.Up, n.Churn.Down) < MinSession:
		return fmt.Errorf("churn with means of %v up and %v down; at least %v each", n.Churn.Up, n.Churn.Down, MinSession)
	case n.Churn.Keep < 0:
		return fmt.Errorf("churn that keeps %d peers; give 0 or more", n.Churn.Keep)
	}
	return errors.Join(n.validLatency(rows), n.validRegions(), n.validPartitions(rows))
}

func (n Network) validLatency(rows int) error {
	for i, row := range n.Latency {
		if len(row) != rows {
			return fmt.Errorf("row %d of the latency matrix has %d entries for %d regions", i, len(row), rows)
		}
		for j, d := range row {
			if d < Resolution || d > End.Duration() {
				return fmt.Errorf("a latency of %v from region %d to %d; give from %v to %v", d, i, j, Resolution, End.Duration())
			}
		}
	}
	return nil
}

func (n Network) validRegions() error {
	sum := 0.0
	for _, r := range n.Regions {
		if !(r >= 0) || math.IsInf(r, 1) {
			return fmt.Errorf("a region with a share of %v; give 0 or more", r)
		}
		sum += r
	}
	if len(n.Regions) > 0 && !(sum > 0) || math.IsInf(sum, 1) {
		return fmt.Errorf("regions whose shares sum to %v; somebody has to live somewhere", sum)
	}
	return nil
}

func (n Network) validPartitions(rows int) error {
	for _, p := range n.Partitions {
		if len(p.Regions) == 0 && !(p.Share > 0 && p.Share < 1) {
			return fmt.Errorf("a partition with a share of %v on one side; give between 0 and 1, or regions", p.Share)
		}
		for _, r := range p.Regions {
			if r < 0 || r >= rows {
				return fmt.Errorf("a partition of region %d; there are %d", r, rows)
			}
		}
		if p.To <= p.From {
			return fmt.Errorf("a partition that ends at %v, before it begins at %v", p.To.Duration(), p.From.Duration())
		}
	}
	return nil
}

// links is a Network made ready.
type links struct {
	Network
	seed   uint64
	base   [][]Time
	least  Time    // the shortest latency: how long shards run on their own
	region []uint8 // of each peer; nil: there is one
	calm   bool    // everybody can be reached at any time
	whole  int     // bytes of a message that one packet takes
}

func newLinks(n Network, peers int, seed uint64) *links {
	l := &links{Network: n, seed: seed, least: Ticks(DefaultLatency), base: [][]Time{{Ticks(DefaultLatency)}}}
	l.calm = n.Churn.Up == 0 && len(n.Partitions) == 0
	if l.whole = n.Packet; n.Packet == 0 {
		l.whole = math.MaxInt
	}
	if n.Latency != nil {
		l.base, l.least = make([][]Time, len(n.Latency)), End
		for i, row := range n.Latency {
			for _, d := range row {
				l.base[i] = append(l.base[i], Ticks(d))
				l.least = min(l.least, Ticks(d))
			}
		}
	} else if len(n.Regions) > 1 {
		l.base = make([][]Time, len(n.Regions))
		for i := range l.base {
			l.base[i] = make([]Time, len(n.Regions))
			for j := range l.base[i] {
				l.base[i][j] = Ticks(DefaultLatency)
			}
		}
	}
	if len(n.Regions) > 1 {
		l.place(peers)
	}
	return l
}

// place draws the region of each peer.
func (l *links) place(peers int) {
	sum := 0.0
	for _, r := range l.Regions {
		sum += r
	}
	l.region = make([]uint8, peers)
	for p := range l.region {
		x := float64(Unit(Draw(l.seed, Peer(p), placeDraw)) * sum)
		for i, r := range l.Regions {
			if x -= r; x < 0 || i == len(l.Regions)-1 {
				l.region[p] = uint8(i)
				break
			}
		}
	}
}

// Numbers of a peer's stream that are drawn outside of events: far from those that
// events come to.
const (
	placeDraw = math.MaxUint32 - iota
	driftDraw
	startDraw
	sideDraw // the last: one a partition counts down from here
)

// packets returns how many packets are drawn for a message, with those before it.
func (l *links) packets(bytes, before int) int {
	if bytes <= l.whole && before == 0 || l.Packet == 0 {
		return 1
	}
	if l.Loss > 0 && l.Resend == 0 {
		before = 0 // nothing waits for what may never come
	}
	return min(maxPackets, max(1, (bytes+l.Packet-1)/l.Packet)+before)
}

// of returns the region of a peer.
func (l *links) of(p Peer) int {
	if l.region == nil {
		return 0
	}
	return int(l.region[p])
}

// cut reports whether a partition is between two peers at a time.
func (l *links) cut(now Time, a, b Peer) bool {
	for i := range l.Partitions {
		p := &l.Partitions[i]
		if now >= p.From && now < p.To && l.side(i, a) != l.side(i, b) {
			return true
		}
	}
	return false
}

// side tells on which side of a partition a peer is.
func (l *links) side(i int, p Peer) bool {
	cut := &l.Partitions[i]
	if len(cut.Regions) == 0 {
		return Unit(Draw(l.seed, p, uint32(sideDraw-i))) < cut.Share
	}
	at := l.of(p)
	for _, r := range cut.Regions {
		if r == at {
			return true
		}
	}
	return false
}

// churnSeed makes the streams from which sessions are drawn others than the peers' own.
const churnSeed = 0xc4ceb9fe1a85ec53

// starts tells whether a peer is up at the start.
func (l *links) starts(p Peer) bool {
	c := l.Churn
	return c.Up == 0 || int(p) < c.Keep || Unit(Draw(l.seed, p, startDraw)) < float64(c.Up)/float64(c.Up+c.Down)
}

// session draws how long the n-th session of a peer lasts, from 0.
func (l *links) session(p Peer, n uint32, up bool) Time {
	mean := l.Churn.Down
	if up {
		mean = l.Churn.Up
	}
	return exponential(mean, Draw(l.seed^churnSeed, p, n))
}

// up tells whether a peer is up at a time: anybody may ask, for sessions are drawn
// from the seed alone.
func (l *links) up(p Peer, now Time) bool {
	up := l.starts(p)
	if l.Churn.Up == 0 || int(p) < l.Churn.Keep {
		return up
	}
	for at, n := l.session(p, 0, up), uint32(1); at <= now; n++ {
		up = !up
		at = at.plus(l.session(p, n, up))
	}
	return up
}

// clock is what a peer's clock shows.
func (l *links) clock(p Peer, now Time) time.Time {
	d := now.Duration()
	if l.Drift > 0 {
		d += time.Duration(float64(d) * l.Drift * (float64(2*Unit(Draw(l.seed, p, driftDraw))) - 1))
	}
	return epoch.Add(d)
}
