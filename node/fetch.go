package node

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/p2p/gossip"
	"lightcone/store"
)

// maxFetchWaiters bounds the calls that wait for roots to be fetched, of all spaces.
const maxFetchWaiters = 64

// fetchedRoot is a root that was fetched: its parts that were asked for are here. The
// vector is what its digest says, the state is the word of whoever made it.
type fetchedRoot struct {
	id     memo.ID
	root   merge.Root
	vector memo.Vector // what it covers; not to be changed
	from   PeerID      // who gave the last of it
}

// fetchRoot brings parts of a root from peers, the one whose id begins with origin
// first. A zero id stands for the newest root of origin, which folds before it
// answers. Calls for the same root share the way. What came is pinned, as a peer's
// word, for the retention window; what a call that gave up was waiting for still
// comes. The error says who was asked and why it failed.
func (s *Space) fetchRoot(ctx context.Context, id memo.ID, origin [8]byte, parts gossip.Parts) (fetchedRoot, error) {
	c := &askFetch{space: s, id: id, origin: origin, parts: parts, reply: make(chan fetchReply, 1)}
	r, err := await(ctx, s.node, c, c.reply)
	if err == nil {
		return r.fetched, r.err
	}
	// Nobody waits any more: the place among the waiters is free again.
	if gone := s.node.submit(context.WithoutCancel(ctx), forgetFetch{c}); gone != nil {
		return fetchedRoot{}, gone
	}
	return fetchedRoot{}, fmt.Errorf("gave up waiting for root %s: %w", rootText(id), err)
}

type fetchReply struct {
	fetched fetchedRoot
	err     error
}

// askFetch is a call that waits for parts of a root.
type askFetch struct {
	space  *Space
	id     memo.ID
	origin [8]byte
	parts  gossip.Parts
	reply  chan fetchReply // buffered, answered once

	from PeerID // who was asked; zero: any peer
}

func (c *askFetch) do(o *owner) {
	switch {
	case o.n.net.Load() == nil:
		c.fail(ErrNoNetwork)
		return
	case len(o.waiting) >= maxFetchWaiters:
		c.fail(ErrTooManyFetches)
		return
	}
	o.core.Members(c.space.id, func(p gossip.Peer, _ bool, _ memo.Vector) {
		if [8]byte(p[:8]) == c.origin {
			c.from = p
		}
	})
	if c.id.IsZero() && c.from == (PeerID{}) {
		c.fail(errors.New("its newest root was asked for, and no peer of that name is known here"))
		return
	}
	o.waiting = append(o.waiting, c)
	o.step(gossip.Fetch{Space: c.space.id, Root: c.id, Origin: c.from, Parts: c.parts})
}

// awaits reports whether c waits for what f tells of.
func (c *askFetch) awaits(f gossip.Fetched) bool {
	return c.space.id == f.Space && (c.id == f.Root || c.id.IsZero() && c.from == f.From)
}

func (c *askFetch) fail(err error) {
	who := "any peer"
	if c.from != (PeerID{}) {
		who = "peer " + c.from.String()
	}
	c.reply <- fetchReply{err: fmt.Errorf("fetch root %s, asking %s first: %w", rootText(c.id), who, err)}
}

// rootText names a root for people.
func rootText(id memo.ID) string {
	if id.IsZero() {
		return "(the newest)"
	}
	return id.String()
}

// forgetFetch ends a wait. The root itself still comes: others may share it.
type forgetFetch struct{ call *askFetch }

func (f forgetFetch) do(o *owner) {
	o.sortOut(func(c *askFetch) bool { return c == f.call })
}

// sortOut drops the waiting calls for which done is true.
func (o *owner) sortOut(done func(c *askFetch) bool) {
	rest := o.waiting[:0]
	for _, c := range o.waiting {
		if !done(c) {
			rest = append(rest, c)
		}
	}
	clear(o.waiting[len(rest):])
	o.waiting = rest
}

// keep writes blocks that were fetched. On a disk without room the fetch ends: it
// goes on where it was, once it is asked for again.
func (o *owner) keep(k gossip.Keep) {
	err := o.ready()
	if err == nil {
		err = classify(o.n.store.Blocks(k.Space).Write(func(put merge.BlockPutter) error {
			for _, b := range k.Blocks {
				if err := put.PutBlock(b.ID, b.Data); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	if err != nil {
		o.unkept(k.Space, err)
		return
	}
	o.layerGrew(k.Space, len(k.Blocks))
}

// unkept ends what waits for blocks of a space that could not be kept.
func (o *owner) unkept(space memo.SpaceID, err error) {
	o.n.log.Warn("cannot keep fetched blocks; what they belong to is fetched again later", "space", space, "err", err)
	err = fmt.Errorf("keep its blocks: %w", err)
	o.sortOut(func(c *askFetch) bool {
		if c.space.id == space {
			c.fail(err)
		}
		return c.space.id == space
	})
	o.layerFailed(space, err)
	o.tell(gossip.Drop{Space: space, Err: err})
}

// fetched answers those who wait for what came.
func (o *owner) fetched(f gossip.Fetched) {
	if o.claimFetched(f) && !slices.ContainsFunc(o.waiting, func(c *askFetch) bool { return c.awaits(f) }) {
		return // it is kept while it is of use
	}
	if f.Err == nil {
		pin := store.Pin{Root: f.Root, Until: o.n.opts.Now().Add(o.n.opts.Retention), Foreign: true}
		if err := o.n.store.Blocks(f.Space).Pin(pin); err != nil {
			o.unkept(f.Space, classify(err))
			return
		}
	}
	o.sortOut(func(c *askFetch) bool {
		switch {
		case !c.awaits(f):
			return false
		case f.Err != nil:
			c.fail(f.Err)
		case f.Parts >= c.parts:
			c.reply <- fetchReply{fetched: fetchedRoot{id: f.Root, root: f.Made, vector: f.Vector, from: f.From}}
		default: // the rest is on its way
			c.id = f.Root
			return false
		}
		return true
	})
	o.layerFetched(f)
	o.adoptFetched(f)
}
