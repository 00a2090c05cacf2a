package replicas

import (
	"container/heap"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"lightcone/memo"
	"lightcone/p2p/gossip"
)

// Result is what became of a world.
type Result struct {
	Seed     uint64
	Trace    [sha256.Size]byte // of all that was sent, when, and of what clients were told
	Kind     string            // of the space
	Replicas int
	Events   int            // sends, deliveries and what clients did
	Faults   map[string]int // by kind, those that struck
	Acked    int            // writes that were acknowledged
	Reads    int            // that were answered
	Adopted  int            // states that were joined in place of memos, as the replicas that are up count them
	Err      error          // the first promise that was broken; nil: all were kept
}

// Struck is how many faults struck.
func (r Result) Struck() (n int) {
	for _, k := range r.Faults {
		n += k
	}
	return n
}

// World is replicas on a network, disks and clocks that a seed decides about. It is
// its own driver: it sleeps to the next event, lets it happen, and waits until all
// goroutines rest before it looks at what they did.
type World struct {
	rng    *rand.Rand
	start  time.Time
	events events
	placed uint64 // events so far: they break ties
	kick   chan struct{}
	dir    string

	peers   []*replica
	byID    map[gossip.Peer]*replica
	space   memo.SpaceID
	net     network
	clients []*client
	oracle  oracle
	liar    int // which replica's messages are tampered with; -1: none
	healed  bool

	kind    string      // of the space
	rots    bool        // a disk does
	ages    bool        // a disk goes back to what it was
	image   image       // to which it goes back
	errands []*errand   // under way
	grants  []memo.Head // in a space of members
	revoked bool        // a revocation was tried
	rotting *replica    // whose disk rots; nil: no bit flipped yet

	trace  hash.Hash
	tell   func(line string) // nil: nobody reads the trace
	result Result
}

// event is something that happens at a virtual time.
type event struct {
	at    time.Duration // since the world's start
	order uint64
	do    func()
}

type events []event

func (h events) Len() int { return len(h) }
func (h events) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].order < h[j].order
}
func (h events) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *events) Push(x any)   { *h = append(*h, x.(event)) }
func (h *events) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}

// grain keeps events of the world off the instants at which timers of replicas fire:
// replicas start at whole grains, and events lie between.
const grain = time.Microsecond

// after has f happen in d, at an instant of its own.
func (w *World) after(d time.Duration, f func()) {
	w.placed++
	at := (w.now() + max(d, 0)).Truncate(grain) + grain + time.Duration(1+w.placed%uint64(grain-1))
	heap.Push(&w.events, event{at, w.placed, f})
}

func (w *World) now() time.Duration { return time.Since(w.start) }

// run lets d pass.
func (w *World) run(d time.Duration) {
	end := w.now() + d
	for w.result.Err == nil {
		next, due := end, len(w.events) > 0 && w.events[0].at <= end
		if due {
			next = w.events[0].at
		}
		timer := time.NewTimer(next - w.now())
		select {
		case <-w.kick:
			timer.Stop()
			w.collect()
			continue
		case <-timer.C:
		}
		if !due {
			w.collect()
			return
		}
		e := heap.Pop(&w.events).(event)
		w.result.Events++
		e.do()
		w.collect()
	}
}

// collect waits until everybody rests and takes what they did, in the order of the
// replicas and clients: what one instant brought has no other.
func (w *World) collect() {
	for again := true; again; {
		synctest.Wait()
		again = false
		for _, p := range w.peers {
			again = p.port.flush() || again
		}
		for _, p := range w.peers {
			again = p.suffer() || again // what it sent before is on its way
		}
		for _, c := range w.clients {
			again = c.finish() || again
		}
		w.errands = slices.DeleteFunc(w.errands, func(e *errand) bool {
			over := e.finish(w)
			again = over || again
			return over
		})
	}
	select {
	case <-w.kick: // it was looked at
	default:
	}
}

// poke tells the driver that there is something to collect.
func (w *World) poke() {
	select {
	case w.kick <- struct{}{}:
	default:
	}
}

// note makes something part of the trace.
func (w *World) note(what string, args ...any) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(w.now()))
	w.trace.Write(b[:])
	line := strings.ReplaceAll(fmt.Sprintf(what, args...), w.dir, "")
	io.WriteString(w.trace, line)
	if w.tell != nil {
		w.tell(fmt.Sprintf("%12v %s", w.now(), line))
	}
}

// struck counts a fault.
func (w *World) struck(kind string) {
	w.result.Faults[kind]++
	w.note("fault %s", kind)
}

// broken ends the world: a promise was broken.
func (w *World) broken(what string, args ...any) {
	if w.result.Err == nil {
		w.result.Err = fmt.Errorf("after %v: "+what, append([]any{w.now()}, args...)...)
	}
}

func (w *World) chance(p float64) bool { return w.rng.Float64() < p }

func (w *World) between(a, b time.Duration) time.Duration {
	return a + time.Duration(w.rng.Int64N(int64(b-a)+1))
}

// soon bounds what the world itself asks of replicas that are well.
func soon() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), time.Minute)
}
