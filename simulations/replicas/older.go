package replicas

import (
	"context"
	"errors"
	"slices"
	"time"

	"lightcone/memo"
	"lightcone/node"
	"lightcone/p2p/gossip"
	"lightcone/walfs/walfstest"
)

// This file is a disk that goes back to what it was before, when all of it had left and
// others hold it: a virtual machine that is rolled back, or a disk that lied about its
// syncs. What the replica wrote since it has to get back from others, before it writes on.

// image is what a disk was while its replica ran.
type image struct {
	of     *replica // nil: none was taken
	author gossip.Peer
	// disk has what was synced: what was not may be gone behind a crash, and other memos be
	// in its place when the image comes back, with nobody to tell which was first.
	disk *walfstest.Disk
}

// tries is how often an image is tried to be taken, of whoever is up then.
const tries = 3

// planImage has an image taken some time during the trouble.
func (w *World) planImage() {
	for range tries {
		p := w.peers[w.rng.IntN(len(w.peers))]
		w.after(w.between(0, trouble), func() {
			if w.image.of != nil || p.node == nil || p.rotted {
				return
			}
			w.note("image of %d", p.index)
			w.image = image{p, p.id, p.disk.real.PowerCut(walfstest.Nothing)}
		})
	}
}

// Within these times who comes back meets the first of those who hold its memos, so that
// it can have them before it must write on; and all the others.
const (
	firstMeets = 300 * time.Millisecond
	lastMeets  = 4 * time.Second
)

// goBack has a disk go back to its image, while all others have what was on it, and its
// replica write on at once. It still has to be equal to them in the end, with no fork.
func (w *World) goBack() error {
	p, sound := w.image.of, w.sound()
	if !slices.Contains(sound, p) || len(sound) == 1 || p.node == nil || p.rotted || p.id != w.image.author {
		return nil
	}
	compacted := w.kind == adoptSpace && (w.oracle.vague || w.oracle.known != nil)
	if compacted { // it may be the last that has some memos, and not only their state
		facts, err := p.facts()
		if err != nil {
			return err
		}
		w.oracle.keep(facts)
	}
	w.struck("older disk")
	p.end(w.image.disk)
	p.sent = 0 // what it lost left it
	w.run(w.downFor())
	if err := p.begin(); err != nil {
		return err
	}
	w.collect()
	w.oracle.started(p)
	holders := slices.DeleteFunc(sound, func(o *replica) bool { return o == p })
	first := holders[w.rng.IntN(len(holders))]
	for _, o := range w.peers {
		within := lastMeets
		if o == first {
			within = firstMeets
		}
		if o != p {
			w.after(w.between(time.Millisecond, within), func() { w.connect(p.index, o.index, true) })
		}
	}
	if compacted {
		return nil // it needs a state for memos that nobody has, which takes longer than writes wait
	}
	for range 3 {
		if err := w.writeOn(p); err != nil {
			return err
		}
		w.run(w.between(0, time.Second))
	}
	return nil
}

// writeOn has a replica write, and waits for it.
func (w *World) writeOn(p *replica) (failed error) {
	var receipt node.Receipt
	over := false
	w.errandTo(p, "write on an older disk", func(ctx context.Context) (err error) {
		receipt, err = p.space.Put(ctx, sharedTopic, "older", node.Fields{"v": memo.Int(int64(w.now()))})
		return err
	}, func(err error) {
		over = true
		switch {
		case errors.Is(err, node.ErrNotPermitted): // its grant was not on that disk
		case err != nil:
			failed = err
		default:
			w.result.Acked++
			w.oracle.acked(outcome{at: p, starts: p.starts, what: "write on an older disk", receipt: receipt})
		}
	})
	for !over && w.result.Err == nil {
		w.run(100 * time.Millisecond)
	}
	return failed
}
