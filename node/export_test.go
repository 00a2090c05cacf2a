package node

import (
	"context"
	"testing"

	"lightcone/memo"
	"lightcone/merge"
)

// BlocksOf returns the blocks of a root that the node holds, its own among them.
func (s *Space) BlocksOf(id memo.ID) (map[memo.ID]string, error) {
	blocks := s.node.store.Blocks(s.id)
	own, err := blocks.Block(id)
	if err != nil {
		return nil, err
	}
	root, err := merge.DecodeRoot(own)
	if err != nil {
		return nil, err
	}
	out := map[memo.ID]string{id: string(own)}
	var missing error
	err = merge.Reach(blocks, root, func(id memo.ID) bool {
		data, err := blocks.Block(id)
		if err != nil {
			missing = err
		}
		_, again := out[id]
		out[id] = string(data)
		return !again
	})
	if err == nil {
		err = missing
	}
	return out, err
}

// TickBeacons has the owner do what it does about beacons in a tick, now.
func (n *Node) TickBeacons() {
	done := make(chan struct{})
	if n.submit(context.Background(), tickBeacons{done}) == nil {
		<-done
	}
}

type tickBeacons struct{ done chan struct{} }

func (c tickBeacons) do(o *owner) {
	o.tickBeacons(o.n.opts.Now())
	o.drainTodo()
	close(c.done)
}

// Rows returns a channel that is closed when rows may have changed.
func (n *Node) Rows() <-chan struct{} { return n.view.Load().edited }

// Rests reports whether the folder finds nothing to fold in the space.
func (s *Space) Rests() bool {
	last, ok := s.node.folder.latest(s.id)
	return ok && last.memos == s.node.view.Load().settled(s)
}

// Fold has the space folded.
func (s *Space) Fold(ctx context.Context) error {
	_, err := s.fold(ctx)
	return err
}

// Behind returns the reading of what is here and the estimate of peers behind it.
func (s *Space) Behind() (reading []memo.Head, peers uint64) {
	done := make(chan struct{})
	c := behindNow{s, func(r []memo.Head, p uint64) { reading, peers = r, p; close(done) }}
	if s.node.submit(context.Background(), c) == nil {
		<-done
	}
	return reading, peers
}

type behindNow struct {
	space *Space
	tell  func([]memo.Head, uint64)
}

func (c behindNow) do(o *owner) {
	c.tell(o.behind(c.space.id, o.n.view.Load().store.Vector(c.space.id)))
}

// Seeds is how many random histories a test takes: n, and one of them where -short
// looks for races alone.
func Seeds(n uint64) uint64 {
	if testing.Short() {
		return 1
	}
	return n
}
