package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"lightcone/internal/compare/figure"
	"lightcone/p2p/gossip"
)

const (
	valueSize = 100
	// firstKey is the first key that is measured; the one before it is written to
	// see that the swarm is connected.
	firstKey = 1
	// settle is how long a connected swarm rests before its first write, so that
	// gossipsub's heartbeat (1 s) has built its mesh.
	settle = 1500 * time.Millisecond
	// patience bounds what takes milliseconds when nothing is broken.
	patience = 30 * time.Second
	// lateWait is how long visible waits for the last writes to arrive.
	lateWait = 15 * time.Second
)

// errUnequal reports replicas that received everything and still differ.
var errUnequal = errors.New("the replicas differ")

// side is a database in one configuration.
type side struct {
	name string
	// late is how many keys the case of the late peer writes; 0 leaves it out.
	late int
	// lateBatch is how many keys each write of the case of the late peer that is
	// shown a state has; 0 leaves it out.
	lateBatch int
	start     func(ctx context.Context, dir string, peers int) (swarm, error)
}

// swarm is a set of connected replicas. Replica 0 writes, the others receive.
type swarm interface {
	// write writes the keys [from, to) at once and returns when replica 0 has
	// acknowledged them.
	write(ctx context.Context, from, to int) error
	// join adds a replica that has nothing yet.
	join(ctx context.Context) error
	// receivers returns what arrived at replicas 1, 2, ….
	receivers() []*arrivals
	// sent and received count bytes on the streams of all replicas, of replica i.
	sent() int64
	received(i int) int64
	// topics counts what came in on topics, over all replicas. It is zero on a
	// side that does not count.
	topics() gossip.TopicTraffic
	// equal compares the contents of all replicas.
	equal(ctx context.Context) error
	// close stops all replicas. disk, asked afterwards, is the bytes in use.
	close() error
	disk() (int64, error)
}

func key(k int) string { return fmt.Sprintf("k%07d", k) }

// value is valueSize bytes that do not compress, the same for each side.
func value(k int) []byte {
	out := make([]byte, valueSize)
	rand.NewChaCha8([32]byte{byte(k), byte(k >> 8), byte(k >> 16)}).Read(out)
	return out
}

// arrivals says when keys became visible at a replica.
type arrivals struct {
	mu   sync.Mutex
	at   []time.Time // by key; zero: not yet
	n    int
	last time.Time
}

func (a *arrivals) mark(k int, t time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if missing := k + 1 - len(a.at); missing > 0 {
		a.at = append(a.at, make([]time.Time, missing)...)
	}
	if a.at[k].IsZero() {
		a.at[k], a.last = t, t
		a.n++
	}
}

func (a *arrivals) state() (n int, last time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.n, a.last
}

// await waits until every receiver has n keys, or the deadline. It returns the
// fewest keys at a receiver, the sum over them, and when the last key arrived.
func await(ctx context.Context, s swarm, n int, deadline time.Time) (fewest, sum int, last time.Time) {
	for {
		fewest, sum = n, 0
		for _, a := range s.receivers() {
			have, at := a.state()
			fewest, sum = min(fewest, have), sum+have
			if at.After(last) {
				last = at
			}
		}
		if fewest == n || !time.Now().Before(deadline) || ctx.Err() != nil {
			return fewest, sum, last
		}
		time.Sleep(time.Millisecond)
	}
}

