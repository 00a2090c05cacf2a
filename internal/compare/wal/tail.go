package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"lightcone/internal/compare/figure"
)

// tailSize is the bytes of the records that are followed.
const tailSize = 128

// tailSeconds is how many times the time of a cell of appends a tail takes: its
// rate is fixed, so more time gives more samples.
const tailSeconds = 4

var errEnough = errors.New("read all")

// tailCase lets readers follow a writer that stores unsynced records at a fixed
// rate and takes the time from before each store until each reader has it.
func tailCase(p plan, readers int) *workload {
	o := logOptions{segment: p.segment, record: tailSize}
	n := max(1, int(p.seconds*tailSeconds*float64(p.tailRate)))
	return &workload{
		group: "tails", cell: fmt.Sprintf("%d readers of %d/s", readers, p.tailRate),
		has:     func(s side) bool { return s.only == "" && s.tails },
		prepare: func(side, string) error { return nil },
		measure: func(s side, dir string, w watch) ([]figure.Metric, error) {
			dir = filepath.Join(dir, "log")
			defer os.RemoveAll(dir)
			l, err := s.open(dir, o)
			if err != nil {
				return nil, err
			}
			t := newTails(l.(followed), readers, n)
			var wrote time.Duration
			u, err := w.time("", func() (err error) {
				wrote, err = t.run(l, p.tailRate)
				return err
			})
			if err = errors.Join(err, l.close()); err != nil {
				return nil, err
			}
			d := slices.Sorted(slices.Values(slices.Concat(t.delays...)))
			at := func(percent int) float64 { return float64(d[len(d)*percent/100].Nanoseconds()) / 1e6 }
			return []figure.Metric{
				{Name: "p50 from the store's start", Unit: "ms", Value: at(50), Better: figure.Lower},
				{Name: "p99 from the store's start", Unit: "ms", Value: at(99), Better: figure.Lower},
				{Name: "written", Unit: "/s", Value: float64(n) / wrote.Seconds(), Better: figure.Higher},
				u.cpuPer(n*readers, "delivery"),
			}, verify(s, dir, o, n)
		},
	}
}

// tails is a writer and its readers.
type tails struct {
	log    followed
	n      int
	start  time.Time
	delays [][]time.Duration // by reader, in the order of the records
}

func newTails(l followed, readers, n int) *tails {
	t := &tails{log: l, n: n, start: time.Now(), delays: make([][]time.Duration, readers)}
	for i := range t.delays {
		t.delays[i] = make([]time.Duration, 0, n)
	}
	return t
}

// run returns how long the writer took when every reader has every record.
func (t *tails) run(l recordLog, rate int) (time.Duration, error) {
	faults := make([]error, len(t.delays))
	var wg sync.WaitGroup
	for i := range t.delays {
		wg.Go(func() { faults[i] = t.read(i) })
	}
	r, begin := newPayload(tailSize), time.Now()
	for i := range t.n {
		time.Sleep(time.Until(begin.Add(time.Duration(i) * time.Second / time.Duration(rate))))
		r.set(i, int64(time.Since(t.start)))
		if err := l.store(r); err != nil {
			return 0, err // the readers end when the log is closed
		}
	}
	wrote := max(time.Since(begin), time.Duration(t.n)*time.Second/time.Duration(rate))
	wg.Wait()
	return wrote, errors.Join(faults...)
}

// read is one reader.
func (t *tails) read(reader int) error {
	err := t.log.follow(func(rec []byte) error {
		i, err := number(rec, tailSize)
		got := t.delays[reader]
		if err == nil && i != len(got) {
			err = fmt.Errorf("%w: a reader has record %d in the place of %d", errWork, i, len(got))
		}
		if err != nil {
			return err
		}
		stored := time.Duration(binary.LittleEndian.Uint64(rec[stampAt:]))
		t.delays[reader] = append(got, time.Since(t.start)-stored)
		if i+1 == t.n {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}
