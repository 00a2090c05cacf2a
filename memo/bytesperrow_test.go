package memo

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// airports100 is the first 100 rows of a list of airports of the US Department of
// Transportation (public domain), by way of the npm package vega-datasets 2.11.0.
//
//go:embed testdata/airports100.csv
var airports100 string

// TestBytesPerRow prints where the bytes of a real row go, part by part, and
// fails when they change: go test -run TestBytesPerRow -v ./memo
func TestBytesPerRow(t *testing.T) {
	rows := airportRows(t)
	var one, hundred []*Edit // more than a run holds
	for i := range MaxRunMemos {
		one = append(one, airportEdit(rows[i]))
		hundred = append(hundred, airportEdit(rows...))
	}
	got := "\n" + table(
		measure(t, "one row a run", one[:1], 1),
		measure(t, "one row a memo", one, 1),
		measure(t, "100 rows a memo", hundred, 100),
	)
	t.Logf("bytes per row%s", got)
	if diff := cmp.Diff(bytesPerRow, got); diff != "" {
		t.Errorf("bytes per row, - as it was frozen + as it is:\n%s", diff)
	}
}

func airportRows(t *testing.T) []RowEdit {
	records, err := csv.NewReader(strings.NewReader(airports100)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	rows := make([]RowEdit, len(records)-1)
	for i, rec := range records[1:] {
		rows[i].Row = Bytes(rec[0])
		for f, name := range records[0] {
			rows[i].Deltas = append(rows[i].Deltas, register(t, name, rec[f]))
		}
	}
	return rows
}

func airportEdit(rows ...RowEdit) *Edit {
	e := &Edit{Topics: []TopicEdit{{Topic: "airports", Rows: slices.Clone(rows)}}}
	e.Sort()
	return e
}

// cost is how many bytes of one run its parts take.
type cost struct {
	name        string
	rows, memos int
	parts       [8]int // as partNames
	total       int
}

var partNames = [...]string{
	"field names", "values", "row key", "delta framing", "row framing",
	"memo and topic", "run framing", "seal",
}

// measure puts as many of the edits as fit into one run and takes it apart.
func measure(t *testing.T, name string, edits []*Edit, rows int) cost {
	g, key := testGenesis(t)
	r := &Run{Space: g.SpaceID()}
	var enc []byte
	last := g
	for _, e := range edits {
		m := mustNew(t, Memo{
			Space: g.SpaceID(), Author: g.Author, Seq: last.Seq + 1, Prev: last.ID(),
			Time: Next(1_700_000_000_000, last.Time), Body: e,
		})
		r.Memos = append(r.Memos, m)
		r.Seal = Sign(key, r.Space, m.Head())
		b, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if len(b) > MaxRunBytes {
			r.Memos = r.Memos[:len(r.Memos)-1]
			break
		}
		enc, last = b, m
	}
	c := cost{name: name, memos: len(r.Memos), rows: rows * len(r.Memos), total: len(enc)}
	c.takeApart(t, r)
	sum := 0
	for _, p := range c.parts {
		sum += p
	}
	if sum != c.total {
		t.Errorf("%s: the parts have %d bytes, the run has %d", name, sum, c.total)
	}
	return c
}

// takeApart weighs every part of a run by the format, not by its encoder.
func (c *cost) takeApart(t *testing.T, r *Run) {
	const (
		names = iota
		values
		keys
		deltas
		rows
		memos
		run
		seal
	)
	for _, m := range r.Memos {
		// [deps, time, kind, [[topic, rows]]]
		e := m.Body.(*Edit)
		c.parts[memos] += 1 + size(t, []Raw{}) + size(t, m.Time) + size(t, KindEdit) + head(len(e.Topics))
		for _, topic := range e.Topics {
			c.parts[memos] += 1 + size(t, topic.Topic) + head(len(topic.Rows))
			for _, row := range topic.Rows {
				c.parts[keys] += size(t, row.Row)
				c.parts[rows] += 1 + 1 + head(len(row.Deltas)) // [row, tombstone, deltas]
				for _, d := range row.Deltas {
					c.parts[names] += size(t, Bytes(d.Field))
					c.parts[values] += size(t, d.Op.Value)
					c.parts[deltas] += 1 + 1 + 1 // [field, type, 1, value]
				}
			}
		}
	}
	c.parts[run] = 1 + 1 + size(t, r.Space) + size(t, r.Author()) + size(t, r.FirstSeq()) +
		size(t, linkTo(r.Memos[0].Prev)) + head(len(r.Memos))
	c.parts[seal] = size(t, r.Seal)
}

func size(t *testing.T, v any) int {
	b, err := Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return len(b)
}

// head is the length of the head of an array.
func head(n int) int {
	switch {
	case n < 24:
		return 1
	case n < 256:
		return 2
	default:
		return 3
	}
}

// table shows costs side by side, in bytes per row.
func table(costs ...cost) string {
	var b strings.Builder
	line := func(name string, of func(c cost) string) {
		text := fmt.Sprintf("%-16s", name)
		for _, c := range costs {
			text += fmt.Sprintf("%18s", of(c))
		}
		fmt.Fprintln(&b, strings.TrimRight(text, " "))
	}
	line("", func(c cost) string { return c.name })
	line("memos in the run", func(c cost) string { return fmt.Sprint(c.memos) })
	line("rows in the run", func(c cost) string { return fmt.Sprint(c.rows) })
	for i, name := range partNames {
		line(name, func(c cost) string { return fmt.Sprintf("%.2f", float64(c.parts[i])/float64(c.rows)) })
	}
	line("sum", func(c cost) string { return fmt.Sprintf("%.2f", float64(c.total)/float64(c.rows)) })
	return b.String()
}
