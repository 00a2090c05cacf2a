package beacon

import "fmt"

// Within bounds what the index remembers to so many bytes.
func (p *Pings) Within(budget int) *Pings {
	p.kept.budget = budget
	p.kept.shrink()
	return p
}

// Remembered returns how many points the index has, and an error unless it counts what
// they take as it is and keeps to its budget.
func (p *Pings) Remembered() (points int, err error) {
	clocks, chunks, bytes := map[*places]int{}, map[*chunk]int{}, 0
	for _, c := range p.chains {
		points += len(c.points)
		bytes += pointBytes * len(c.points)
		for _, pt := range c.points {
			if pt.clock.at != nil {
				clocks[pt.clock.at]++
			}
		}
	}
	for at, uses := range clocks {
		bytes += placesBytes + pointerBytes*len(at.chunks)
		if at.uses != uses {
			return 0, fmt.Errorf("places that %d points have count %d uses", uses, at.uses)
		}
		for _, in := range at.chunks {
			if in != nil {
				chunks[in]++
			}
		}
	}
	for in, uses := range chunks {
		bytes += chunkBytes
		if in.uses != uses {
			return 0, fmt.Errorf("a chunk of %d places counts %d uses", uses, in.uses)
		}
	}
	switch {
	case bytes != p.kept.bytes:
		return 0, fmt.Errorf("points take %d bytes, %d are counted", bytes, p.kept.bytes)
	case points != p.kept.points.Len():
		return 0, fmt.Errorf("%d points, %d are counted", points, p.kept.points.Len())
	case bytes > p.kept.budget && points > 1:
		return 0, fmt.Errorf("%d points take %d bytes, of a budget of %d", points, bytes, p.kept.budget)
	}
	return points, nil
}
