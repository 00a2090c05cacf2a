package merge

// cutter cuts runs of one level into nodes and hands those to emit, in order,
// each with the domain in which it was short enough.
type cutter struct {
	Params
	n     int // the level
	prios *priorities
	emit  func(items []Item, dom int) error
}

// split cuts run, a piece of domain dom-1, into nodes.
func (c *cutter) split(run []Item, dom int) error {
	if len(run) <= c.M {
		return c.emit(run, dom)
	}
	if dom > c.D {
		prios := make([]priority, len(run))
		for i := range run {
			prios[i] = c.prios.of(c.n, dom, run[i].Key)
		}
		return c.halve(run, prios, dom)
	}
	found, from := peaks{w: c.W}, 0
	for i := range run {
		if cut, ok := found.push(c.prios.of(c.n, dom, run[i].Key)); ok {
			if err := c.split(run[from:cut], dom+1); err != nil {
				return err
			}
			from = cut
		}
	}
	return c.split(run[from:], dom+1)
}

// halve cuts run, which has no natural cuts left, where the middle half of it
// has the greatest priority, until the parts are short enough.
func (c *cutter) halve(run []Item, prios []priority, dom int) error {
	if len(run) <= c.M {
		return c.emit(run, dom)
	}
	quarter := len(run) / 4
	cut := quarter
	for i := quarter + 1; i < len(run)-quarter; i++ {
		if prios[cut].less(&prios[i]) {
			cut = i
		}
	}
	if err := c.halve(run[:cut], prios[:cut], dom); err != nil {
		return err
	}
	return c.halve(run[cut:], prios[cut:], dom)
}
