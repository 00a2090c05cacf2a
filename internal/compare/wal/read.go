package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"

	"lightcone/internal/compare/figure"
)

// readSize is the bytes of the records that are read and opened.
const readSize = 1 << 10

// readCase reads all records of a log in order, once after it was opened and
// once again, and then by number in no order.
func readCase(p plan) *workload {
	o := logOptions{segment: p.segment, record: readSize}
	return &workload{
		group: "reads", cell: fmt.Sprintf("%d records of %d B", p.reads, readSize),
		has:     func(s side) bool { return s.only == "" },
		prepare: func(s side, dir string) error { return fill(s, filepath.Join(dir, "log"), o, p.reads) },
		measure: func(s side, dir string, w watch) (out []figure.Metric, err error) {
			l, err := s.open(filepath.Join(dir, "log"), o)
			if err != nil {
				return nil, err
			}
			defer func() { err = errors.Join(err, l.close()) }()
			add := func(part string, f func() error) {
				if err == nil {
					var u usage
					u, err = w.time(part, f)
					out = append(out, u.timePer(p.reads, part), u.allocsPer(p.reads, part))
				}
			}
			sequential := func() error { return scanInOrder(l, p.reads) }
			add("after opening", sequential)
			add("again", sequential)
			order := rand.New(rand.NewPCG(1, 2)).Perm(p.reads)
			if x, ok := l.(indexed); ok {
				add("by number", func() error { return readEach(order, x.at) })
			}
			if x, ok := l.(placed); ok && err == nil {
				err = x.learnPlaces()
				add("by place", func() error { return readEach(order, x.atPlace) })
			}
			return out, err
		},
	}
}

// scanInOrder reads the records [0, n).
func scanInOrder(l recordLog, n int) error {
	next := 0
	err := l.scan(func(rec []byte) error {
		i, err := number(rec, readSize)
		if err == nil && i != next {
			err = fmt.Errorf("%w: record %d in the place of %d", errWork, i, next)
		}
		next++
		return err
	})
	if err == nil && next != n {
		err = fmt.Errorf("%w: %d of %d records", errWork, next, n)
	}
	return err
}

// readEach reads the records of order.
func readEach(order []int, at func(int) ([]byte, error)) error {
	for _, want := range order {
		rec, err := at(want)
		if err != nil {
			return err
		}
		if i, err := number(rec, readSize); err != nil || i != want {
			return errors.Join(fmt.Errorf("%w: record %d in the place of %d", errWork, i, want), err)
		}
	}
	return nil
}

// openCase opens a log of n records until it takes another one.
func openCase(p plan, n int) *workload {
	o := logOptions{segment: p.segment, record: readSize}
	return &workload{
		group: "open", cell: fmt.Sprintf("%d records of %d B", n, readSize),
		has:     func(s side) bool { return s.only == "" && s.serves != alone },
		prepare: func(s side, dir string) error { return fill(s, filepath.Join(dir, "log"), o, n) },
		measure: func(s side, dir string, w watch) ([]figure.Metric, error) {
			var l recordLog
			u, err := w.time("", func() (err error) {
				l, err = s.open(filepath.Join(dir, "log"), o)
				return err
			})
			if err != nil {
				return nil, err
			}
			r := newPayload(readSize)
			r.set(n, 0)
			return []figure.Metric{
				{Name: "until it takes records", Unit: "ms", Value: u.elapsed.Seconds() * 1000, Better: figure.Lower},
				{Name: "allocated", Unit: "MB", Value: float64(u.bytes) / 1e6, Better: figure.Lower},
			}, errors.Join(l.store(r), l.close())
		},
	}
}