// launch starts a swarm and sees one write arrive everywhere.
func launch(ctx context.Context, sd side, dir string, peers int) (swarm, error) {
	s, err := sd.start(ctx, dir, peers)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", sd.name, err)
	}
	time.Sleep(settle)
	err = s.write(ctx, 0, firstKey)
	if fewest, _, _ := await(ctx, s, firstKey, time.Now().Add(patience)); err == nil && fewest < firstKey {
		err = fmt.Errorf("%s: the first write did not arrive within %v", sd.name, patience)
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// work is what is done to a running swarm, and what that measured.
type work func(ctx context.Context, s swarm) (result, error)

// job is one case.
type job struct {
	name, title string
	peers       int
	// on returns the work for a side; nil leaves the side out.
	on func(sd side) work
}

// do runs a case on one side, in a directory of its own that is gone afterwards.
func do(ctx context.Context, j job, sd side, root, profiles string) (result, error) {
	dir, err := os.MkdirTemp(root, "compare-")
	if err != nil {
		return result{}, err
	}
	defer os.RemoveAll(dir)
	s, err := launch(ctx, sd, dir, j.peers)
	if err != nil {
		return result{}, err
	}
	name := ""
	if profiles != "" {
		name = filepath.Join(profiles, strings.NewReplacer(" ", "-", "/s", "").Replace(j.name)+"-"+sd.name+".pprof")
	}
	var r result
	err = figure.Profiled(name, func() (err error) {
		r, err = j.on(sd)(ctx, s)
		return err
	})
	if err = errors.Join(err, s.close(), ctx.Err()); err != nil {
		return result{}, fmt.Errorf("%s, %s: %w", j.name, sd.name, err)
	}
	r.Case, r.Side = j.name, sd.name
	return r, r.addDisk(s, dir)
}

// bulk writes n keys, batch at a time, as fast as they are acknowledged, and
// waits until all replicas are equal; after limit it says how far they came.
func bulk(n, batch int, limit time.Duration) work {
	return func(ctx context.Context, s swarm) (result, error) {
		m := begin(s)
		end := m.start.Add(limit)
		k := firstKey
		for ; k < firstKey+n && time.Now().Before(end); k += batch {
			if err := s.write(ctx, k, min(k+batch, firstKey+n)); err != nil {
				return result{}, err
			}
		}
		k = min(k, firstKey+n)
		written := time.Now()
		fewest, sum, last := await(ctx, s, k, end)
		r := m.end(s, k-firstKey, sum-firstKey*len(s.receivers()))
		capped := fewest < firstKey+n
		if capped {
			last = time.Now()
		} else if err := s.equal(ctx); err != nil {
			return result{}, err
		}
		arrived := fewest - firstKey
		r.lead(
			figure.Metric{Name: "written", Unit: "/s", Value: float64(k-firstKey) / written.Sub(m.start).Seconds(), Better: figure.Higher},
			figure.Metric{Name: "equal after the last write", Unit: "s", Value: max(last.Sub(written), 0).Seconds(), Bound: figure.AtLeast(capped), Better: figure.Lower},
			figure.Metric{Name: "arrived everywhere", Unit: "keys", Value: float64(arrived)},
			figure.Metric{Name: "arrived everywhere, rate", Unit: "/s", Value: float64(arrived) / last.Sub(m.start).Seconds(), Better: figure.Higher},
		)
		return r, nil
	}
}

// visible writes rate keys per second for a while and takes the time from the
// call of each write until another replica shows it, over all receivers. What
// did not arrive counts with the time it was waited for.
func visible(rate int, during time.Duration) work {
	return func(ctx context.Context, s swarm) (result, error) {
		n := int(during.Seconds() * float64(rate))
		begun := make([]time.Time, n)
		m := begin(s)
		for i := range n {
			time.Sleep(time.Until(m.start.Add(time.Duration(i) * time.Second / time.Duration(rate))))
			begun[i] = time.Now()
			if err := s.write(ctx, firstKey+i, firstKey+i+1); err != nil {
				return result{}, err
			}
		}
		written := time.Now()
		_, sum, _ := await(ctx, s, firstKey+n, time.Now().Add(lateWait))
		arrived := sum - firstKey*len(s.receivers())
		r := m.end(s, n, arrived)
		delays := delays(s.receivers(), begun, time.Now())
		capped := n*len(s.receivers()) - arrived
		r.lead(
			figure.Metric{Name: "written", Unit: "/s", Value: float64(n) / written.Sub(m.start).Seconds()},
			percentile(delays, 50, capped),
			percentile(delays, 99, capped),
			figure.Metric{Name: "arrived", Unit: "%", Value: 100 * float64(arrived) / float64(n*len(s.receivers()))},
		)
		return r, nil
	}
}

// delays lists how long each write took to each receiver, ascending.
func delays(to []*arrivals, begun []time.Time, now time.Time) (out []time.Duration) {
	for _, a := range to {
		a.mu.Lock()
		for i, t := range begun {
			at := now
			if k := firstKey + i; k < len(a.at) && !a.at[k].IsZero() {
				at = a.at[k]
			}
			out = append(out, at.Sub(t))
		}
		a.mu.Unlock()
	}
	slices.Sort(out)
	return out
}
