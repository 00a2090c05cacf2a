package calib

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"slices"
	"time"
)

// Case is what both sides run.
type Case struct {
	Peers    int
	Dials    int // how many others each real host dials; the model knows everybody
	Writers  int
	Messages int
	Size     int           // bytes of a message's data
	Apart    time.Duration // between two messages, no multiple of a heartbeat
	Latency  time.Duration // one way
	Tail     time.Duration // mean of the exponential jitter on top
	Loss     float64       // share of the packets that are lost
	Seed     uint64
	Whole    bool // the real side is whole nodes, which find each other, not bare hosts
}

// Spans of a run, in virtual time.
const (
	// settle is how long the mesh forms before the first message.
	settle = 10 * time.Second
	// drain is how long after the last message copies may still come.
	drain = 5 * time.Second
)

// Outcome is what one side measured.
type Outcome struct {
	Runs       int    // of the case
	Hash       string // of all that happened, where that is the same each time
	Delivered  int    // first copies at others than the writer
	Duplicates int    // further copies, also those that the writer gets
	Latency    []time.Duration
	Hops       []int       // links by which each first copy came
	Told       int         // ids told by IHAVE
	Asked      int         // ids asked for by IWANT
	Unwanted   int         // ids told by IDONTWANT
	Grafts     int         // links made since the first message, counted at both ends
	Degrees    map[int]int // how many peers had so many links, when the first message came
}

// add adds the runs of another.
func (o *Outcome) add(x *Outcome) {
	o.Runs += x.Runs
	sum := sha256.Sum256([]byte(o.Hash + x.Hash))
	o.Hash = hex.EncodeToString(sum[:])
	o.Delivered += x.Delivered
	o.Duplicates += x.Duplicates
	o.Latency, o.Hops = append(o.Latency, x.Latency...), append(o.Hops, x.Hops...)
	o.Told, o.Asked, o.Unwanted, o.Grafts = o.Told+x.Told, o.Asked+x.Asked, o.Unwanted+x.Unwanted, o.Grafts+x.Grafts
	for d, n := range x.Degrees {
		o.Degrees[d] += n
	}
}

// PerMessage is how often something happened for each message.
func (o *Outcome) PerMessage(c Case, n int) float64 { return float64(n) / float64(o.Runs*c.Messages) }

// Delivery is the share of first copies that arrived.
func (o *Outcome) Delivery(c Case) float64 {
	return float64(o.Delivered) / float64(o.Runs*c.Messages*(c.Peers-1))
}

// Copies is how many copies of a message a peer got on average.
func (o *Outcome) Copies() float64 {
	return float64(o.Delivered+o.Duplicates) / float64(max(1, o.Delivered))
}

// Quantile returns the latency that a share q of the first copies had at most.
func (o *Outcome) Quantile(q float64) time.Duration {
	if len(o.Latency) == 0 {
		return 0
	}
	slices.Sort(o.Latency)
	return o.Latency[min(len(o.Latency)-1, int(q*float64(len(o.Latency))))]
}

// MeanHops is the mean number of links by which first copies came, NaN if nobody looked.
func (o *Outcome) MeanHops() float64 {
	if len(o.Hops) == 0 {
		return math.NaN()
	}
	sum := 0
	for _, h := range o.Hops {
		sum += h
	}
	return float64(sum) / float64(len(o.Hops))
}

// MeanDegree is the mean number of links.
func (o *Outcome) MeanDegree() float64 {
	sum, n := 0, 0
	for d, k := range o.Degrees {
		sum, n = sum+d*k, n+k
	}
	return float64(sum) / float64(max(1, n))
}

// resend is how long QUIC waits for an acknowledgement (RFC 9002, 6.2.1): a round trip,
// four times its deviation and the longest that the other end may put one off.
func (c Case) resend() time.Duration {
	const maxAckDelay = 25 * time.Millisecond
	return 2*(c.Latency+c.Tail) + 4*c.Tail + maxAckDelay
}

// at returns when a message is published, from the end of settle on.
func (c Case) at(msg int) time.Duration { return time.Duration(msg) * c.Apart }

// writer returns who publishes a message.
func (c Case) writer(msg int) int { return msg % c.Writers * (c.Peers / c.Writers) }
