package replicas

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"time"

	"lightcone/node"
	"lightcone/p2p/gossip"
)

// How long a world lasts.
const (
	// trouble is how long faults strike and clients work.
	trouble = 6 * time.Second
	// patienceHealed bounds how long healed replicas take to be equal: a few rounds of
	// anti-entropy, and by how much clocks differ: one that is ahead has to be caught up with.
	patienceHealed = 3 * time.Minute
	// leastFaults and mostFaults bound the faults that are planned; lost messages, broken
	// streams and duplicates come on top.
	leastFaults, mostFaults = 20, 26
	// Replicas and clients of a world.
	leastReplicas, mostReplicas = 3, 7
)

// Run lets the world of a seed happen, inside a bubble of testing/synctest. dir is for
// the replicas' keys and lists of peers. tell, if not nil, gets the trace in words.
func Run(seed uint64, dir string, tell func(string)) Result {
	w := &World{
		rng: rand.New(rand.NewPCG(seed, 1)), start: time.Now(), kick: make(chan struct{}, 1), dir: dir,
		byID: map[gossip.Peer]*replica{}, liar: -1, trace: sha256.New(), tell: tell,
		result: Result{Seed: seed, Faults: map[string]int{}},
		net: network{
			cut: map[[2]int]bool{}, up: map[[2]int]bool{}, streams: map[streamEnd]*stream{},
		},
	}
	w.kind, w.rots, w.ages = variant(seed)
	w.net.delay, w.net.jitter = w.between(time.Millisecond, 60*time.Millisecond), w.between(0, 80*time.Millisecond)
	w.net.double = 0.05
	defer w.close()
	if err := w.found(); err != nil {
		w.broken("found the space: %v", err)
		return w.end()
	}
	w.plan()
	if w.ages {
		w.planImage()
	}
	w.run(trouble)
	w.heal()
	if w.result.Err == nil {
		if err := w.settle(); err != nil {
			w.broken("%v", err)
		}
	}
	return w.end()
}

// end sums up.
func (w *World) end() Result {
	for _, p := range w.peers {
		if p.node != nil && p.space != nil {
			for m := range p.space.Vector().All() {
				w.note("%d has %s", p.index, m.Head)
			}
		}
	}
	w.result.Replicas, w.result.Kind = len(w.peers), w.kind
	w.trace.Sum(w.result.Trace[:0])
	return w.result
}

// close ends all replicas, and with them all goroutines of the bubble.
func (w *World) close() {
	for _, p := range w.peers {
		if p.node != nil {
			p.port.die()
			p.node.Close()
			p.node = nil
		}
	}
}

// found opens the replicas, one after the other, and lets them share a space.
func (w *World) found() error {
	more := mostReplicas - leastReplicas + 1
	for i := range leastReplicas + min(w.rng.IntN(more), w.rng.IntN(more)) { // small ones fail as well, and sooner
		p, err := w.newReplica(i)
		if err != nil {
			return err
		}
		w.peers = append(w.peers, p)
		w.run(w.between(time.Millisecond, 30*time.Millisecond).Truncate(grain))
		if err := p.begin(); err != nil {
			return err
		}
		w.collect()
		for j := range i {
			w.connect(j, i, true)
		}
		if err := w.share(p); err != nil {
			return err
		}
	}
	for i := range w.peers {
		w.clients = append(w.clients, w.newClient(i))
	}
	if w.kind == membersSpace {
		return w.admit()
	}
	return nil
}

// share makes the space, or lets a replica join it.
func (w *World) share(p *replica) (err error) {
	if w.space.IsZero() {
		p.space, err = p.node.CreateSpace("world", w.policy())
		if err == nil {
			w.space = p.space.ID()
		}
		return err
	}
	issuer := w.peers[0]
	if issuer == p {
		issuer = w.peers[1]
	}
	ticket, err := issuer.node.Ticket(issuer.space, node.TicketOptions{Scope: w.scope()})
	if err != nil {
		return err
	}
	type joined struct {
		space *node.Space
		err   error
	}
	reply := make(chan joined, 1)
	go func() {
		ctx, cancel := soon()
		defer cancel()
		s, err := p.node.Join(ctx, ticket)
		reply <- joined{s, err}
	}()
	for range 600 {
		w.run(100 * time.Millisecond)
		select {
		case j := <-reply:
			p.space = j.space
			return j.err
		default:
		}
	}
	return fmt.Errorf("replica %d does not get into the space", p.index)
}

// heal ends all trouble and brings everybody back.
func (w *World) heal() {
	w.healed = true
	w.note("heal")
	w.net.loss, w.net.double, w.liar = 0, 0, -1
	w.net.cut = map[[2]int]bool{}
	for _, p := range w.peers {
		p.disk.set(func(d *disk) { d.cut, d.failing, d.full, d.slow = nil, 0, false, 0 })
	}
	w.run(patience + time.Second) // clients end, and replicas that are down come back
	for _, p := range w.peers {
		if (p.disk.hurt || p.rotted) && p.node != nil { // a rotten disk shows when it is read
			w.suspect(p)
			p.end(nil)
			p.disk = newDisk(p, p.disk.real)
		}
		p.restart()
	}
	w.setClocks()
	w.run(2 * time.Second)
	for i := range w.peers {
		for j := range i {
			w.connect(j, i, true)
		}
	}
	for _, p := range w.peers {
		if p.refused && w.result.Err == nil {
			if err := w.replace(p); err != nil {
				w.broken("replica %d with a new disk: %v", p.index, err)
			}
		}
	}
	if w.result.Err == nil {
		if err := w.admitAll(); err != nil {
			w.broken("%v", err)
		}
	}
}

// settle waits until all replicas have the same memos, and judges them.
func (w *World) settle() error {
	tried, back := false, false
	for end := w.now() + patienceHealed; w.now() < end && w.result.Err == nil; {
		switch {
		case !w.equal():
			w.run(500 * time.Millisecond)
		case !back:
			if err := w.goBack(); err != nil {
				return err
			}
			back = true
		case tried:
			again, err := w.stands()
			if err != nil {
				return err
			}
			if !again {
				return w.verdict()
			}
		default:
			if err := w.outlaw(); err != nil {
				return err
			}
			tried = true
		}
	}
	for _, p := range w.sound()[1:] {
		a, b := w.peers[0].space.Vector(), p.space.Vector()
		for m := range a.All() {
			if have, _ := b.Get(m.Author); have.Head != m.Head {
				return fmt.Errorf("%v after all was healed replica %d has memo %d of %s, replica 0 has %d", patienceHealed, p.index, have.Seq, m.Author, m.Seq)
			}
		}
	}
	return w.result.Err
}

// setClocks sets all clocks to the one that is furthest ahead, since none goes back: memos
// of that one would be delayed elsewhere as long as it writes.
func (w *World) setClocks() {
	most := w.peers[0].clock.skew
	for _, p := range w.peers {
		most = max(most, p.clock.skew)
	}
	for _, p := range w.peers {
		p.clock.skew = most
	}
}

// equal tells whether all replicas have the same memos.
func (w *World) equal() bool {
	first := w.peers[0].space.Vector()
	for _, p := range w.sound()[1:] {
		v := p.space.Vector()
		if !v.CoversAll(first) || !first.CoversAll(v) {
			return false
		}
	}
	return true
}
