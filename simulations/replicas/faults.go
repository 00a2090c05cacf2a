package replicas

import (
	"slices"
	"time"
)

// fault is a kind of trouble.
type fault struct {
	name string
	do   func(w *World, p *replica)
}

// faults are drawn with equal chances; where a disk rots, that too.
var faults = []fault{
	{"crash", (*World).crash},
	{"crash within an operation", (*World).crashWithin},
	{"kill", (*World).kill},
	{"restart", (*World).stop},
	{"failed fsync", (*World).failSync},
	{"disk full", (*World).fill},
	{"slow disk", (*World).slow},
	{"clock jump", (*World).jump},
	{"partition", (*World).part},
	{"one-way partition", (*World).partOneWay},
	{"lost connection", (*World).drop},
	{"loss", (*World).rain},
	{"lies", (*World).lie},
}

// bitRot is what happens to a disk that rots.
var bitRot = fault{"bit rot", (*World).rot}

// more are what happens beside the faults, by kind of space.
var more = map[string][]fault{
	membersSpace: {{"ruling", (*World).rule}, {"intruder", (*World).intrude}},
	adoptSpace:   {{"compacting", (*World).compact}},
}

// leastMore and mostMore bound how often that is.
const leastMore, mostMore = 4, 8

// plan schedules the faults and sets the clients to work.
func (w *World) plan() {
	faults := faults
	if w.rots {
		faults = append(slices.Clone(faults), bitRot)
	}
	for range leastFaults + w.rng.IntN(mostFaults-leastFaults+1) {
		f, p := faults[w.rng.IntN(len(faults))], w.peers[w.rng.IntN(len(w.peers))]
		w.after(w.between(0, trouble), func() {
			w.struck(f.name)
			f.do(w, p)
		})
	}
	if others := more[w.kind]; len(others) > 0 {
		for range leastMore + w.rng.IntN(mostMore-leastMore+1) {
			f, p := others[w.rng.IntN(len(others))], w.peers[w.rng.IntN(len(w.peers))]
			w.after(w.between(0, trouble), func() { f.do(w, p) })
		}
	}
	for _, c := range w.clients {
		w.after(w.between(0, rest), c.act)
	}
}

// downFor is how long a replica stays down.
func (w *World) downFor() time.Duration { return w.between(50*time.Millisecond, 3*time.Second) }

func (w *World) crash(p *replica) {
	if p.node == nil {
		return
	}
	name, pick := w.pick()
	w.struck(name)
	p.end(p.disk.real.PowerCut(pick))
	w.oracle.powerCut(p)
	w.after(w.downFor(), p.restart)
}

func (w *World) crashWithin(p *replica) {
	name, pick := w.pick()
	w.struck(name)
	n := 1 + w.rng.IntN(12)
	p.disk.set(func(d *disk) { d.cut, d.left = pick, n })
}

func (w *World) kill(p *replica) {
	if p.node == nil {
		return
	}
	p.end(p.disk.real.Kill())
	w.after(w.downFor(), p.restart)
}

func (w *World) stop(p *replica) {
	if p.node == nil {
		return
	}
	p.end(nil)
	p.disk = newDisk(p, p.disk.real)
	w.after(w.downFor(), p.restart)
}

// failSync has a sync fail soon; the machine is started anew a while later.
func (w *World) failSync(p *replica) {
	n := 1 + w.rng.IntN(4)
	p.disk.set(func(d *disk) { d.failing = n })
	starts := p.starts
	w.after(w.between(time.Second, 4*time.Second), func() {
		if p.starts == starts && p.node != nil {
			w.crash(p)
		}
	})
}

func (w *World) fill(p *replica) {
	d := p.disk
	d.set(func(d *disk) { d.full = true })
	w.after(w.between(100*time.Millisecond, 3*time.Second), func() { d.set(func(d *disk) { d.full = false }) })
}

func (w *World) slow(p *replica) {
	d, takes := p.disk, w.between(time.Millisecond, 200*time.Millisecond)
	d.set(func(d *disk) { d.slow = takes })
	w.after(w.between(time.Second, 5*time.Second), func() { d.set(func(d *disk) { d.slow = 0 }) })
}

// jump sets a clock ahead, or, as a restart allows that, back.
func (w *World) jump(p *replica) {
	by := w.between(-50*time.Second, 50*time.Second)
	if p.node == nil {
		p.clock.skew += by
		return
	}
	p.clock.skew += max(by, -by)
}

// part parts the replicas in two.
func (w *World) part(*replica) {
	side := make([]bool, len(w.peers))
	for i := range side {
		side[i] = w.chance(0.5)
	}
	for i := range side {
		for j := range side {
			if side[i] != side[j] {
				w.net.cut[[2]int{i, j}] = true
			}
		}
	}
	w.mendLater()
}

// partOneWay has nothing that one replica sends arrive.
func (w *World) partOneWay(p *replica) {
	for j := range w.peers {
		if j != p.index {
			w.net.cut[[2]int{p.index, j}] = true
		}
	}
	w.mendLater()
}

func (w *World) mendLater() {
	w.after(w.between(200*time.Millisecond, 5*time.Second), func() { clear(w.net.cut) })
}

// drop ends a replica's connections for a while.
func (w *World) drop(p *replica) {
	for _, o := range w.peers {
		if o != p {
			w.connect(p.index, o.index, false)
			w.after(w.between(100*time.Millisecond, 3*time.Second), func() { w.connect(p.index, o.index, true) })
		}
	}
}

// rain loses up to 40 % of all messages for a while.
func (w *World) rain(*replica) {
	w.net.loss = 0.4 * w.rng.Float64()
	w.after(w.between(time.Second, 6*time.Second), func() { w.net.loss = 0 })
}

// lie has a replica's messages tampered with for a while, as if it lied.
func (w *World) lie(p *replica) {
	w.liar = p.index
	w.after(w.between(time.Second, 4*time.Second), func() { w.liar = -1 })
}
