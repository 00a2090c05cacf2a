package merge_test

import (
	"encoding/binary"
	"encoding/csv"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/merge/mergetest"
)

// bytesPerNest is what rows of more than one block cost in the format as it was
// frozen: the fields of 100 airports, four times, in one row, and rows of the
// largest kinds that programs make.
//
// Nested, a row takes within 2 % of what one block would where items have memos of
// their own, and up to 22 % more where few memos wrote many items, since every piece
// has their provenance. In return a change costs a piece or two and the way up in
// the tree (TestOneChangeOfANestedRowIsLocal). maxPiece balances the two: at 1 KiB
// such a row takes more than half as much again, at 16 KiB a change twice to four
// times as much.
const bytesPerNest = `
                                one block  pieces in blocks in leaves  nodes in nodes  head
100 airports, a memo each           99779      48     96844         0      3     2404    38
100 airports, 10 a memo             68574      48     81240         0      3     2404    38
10,000 fields of one memo          407975     200    424690         0      8     8720    38
set of 20,000, one by one         1818905     704   1791568       191     23    29561    39
set of 20,000, by 3 authors       1818369     706   1791382         0     22    29770    39
set of 20,000, 4,000 a memo        159862     236    179541      1534      9     9565    38
counter of 1,000 authors            89294      33     88088         0      1     2318    38
register of 100 KiB                102497       1    102497         0      1       47    37
`

// TestBytesPerNestedRow prints where the bytes of nested rows go and fails when
// they change: go test -run TestBytesPerNestedRow -v ./merge
func TestBytesPerNestedRow(t *testing.T) {
	p := testParams()
	var b strings.Builder
	fmt.Fprintf(&b, "%-32s%9s%8s%10s%10s%7s%9s%6s\n", "", "one block", "pieces", "in blocks", "in leaves", "nodes", "in nodes", "head")
	for _, r := range nestedRows(t) {
		made := blocks{}
		root := stateOf(t, p, r.row, made)
		n, tree, ok := head(t, p, made, root)
		if !ok {
			t.Fatalf("%s is not nested", r.name)
		}
		var inBlocks, inLeaves, nodes, inNodes int
		for _, pc := range piecesIn(t, p, made, tree) {
			if len(pc.state) > merge.InlineMax {
				inBlocks += len(pc.state)
			} else {
				inLeaves += len(pc.state)
			}
		}
		for _, count := range walk(t, p, made, tree, merge.Place{}) {
			nodes += count
		}
		for _, data := range made {
			inNodes += len(data)
		}
		inNodes -= inBlocks + inLeaves + len(made[root])
		fmt.Fprintf(&b, "%-32s%9d%8d%10d%10d%7d%9d%6d\n", r.name, len(encode(t, r.row)), n, inBlocks, inLeaves, nodes, inNodes, len(cbor(t, arr{2, n, tree})))
	}
	got := "\n" + b.String()
	t.Logf("bytes per nested row%s", got)
	if diff := cmp.Diff(bytesPerNest, got); diff != "" {
		t.Errorf("bytes per nested row, - as it was frozen + as it is:\n%s", diff)
	}
}

// nestedRows are rows of more than one block: the airports, a memo each, in one
// row, and made ones.
func nestedRows(t testing.TB) []namedRow {
	var counted merge.Row
	for i := range 1_000 {
		s := when(i, 1)
		s.Author = memo.Author(memo.Sum(binary.BigEndian.AppendUint64(nil, uint64(i))))
		counted = merge.Join(counted, delta(t, s, false, add(t, merge.Row{}, 1, int64(i))))
	}
	blob := delta(t, when(0, 1), false, memo.Delta{Field: "blob", Op: memo.Op{Set: true, Value: memo.Blob(make([]byte, 100<<10))}})
	return []namedRow{
		{"100 airports, a memo each", airportsInOne(t, 1)},
		{"100 airports, 10 a memo", airportsInOne(t, 10)},
		{"10,000 fields of one memo", wide(t, 10_000)},
		{"set of 20,000, one by one", large(20_000, 1, 1)},
		{"set of 20,000, by 3 authors", large(20_000, 3, 1)},
		{"set of 20,000, 4,000 a memo", large(20_000, 1, 4_000)},
		{"counter of 1,000 authors", counted},
		{"register of 100 KiB", blob},
	}
}

// airportsInOne returns a row that holds all fields of the airports four times, as
// one by which a table is kept in a row would.
func airportsInOne(t testing.TB, perMemo int) (row merge.Row) {
	t.Helper()
	file, err := os.Open("../memo/testdata/airports100.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	records, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	names, records := records[0], records[1:]
	for i := range 4 * len(records) {
		r := records[i%len(records)]
		var ds []memo.Delta
		for f, value := range r[1:] {
			ds = append(ds, set(fmt.Sprintf("%s/%d/%s", r[0], i/len(records), names[1+f]), value))
		}
		s := when(i/perMemo, 1)
		s.Author = mergetest.Author(1)
		for _, d := range ds {
			row = merge.Join(row, delta(t, s, false, d))
		}
	}
	return row
}
