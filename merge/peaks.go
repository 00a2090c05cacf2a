package merge

// peaks finds the natural cuts of a run in one pass: the items whose priority
// is the greatest of the 2w+1 items around them, all within the run. It keeps
// at most 2w+1 priorities, those that can still be a maximum, falling.
type peaks struct {
	w     int
	n     int // items pushed
	queue []peak
}

// peaksRoom is what a queue of falling priorities, of random ones, rarely
// outgrows within a node.
const peaksRoom = 32

type peak struct {
	pos  int
	prio priority
}

// push adds the next item of the run. Item n-1 completes the window of item
// n-1-w: ok tells whether the run is to be cut before it, at cut.
func (p *peaks) push(prio priority) (cut int, ok bool) {
	pos := p.n
	p.n++
	for len(p.queue) > 0 && p.queue[len(p.queue)-1].prio.less(&prio) {
		p.queue = p.queue[:len(p.queue)-1]
	}
	if p.queue == nil {
		p.queue = make([]peak, 0, peaksRoom)
	}
	p.queue = append(p.queue, peak{pos, prio})
	if pos < 2*p.w { // the window would begin before the run
		return 0, false
	}
	if p.queue[0].pos < pos-2*p.w {
		p.queue = p.queue[1:]
	}
	return pos - p.w, p.queue[0].pos == pos-p.w
}
