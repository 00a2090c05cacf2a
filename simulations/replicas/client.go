package replicas

import (
	"context"
	"errors"
	"fmt"
	"time"

	causal "lightcone/context"
	"lightcone/memo"
	"lightcone/node"
)

// Topics that clients write to.
const (
	rowsTopic   = "rows"   // of one client each, see client
	sharedTopic = "shared" // rows that all write and delete
	sumTopic    = "sum"    // one counter
	forgedTopic = "forged" // nobody but the liar writes there
)

// client is one session that hops between replicas, taking its token along. It writes
// two rows of its own in turn, each with a number that grows and the number it wrote
// last to the other: who reads one row then must see the other at least there.
type client struct {
	w     *World
	index int
	age   int // sessions before this one: each has rows of its own
	token causal.Token

	next    int64            // number of the next write
	wrote   [2]int64         // newest acknowledged number by row
	seen    map[string]int64 // least number that a row must show, by its key
	working bool
	done    chan outcome // buffered
}

// outcome is what became of what a client did.
type outcome struct {
	at      *replica
	starts  int
	what    string
	row     int   // of a write
	number  int64 // of a write
	receipt node.Receipt
	token   causal.Token
	reads   []read
	err     error
}

// read is one row that a session read.
type read struct {
	key    string
	other  string // row that number before is of
	number int64  // 0: not there
	before int64
}

func (w *World) newClient(index int) *client {
	return &client{w: w, index: index, next: 1, seen: map[string]int64{}, done: make(chan outcome, 1)}
}

func (c *client) key(row int) string { return fmt.Sprintf("%d.%d.%d", c.index, c.age, row) }

// rest is how long clients do nothing between two operations, at most. Most rest much
// less: what overtakes what is seen best when it is close.
const rest = 1600 * time.Millisecond

// waits is how long an operation waits for its token to be covered. It is no multiple of
// the second after which a waiting read asks once more: of two timers that fire at one
// instant any may come first.
const waits = 1100 * time.Millisecond

// patience bounds one operation of a client.
const patience = 3 * time.Second

// act begins an operation somewhere, and comes again.
func (c *client) act() {
	w := c.w
	if w.healed {
		return
	}
	u := w.rng.Float64()
	w.after(time.Duration(u*u*u*float64(rest)), c.act)
	at := w.peers[w.rng.IntN(len(w.peers))]
	kind, about := w.rng.IntN(10), w.clients[w.rng.IntN(len(w.clients))]
	shared := fmt.Sprint(w.rng.IntN(4))
	first := w.rng.IntN(2)
	if c.working || at.busy || at.node == nil || at.space == nil {
		return
	}
	c.working, at.busy = true, true
	o := outcome{at: at, starts: at.starts}
	x := at.space.Session(node.From(c.token), node.Read{Wait: waits})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	do := func(f func()) {
		go func() {
			defer cancel()
			f()
			o.token = x.Token()
			c.done <- o
			w.poke()
		}()
	}
	switch {
	case kind < 4:
		o.what, o.number = "write", c.next
		o.row = int(c.next % 2)
		c.next++
		fields := node.Fields{"n": memo.Int(o.number), "before": memo.Int(c.wrote[1-o.row])}
		key := c.key(o.row)
		do(func() { o.receipt, o.err = x.Put(ctx, rowsTopic, key, fields) })
	case kind == 4:
		o.what = "count"
		do(func() { o.receipt, o.err = x.Add(ctx, sumTopic, "all", "n", 1) })
	case kind == 5:
		o.what = "share"
		value := memo.Int(int64(c.index)<<48 | int64(w.now()))
		do(func() { o.receipt, o.err = x.Put(ctx, sharedTopic, shared, node.Fields{"v": value}) })
	case kind == 6:
		o.what = "delete"
		do(func() { o.receipt, o.err = x.Delete(ctx, sharedTopic, shared) })
	default:
		o.what = "read"
		keys := []string{about.key(first), about.key(1 - first), c.key(first)}
		do(func() {
			for i, key := range keys {
				var r read
				if r, o.err = readRow(ctx, x, key); o.err != nil {
					return
				}
				if i < 2 {
					r.other = keys[1-i]
				} else {
					r.other = c.key(1 - first)
				}
				o.reads = append(o.reads, r)
			}
		})
	}
}

// readRow reads one row of a client.
func readRow(ctx context.Context, x *node.Session, key string) (read, error) {
	row, err := x.Get(ctx, rowsTopic, key)
	if errors.Is(err, node.ErrNotFound) {
		return read{key: key}, nil
	}
	if err != nil {
		return read{}, err
	}
	return read{key: key, number: row.Fields["n"].Int(), before: row.Fields["before"].Int()}, nil
}

// finish takes what became of the operation under way, if it is over.
func (c *client) finish() bool {
	var o outcome
	select {
	case o = <-c.done:
	default:
		return false
	}
	w := c.w
	c.working = false
	o.at.busy = false
	w.note("client %d %s at %d: %v %v %v", c.index, o.what, o.at.index, o.receipt.ID, o.reads, o.err)
	w.result.Events++
	var behind *node.BehindError
	switch {
	case errors.As(o.err, &behind) && (behind.Forked || w.revoked): // what a revoked one wrote may never come
		c.renew() // a write that was not durable yet is lost
		return true
	case o.what == "read" && o.err == nil:
		c.check(o)
	case o.receipt.Outcome == node.Unknown:
		c.renew()
		return true
	case o.receipt.Outcome == node.Committed && o.err == nil:
		c.acked(o)
	}
	if o.err == nil {
		c.token = o.token
	}
	return true
}

// acked notes a write that was acknowledged.
func (c *client) acked(o outcome) {
	w := c.w
	w.result.Acked++
	if w.kind == membersSpace && !o.at.granted {
		w.broken("replica %d acknowledged a write, and nobody granted it anything", o.at.index)
	}
	w.oracle.acked(o)
	if o.what == "write" {
		c.wrote[o.row] = o.number
		c.seen[c.key(o.row)] = o.number
	}
}

// renew begins a session that has seen nothing.
func (c *client) renew() {
	c.age++
	c.token, c.wrote, c.seen = causal.Token{}, [2]int64{}, map[string]int64{}
}

// check holds what was read against what the session had seen: its own writes, what it
// read before, and what was written before that.
func (c *client) check(o outcome) {
	w := c.w
	for _, r := range o.reads {
		if r.number < c.seen[r.key] {
			w.broken("client %d reads %d in row %s at replica %d, and had seen %d", c.index, r.number, r.key, o.at.index, c.seen[r.key])
			return
		}
		w.result.Reads++
		c.seen[r.key] = max(c.seen[r.key], r.number)
		c.seen[r.other] = max(c.seen[r.other], r.before)
	}
}
