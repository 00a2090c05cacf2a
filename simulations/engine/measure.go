package engine

import "math/bits"

// Counter is something that is counted. The engine's are below; a Protocol's follow
// from FirstCounter.
type Counter uint8

// What the engine counts.
const (
	Events    Counter = iota // handled by the Protocol
	Sent                     // messages
	SentBytes                // of them
	Lost                     // messages that the network lost, each time
	Cut                      // because of a partition
	Absent                   // because the receiver was down
	// FirstCounter is the first that a Protocol may use.
	FirstCounter
	// MaxCounters bounds them.
	MaxCounters = 32
)

// Measure is something whose distribution is wanted: spans, sizes, hops. They are a
// Protocol's.
type Measure uint8

// MaxMeasures bounds them.
const MaxMeasures = 8

const (
	// A Histogram keeps values of 64 bits to one part in 1<<fineBits.
	fineBits = 5
	fine     = 1 << fineBits
)

// Histogram counts values in buckets whose width grows with them, as HdrHistogram
// does: no value is off by more than one part in 32, and histograms of shards add up
// in any order. The zero Histogram is empty.
type Histogram struct {
	counts []uint64
	n, sum uint64
	most   uint64
}

// Add counts a value.
func (h *Histogram) Add(v uint64) {
	i := bucket(v)
	h.holds(i)
	h.counts[i]++
	h.n++
	h.sum += v
	h.most = max(h.most, v)
}

// holds makes room for a bucket: most values are small, and buckets many.
func (h *Histogram) holds(i int) {
	if i >= len(h.counts) {
		h.counts = append(h.counts, make([]uint64, i+1-len(h.counts))...)
	}
}

func bucket(v uint64) int {
	if v < fine {
		return int(v)
	}
	shift := bits.Len64(v) - fineBits - 1
	return (shift+1)*fine + int(v>>shift) - fine
}

// least is the smallest value of a bucket.
func least(i int) uint64 {
	if i < fine {
		return uint64(i)
	}
	shift := i/fine - 1
	return uint64(i%fine+fine) << shift
}

// Merge adds the values of another.
func (h *Histogram) Merge(o *Histogram) {
	if o.n == 0 {
		return
	}
	h.holds(len(o.counts) - 1)
	for i, c := range o.counts {
		h.counts[i] += c
	}
	h.n += o.n
	h.sum += o.sum
	h.most = max(h.most, o.most)
}

// Count returns how many values there are.
func (h *Histogram) Count() uint64 { return h.n }

// Max returns the greatest value.
func (h *Histogram) Max() uint64 { return h.most }

// Mean returns their mean, 0 if there are none.
func (h *Histogram) Mean() float64 {
	if h.n == 0 {
		return 0
	}
	return float64(h.sum) / float64(h.n)
}

// Quantile returns the value below or at which a share q of all are.
func (h *Histogram) Quantile(q float64) uint64 {
	rank, seen := uint64(q*float64(h.n)), uint64(0)
	for i, c := range h.counts {
		if seen += c; seen > rank || seen == h.n && c > 0 {
			return min(h.most, (least(i)+least(i+1)-1)/2+(least(i)+least(i+1)-1)%2)
		}
	}
	return 0
}

// All yields the buckets that have values: the least value and how many.
func (h *Histogram) All(yield func(from, count uint64) bool) {
	for i, c := range h.counts {
		if c > 0 && !yield(least(i), c) {
			return
		}
	}
}
