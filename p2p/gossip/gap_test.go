package gossip

import (
	"testing"
	"time"
)

// TestBodiesNotHeld: where a state stands for memos that a peer lacks, it gets what
// attached before that state and no more, in sessions that do not fail; when it has
// the state from elsewhere, it gets the rest.
func TestBodiesNotHeld(t *testing.T) {
	w := newWorld(1, 4, faults{delay: 10 * time.Millisecond, noGossip: true})
	a, b, c, d := w.replicas[0], w.replicas[1], w.replicas[2], w.replicas[3]
	a.write(5, 10)
	w.connect(a, b)
	w.connect(a, d)
	w.run(time.Second, w.idle)
	b.write(3, 10)
	a.write(2, 10)
	if !w.run(time.Minute, func() bool { return a.shelf.memos == 11 && b.shelf.memos == 11 && d.shelf.memos == 11 && w.idle() }) {
		t.Fatal(a.shelf.memos, b.shelf.memos)
	}
	state := a.shelf.Vector(w.space)
	a.shelf.compact(w.genesis)
	w.disconnect(a, b)
	a.write(1, 10)
	d.write(1, 10) // the first of its author: nothing but its causes stands before it
	if !w.run(time.Minute, func() bool { return a.shelf.memos == 13 && w.idle() }) {
		t.Fatal(a.shelf.memos)
	}
	w.disconnect(a, d)
	w.connect(a, c)
	w.run(time.Minute, nil)
	if s := a.core.Stats(); s.Gaps == 0 || s.Failed > 0 {
		t.Errorf("the peer that lacks them: %+v", s)
	}
	if s := c.core.Stats(); c.shelf.memos != 1 || len(c.shelf.pending) > 0 || s.Failed > 0 {
		t.Errorf("%d memos came, %d runs without their causes: %+v", c.shelf.memos, len(c.shelf.pending), s)
	}
	c.shelf.vec, c.shelf.root = state, nil
	c.step(Want{Space: w.space})
	if !w.run(time.Minute, func() bool { return c.shelf.vec.CoversAll(a.shelf.vec) }) {
		t.Errorf("with the state, %d memos came", c.shelf.memos)
	}
	if len(w.blamed) > 0 {
		t.Error(w.blamed)
	}
}
