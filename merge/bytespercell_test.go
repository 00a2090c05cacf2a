package merge_test

import (
	"encoding/csv"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lightcone/memo"
	"lightcone/merge"
)

// bytesPerCell is what the state of a row with one cell costs in the format as it
// was frozen, on the first 100 airports of airports.csv: their number as a
// counter, their codes as a set, the name of one of them as a multi.
//
// Provenance is most of it, as of any row: 79 bytes, and more by seq, for every
// memo with a value in the cell and the last of every writer. A tally is 5 bytes
// and more by its sums, an atom 3 and more by k beside its value. What was seen is
// 3 to 5 bytes an author, after any number of removals: a set that was emptied
// costs no more than its writers.
const bytesPerCell = `
                              provenance  framing  writers  seen     atoms or    sum
                                                                      tallies
100 counted by 1 author               81       13        0     0            7    101
100 counted by 3 authors             241       13        0     0           21    275
set of 100, at once                   81       11        2     5          778    877
set of 100, one by one              8002       11        3     5          854   8875
set of 100, by 3 authors            8002       11        7    15          808   8843
set emptied by its author             81       10        2     5            0     98
set emptied by another               161       10        3     5            0    179
multi of 1 value                      81        9        2     4           11    107
multi written 100 times               81        9        2     5           17    114
multi of 2 values                    161        9        3     7           35    215
`

// TestBytesPerCell prints where the bytes of a cell's state go and fails when they
// change: go test -run TestBytesPerCell -v ./merge
func TestBytesPerCell(t *testing.T) {
	var b strings.Builder
	line := func(format string, args ...any) {
		b.WriteString(strings.TrimRight(fmt.Sprintf(format, args...), " ") + "\n")
	}
	line("%-28s%12s%9s%9s%6s%13s%7s", "", "provenance", "framing", "writers", "seen", "atoms or", "sum")
	line("%-28s%12s%9s%9s%6s%13s", "", "", "", "", "", "tallies")
	for _, r := range airportRows(t) {
		p := takeApart(t, r.row)
		line("%-28s%12d%9d%9d%6d%13d%7d", r.name, p[0], p[1], p[2], p[3], p[4], p[0]+p[1]+p[2]+p[3]+p[4])
	}
	got := "\n" + b.String()
	t.Logf("bytes per row%s", got)
	if diff := cmp.Diff(bytesPerCell, got); diff != "" {
		t.Errorf("bytes per row, - as it was frozen + as it is:\n%s", diff)
	}
}

type namedRow struct {
	name string
	row  merge.Row
}

func airportRows(t testing.TB) []namedRow {
	file, err := os.Open("../memo/testdata/airports100.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	records, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	records = records[1:]
	var codes []memo.Value
	for _, r := range records {
		codes = append(codes, text(r[0]))
	}
	// each writes what f makes of the row, memo after memo, by so many authors in turn
	each := func(row merge.Row, memos, authors int, f func(w merge.Writer, i int) memo.Delta) merge.Row {
		for i := range memos {
			n := 1 + i%authors
			row = merge.Join(row, delta(t, when(i, n), false, f(by(row, n), i)))
		}
		return row
	}
	count := func(w merge.Writer, _ int) memo.Delta {
		d, err := w.Add("airports", 1)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	one := func(w merge.Writer, i int) memo.Delta { d, _ := w.Change("codes", codes[i:i+1], nil); return d }
	all := func(w merge.Writer, _ int) memo.Delta { d, _ := w.Change("codes", codes, nil); return d }
	none := func(w merge.Writer, _ int) memo.Delta { d, _ := w.Change("codes", nil, codes); return d }
	name := func(w merge.Writer, i int) memo.Delta { return w.Put("name", text(records[i][1])) }
	full := each(merge.Row{}, 1, 1, all)
	named := each(merge.Row{}, 1, 1, name)
	return []namedRow{
		{"100 counted by 1 author", each(merge.Row{}, 100, 1, count)},
		{"100 counted by 3 authors", each(merge.Row{}, 100, 3, count)},
		{"set of 100, at once", full},
		{"set of 100, one by one", each(merge.Row{}, 100, 1, one)},
		{"set of 100, by 3 authors", each(merge.Row{}, 100, 3, one)},
		{"set emptied by its author", each(full, 1, 1, none)},
		{"set emptied by another", merge.Join(full, delta(t, when(100, 2), false, none(by(full, 2), 0)))},
		{"multi of 1 value", named},
		{"multi written 100 times", each(named, 100, 1, name)},
		{"multi of 2 values", merge.Join(named, delta(t, when(0, 2), false, name(by(merge.Row{}, 2), 1)))},
	}
}

// when is the stamp of the i-th memo of the test, by the n-th author.
func when(i, n int) merge.Stamp {
	s := stamp(memo.Time(100+i), n)
	s.Time = memo.Next(1_700_000_000_000 + uint64(i))
	return s
}

// takeApart weighs the parts of the state of a row of one cell: provenance,
// framing with the field's name, writers, what was seen, and the rest.
func takeApart(t *testing.T, row merge.Row) (parts [5]int) {
	enc := encode(t, row)
	var state, cell []memo.Raw
	if err := memo.Unmarshal(enc, &state); err != nil {
		t.Fatal(err)
	}
	if err := memo.Unmarshal(state[2], &cell); err != nil {
		t.Fatal(err)
	}
	first := 2
	if row.Cells[0].Atoms != nil {
		parts[2], parts[3], first = len(cell[2]), len(cell[3]), 4
	}
	for _, part := range cell[first:] {
		parts[4] += len(part)
	}
	parts[0] = len(state[0])
	parts[1] = len(enc) - parts[0] - parts[2] - parts[3] - parts[4]
	return parts
}
