package walfs

import "sync"

// maxCombined bounds the bytes of batches written with one pwrite, unless one
// batch alone is longer. It bounds how long an appender writes for others, too.
// A write of 1 MiB costs the processor five times as much a byte as one of 256 KiB,
// which its caches hold; with less than that there are more calls.
const maxCombined = 256 << 10

// request is an Append under way, or somebody else who waits for a sync. Whoever
// holds a role owns the requests it works on; its own goroutine gets it back with
// a turn.
type request struct {
	recs   []Record
	placed []Placed
	d      Durability
	bytes  int64 // at most this much is written
	last   LSN   // of its last record: what a sync must cover
	err    error

	next *request // in the list it is in
	// turn tells the goroutine that waits what to do next; one slot, so that
	// telling never blocks.
	turn chan turn
}

// turn is what a request's goroutine is woken for.
type turn uint8

const (
	turnDone  turn = iota // placed and err are final
	turnWrite             // take the writer's role
	turnSync              // take the syncer's role
)

// newRequest takes a request from the log's pool; release gives it back. Logs share no
// pool: a channel of one bubble of testing/synctest must not get into another.
func (l *Log) newRequest(d Durability) *request {
	a, ok := l.requests.Get().(*request)
	if !ok {
		a = &request{turn: make(chan turn, 1)}
	}
	a.d = d
	return a
}

// release may be called once the request's turn is turnDone.
func (l *Log) release(a *request) {
	*a = request{turn: a.turn}
	l.requests.Put(a)
}

// list is a queue of requests, linked through them.
type list struct{ first, last *request }

func (q *list) add(a *request) {
	if q.first == nil {
		q.first = a
	} else {
		q.last.next = a
	}
	q.last = a
}

// pop takes the first request, nil when there is none.
func (q *list) pop() *request {
	a := q.first
	if a != nil {
		q.first, a.next = a.next, nil
	}
	return a
}

// join adds those of r behind those of q.
func (q *list) join(r list) {
	switch {
	case r.first == nil:
	case q.first == nil:
		*q = r
	default:
		q.last.next, q.last = r.first, r.last
	}
}

func (q *list) has(a *request) bool {
	for r := q.first; r != nil; r = r.next {
		if r == a {
			return true
		}
	}
	return false
}

func (q *list) remove(a *request) {
	var rest list
	for r := q.pop(); r != nil; r = q.pop() {
		if r != a {
			rest.add(r)
		}
	}
	*q = rest
}

// tell wakes all of them.
func (q *list) tell(t turn) {
	for a := q.pop(); a != nil; a = q.pop() {
		a.turn <- t
	}
}

// queue is who waits to write. One appender at a time has the writer's role: it
// writes what all who wait by then want written, and hands the role to the first
// who came meanwhile. No goroutine stands by for it.
type queue struct {
	mu      sync.Mutex
	busy    bool // somebody has the role
	waiting list
}

// enter waits for a's first turn.
func (q *queue) enter(a *request) turn {
	q.mu.Lock()
	if !q.busy {
		q.busy = true
		q.mu.Unlock()
		return turnWrite
	}
	q.waiting.add(a)
	q.mu.Unlock()
	return <-a.turn
}

// take returns a, which has the role, and those waiting that are written with it.
func (q *queue) take(a *request) (l list) {
	l.add(a)
	q.mu.Lock()
	defer q.mu.Unlock()
	for total := a.bytes; q.waiting.first != nil; {
		if total += q.waiting.first.bytes; total > maxCombined {
			break
		}
		l.add(q.waiting.pop())
	}
	return l
}

// leave hands the role on.
func (q *queue) leave() {
	q.mu.Lock()
	a := q.waiting.pop()
	q.busy = a != nil
	q.mu.Unlock()
	if a != nil {
		a.turn <- turnWrite
	}
}
