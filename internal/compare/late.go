package main

import (
	"context"
	"fmt"
	"time"

	"lightcone/internal/compare/figure"
)

// late lets a replica join after n single writes and measures until it has them
// all, or limit is over. From what came, the time and the bytes for want keys
// are extrapolated; they are marked as such when n is not want.
func late(n, want int, limit time.Duration) work {
	return func(ctx context.Context, s swarm) (result, error) {
		for k := firstKey; k < firstKey+n; k++ {
			if err := s.write(ctx, k, k+1); err != nil {
				return result{}, err
			}
		}
		time.Sleep(settle) // for what is done after an unsynced write
		m := begin(s)
		if err := s.join(ctx); err != nil {
			return result{}, err
		}
		total := firstKey + n
		fewest, _, last := await(ctx, s, total, m.start.Add(limit))
		r := m.end(s, n, fewest)
		if fewest == 0 {
			return result{}, fmt.Errorf("nothing came to the late peer within %v", limit)
		}
		if fewest < total {
			last = time.Now()
		} else if err := s.equal(ctx); err != nil {
			return result{}, err
		}
		// What is waited for before the first key comes once, whatever the number.
		first := s.receivers()[0].first()
		perKey := last.Sub(first).Seconds() / float64(fewest)
		bound := ""
		if fewest-firstKey != want {
			bound = figure.Extrapolated
		}
		r.lead(
			figure.Metric{Name: "written before", Unit: "keys", Value: float64(n)},
			figure.Metric{Name: "came", Unit: "keys", Value: float64(fewest - firstKey)},
			figure.Metric{Name: "time for them", Unit: "s", Value: last.Sub(m.start).Seconds()},
			figure.Metric{Name: "of it, until the first", Unit: "s", Value: first.Sub(m.start).Seconds(), Better: figure.Lower},
			figure.Metric{Name: "time for all", Unit: "s", Value: first.Sub(m.start).Seconds() + perKey*float64(want), Bound: bound, Better: figure.Lower},
			figure.Metric{Name: "received per key", Unit: "B", Value: float64(s.received(1)) / float64(fewest), Better: figure.Lower},
		)
		return r, nil
	}
}

// first returns when the first key came, the zero Time when none did.
func (a *arrivals) first() (t time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, at := range a.at {
		if !at.IsZero() && (t.IsZero() || at.Before(t)) {
			t = at
		}
	}
	return t
}
