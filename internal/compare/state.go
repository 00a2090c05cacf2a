package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"lightcone/internal/compare/figure"
)

// oracle is a swarm whose late replica may answer before it has what was written.
type oracle interface {
	// rest returns when replica 0 has done what it does in the background.
	rest(ctx context.Context) error
	// ask asks the last replica for a key until the answer is right. vouched tells
	// that the answer is the word of another replica.
	ask(ctx context.Context, k int) (vouched bool, err error)
}

// answer is the first right answer about a key.
type answer struct {
	at       time.Time
	received int64 // bytes, by the late replica until then
	vouched  bool
	err      error
}

// lateState writes n keys, batch at a time, lets a replica join and asks it at once
// for two of them: when does it first answer rightly? Then it waits until everything
// has come, or limit is over.
func lateState(n, batch int, limit time.Duration) work {
	return func(ctx context.Context, s swarm) (result, error) {
		for k := firstKey; k < firstKey+n; k += batch {
			if err := s.write(ctx, k, min(k+batch, firstKey+n)); err != nil {
				return result{}, err
			}
		}
		o, asks := s.(oracle)
		if asks {
			if err := o.rest(ctx); err != nil {
				return result{}, err
			}
		}
		time.Sleep(settle)
		m := begin(s)
		if err := s.join(ctx); err != nil {
			return result{}, err
		}
		joined := time.Since(m.start)
		total, late := firstKey+n, s.receivers()[0]
		keys := []int{firstKey + n/2, total - 1}
		answers := make([]chan answer, len(keys))
		for i, k := range keys {
			answers[i] = make(chan answer, 1)
			go func() { answers[i] <- firstAnswer(ctx, s, late, k, m.start.Add(limit)) }()
		}
		fewest, _, last := await(ctx, s, total, m.start.Add(limit))
		first := make([]answer, len(keys))
		for i := range keys {
			if first[i] = <-answers[i]; first[i].err != nil {
				return result{}, first[i].err
			}
		}
		if fewest < total {
			return result{}, fmt.Errorf("%d of %d keys came within %v; give it a longer --cap", fewest, total, limit)
		}
		r := m.end(s, n, fewest)
		if err := s.equal(ctx); err != nil {
			return result{}, err
		}
		for i, name := range []string{"a row in the middle", "the newest row"} {
			r.lead(
				figure.Metric{Name: "first answer: " + name, Unit: "s", Value: first[i].at.Sub(m.start).Seconds(), Better: figure.Lower},
				figure.Metric{Name: "received until then, " + name, Unit: "MB", Value: float64(first[i].received) / 1e6, Better: figure.Lower},
				figure.Metric{Name: "on another's word (1: yes), " + name, Value: map[bool]float64{true: 1}[first[i].vouched]},
				figure.Metric{Name: "by memos: " + name, Unit: "s", Value: late.when(keys[i]).Sub(m.start).Seconds(), Better: figure.Lower},
			)
		}
		r.lead(
			figure.Metric{Name: "until it had joined", Unit: "s", Value: joined.Seconds(), Better: figure.Lower},
			figure.Metric{Name: "time for all, equal", Unit: "s", Value: last.Sub(m.start).Seconds(), Better: figure.Lower},
			figure.Metric{Name: "received per key", Unit: "B", Value: float64(s.received(1)) / float64(fewest), Better: figure.Lower},
		)
		return r, nil
	}
}

// firstAnswer waits for the first right answer: by asking, where that is possible,
// else until the key has come.
func firstAnswer(ctx context.Context, s swarm, late *arrivals, k int, deadline time.Time) answer {
	if o, ok := s.(oracle); ok {
		ctx, cancel := context.WithDeadline(ctx, deadline)
		defer cancel()
		vouched, err := o.ask(ctx, k)
		return answer{time.Now(), s.received(1), vouched, err}
	}
	for ; time.Now().Before(deadline) && ctx.Err() == nil; time.Sleep(time.Millisecond) {
		if at := late.when(k); !at.IsZero() {
			return answer{at: at, received: s.received(1)}
		}
	}
	return answer{err: errors.Join(fmt.Errorf("%s did not come in time", key(k)), ctx.Err())}
}

// when returns when a key came, the zero Time when it did not.
func (a *arrivals) when(k int) (t time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if k < len(a.at) {
		t = a.at[k]
	}
	return t
}
