package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"lightcone/internal/compare/figure"
)

const (
	groupNone   = "append-none"
	groupSynced = "append-synced"
	// queueSize bounds the records that wait for a batcher, and its batches: as
	// many as the most writers there are.
	queueSize = 256
	// maxCellBytes bounds what a side writes in one round, so that the disk is
	// not what unsynced appends are measured by.
	maxCellBytes = 128 << 20
	// slowest is how many times the time of a cell its slowest side may take.
	slowest = 3
	// fewest is how many records each writer stores at least, however slow a
	// busy disk made the warm-up look.
	fewest = 10
)

// appendCase stores the same number of records on all sides: what ours stores in
// the time of the plan, or fewer when another is much slower.
func appendCase(p plan, synced bool, size, writers int) *workload {
	group := groupNone
	if synced {
		group = groupSynced
	}
	o := logOptions{synced: synced, segment: p.segment, record: size}
	n := maxCellBytes / size
	return &workload{
		group: group, cell: fmt.Sprintf("%d B by %d writers", size, writers),
		has: func(s side) bool { return s.only == "" || s.only == group },
		prepare: func(s side, dir string) error {
			rate, err := calibrate(s, filepath.Join(dir, "first"), o, writers, p.seconds)
			seconds := p.seconds
			if s.name != ours {
				seconds *= slowest
			}
			n = max(fewest*writers, min(n, int(rate*seconds)))
			return err
		},
		measure: func(s side, dir string, w watch) ([]figure.Metric, error) {
			dir = filepath.Join(dir, "log")
			defer os.RemoveAll(dir)
			u, err := appendRound(s, dir, o, n, writers, w)
			if err != nil {
				return nil, err
			}
			return []figure.Metric{
				{Name: "records", Unit: "/s", Value: float64(n) / u.elapsed.Seconds(), Better: figure.Higher},
				u.cpuPer(n, "record"),
				{Name: "stored", Unit: "records", Value: float64(n)},
			}, verify(s, dir, o, n)
		},
	}
}

func appendRound(s side, dir string, o logOptions, n, writers int, w watch) (usage, error) {
	l, err := s.open(dir, o)
	if err != nil {
		return usage{}, err
	}
	q := &quota{end: int64(n)}
	u, err := w.time("", func() error { return storeAll(l, s.serves, q, writers, o.record) })
	return u, errors.Join(err, l.close())
}

// calibrate warms a side up and returns how many records per second it stores.
func calibrate(s side, dir string, o logOptions, writers int, seconds float64) (float64, error) {
	defer os.RemoveAll(dir)
	l, err := s.open(dir, o)
	if err != nil {
		return 0, err
	}
	start := time.Now()
	q := &quota{end: int64(maxCellBytes / o.record), until: start.Add(time.Duration(seconds / 2 * float64(time.Second)))}
	err = storeAll(l, s.serves, q, writers, o.record)
	rate := float64(q.taken()) / time.Since(start).Seconds()
	return rate, errors.Join(err, l.close())
}

// quota hands out the numbers [0, end), until a time if there is one.
type quota struct {
	next  atomic.Int64
	end   int64
	until time.Time
}

func (q *quota) take() (int, bool) {
	if !q.until.IsZero() && !time.Now().Before(q.until) {
		return 0, false
	}
	i := q.next.Add(1) - 1
	return int(i), i < q.end
}

// taken is how many were handed out, once nobody takes any more.
func (q *quota) taken() int64 { return min(q.next.Load(), q.end) }

// storeAll lets writers store all of q, each one record after the other.
func storeAll(l recordLog, how serving, q *quota, writers, size int) error {
	switch {
	case how == alone:
		return storeAlone(l, q, writers, size)
	case how == batched && writers > 1:
		return storeBatched(l, q, writers, size)
	}
	return storeConcurrent(q, writers, size, func(int) func(payload) error {
		return func(r payload) error { return l.store(r) }
	})
}

// storeConcurrent starts the writers; each stores with a function of its own.
func storeConcurrent(q *quota, writers, size int, store func(writer int) func(payload) error) error {
	faults := make([]error, writers)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			r, put := newPayload(size), store(w)
			for i, ok := q.take(); ok && faults[w] == nil; i, ok = q.take() {
				r.set(i, 0)
				faults[w] = put(r)
			}
		})
	}
	wg.Wait()
	return errors.Join(faults...)
}

// request is a record that waits for a batcher.
type request struct {
	rec  payload
	done chan error
}

// storeBatched is what users of a log for one writer do, hashicorp/raft's leader
// loop and etcd's Ready loop: one goroutine takes the first record that is queued
// and all that are queued behind it, stores them at once, and tells their writers.
func storeBatched(l recordLog, q *quota, writers, size int) error {
	queue, over := make(chan request, queueSize), make(chan struct{})
	go func() {
		defer close(over)
		batch, waiting := make([][]byte, 0, queueSize), make([]request, 0, queueSize)
		for first := range queue {
			batch, waiting = append(batch[:0], first.rec), append(waiting[:0], first)
			for len(queue) > 0 && len(batch) < queueSize {
				next := <-queue
				batch, waiting = append(batch, next.rec), append(waiting, next)
			}
			err := l.store(batch...)
			for _, r := range waiting {
				r.done <- err
			}
		}
	}()
	err := storeConcurrent(q, writers, size, func(int) func(payload) error {
		done := make(chan error, 1)
		return func(r payload) error {
			queue <- request{r, done}
			return <-done
		}
	})
	close(queue)
	<-over
	return err
}

// storeAlone stores a record of each writer at once, without the writers.
func storeAlone(l recordLog, q *quota, writers, size int) error {
	recs := make([][]byte, writers)
	for i := range recs {
		recs[i] = newPayload(size)
	}
	for {
		n := 0
		for ; n < writers; n++ {
			i, ok := q.take()
			if !ok {
				break
			}
			payload(recs[n]).set(i, 0)
		}
		if n == 0 {
			return nil
		}
		if err := l.store(recs[:n]...); err != nil {
			return err
		}
	}
}
