package main

import (
	"errors"
	"slices"
	"testing"
)

// small does every case with little.
var small = plan{
	sizes: []int{128, 4 << 10}, writers: []int{1, 16}, seconds: 0.02, rounds: 1, segment: 1 << 20,
	reads: 2000, opens: []int{2500}, tails: []int{1, 10}, tailRate: 1000,
}

// Every side does every case it takes part in, over several segments; each case
// reads back what was stored and fails when a record is missing or differs.
func TestSidesDoEqualWork(t *testing.T) {
	for _, c := range cases(small) {
		t.Run(c.group+" "+c.cell, func(t *testing.T) {
			lines, err := c.compare(small, options{dir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range sides {
				took := slices.ContainsFunc(lines, func(l line) bool { return l.Side == s.name && l.Value > 0 })
				if took != c.has(s) {
					t.Errorf("%s has a figure: %v, takes part: %v", s.name, took, c.has(s))
				}
			}
		})
	}
}

// A side that loses or changes records is no side: every case notices.
func TestUnequalWorkIsNoticed(t *testing.T) {
	whole := sides
	defer func() { sides = whole }()
	for name, spoil := range map[string]func([][]byte) [][]byte{
		"loses a record": func(recs [][]byte) [][]byte {
			return slices.DeleteFunc(slices.Clone(recs), func(r []byte) bool { return r[0] == 0 })
		},
		"changes a byte": func(recs [][]byte) [][]byte {
			return spoilEach(recs, func(r []byte) { r[filledFrom+1]++ })
		},
		"stores another number": func(recs [][]byte) [][]byte {
			return spoilEach(recs, func(r []byte) {
				if r[0] == 0 {
					payload(r).set(1, 0)
				}
			})
		},
	} {
		sides = nil
		for _, s := range whole {
			open := s.open
			s.open = func(dir string, o logOptions) (recordLog, error) {
				l, err := open(dir, o)
				return spoiled{l, spoil}, err
			}
			if s.tails = false; s.only == "" {
				sides = append(sides, s)
			}
		}
		for _, c := range cases(small) {
			for _, s := range sides {
				if !c.has(s) {
					continue
				}
				if _, err := c.compare(small, options{dir: t.TempDir(), sides: s.name}); !errors.Is(err, errWork) {
					t.Errorf("%s that %s in %s %s: %v", s.name, name, c.group, c.cell, err)
				}
			}
		}
	}
}

// spoiled is a log that stores other records than it is given.
type spoiled struct {
	recordLog
	spoil func([][]byte) [][]byte
}

func (l spoiled) store(recs ...[]byte) error {
	if recs = l.spoil(recs); len(recs) == 0 {
		return nil
	}
	return l.recordLog.store(recs...)
}

func spoilEach(recs [][]byte, spoil func([]byte)) (out [][]byte) {
	for _, r := range recs {
		r = slices.Clone(r)
		spoil(r)
		out = append(out, r)
	}
	return out
}
