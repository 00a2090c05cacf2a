package memo

import (
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// bytesPerOp is what operations on cells cost in the format as it was frozen, in
// bytes per delta, on the airports of bytesPerRow: their states count them one by
// one, and again after the row was cleared; keep the set of their codes, grown one
// by one, taken at once, and emptied; and their names are multis, written once, by
// their author again, and over what another author wrote.
//
// Two bytes a delta are the array and the type. Removed dots of the own author
// cost 3 and their k, those of another 33 more for its key. The base of a count
// whose row was ever cleared takes 78 bytes, for it names the tombstone in full.
const bytesPerOp = `
                  deltas   field     k and     base    values  removed  framing       sum
                            name      sums            or elements
count                100    9.00      2.00     1.00      0.00     0.00     2.00     14.00
count, cleared       100    9.00      2.00    78.00      0.00     0.00     2.00     91.00
set, one by one      100    6.00      1.00     0.00      5.01     0.00     2.00     14.01
set, at once          36    6.00      1.00     0.00     12.14     0.00     2.00     21.14
set, emptied          36    6.00      1.00     0.00      0.00     5.78     2.00     14.78
multi, first         100    5.00      1.00     0.00     16.33     0.00     2.00     24.33
multi, own           100    5.00      1.00     0.00     16.33     4.00     2.00     28.33
multi, other's       100    5.00      1.00     0.00     16.33    37.00     2.00     61.33
`

// TestBytesPerOperation prints where the bytes of an operation go and fails when
// they change: go test -run TestBytesPerOperation -v ./memo
func TestBytesPerOperation(t *testing.T) {
	got := "\n" + opTable(t, airportOps(t))
	t.Logf("bytes per delta%s", got)
	if diff := cmp.Diff(bytesPerOp, got); diff != "" {
		t.Errorf("bytes per delta, - as it was frozen + as it is:\n%s", diff)
	}
}

type namedOps struct {
	name string
	ds   []Delta
}

func airportOps(t *testing.T) []namedOps {
	records, err := csv.NewReader(strings.NewReader(airports100)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	head, records := records[0], records[1:]
	code, name, state := slices.Index(head, "iata"), slices.Index(head, "name"), slices.Index(head, "state")
	_, bob := testKey("bob")
	base := Base{Time: Next(1_700_000_000_000), Author: bob, ID: Sum(nil)}
	ops := []namedOps{{name: "count"}, {name: "count, cleared"}, {name: "set, one by one"}, {name: "set, at once"}, {name: "set, emptied"}, {name: "multi, first"}, {name: "multi, own"}, {name: "multi, other's"}}
	add := func(i int, d Delta) { ops[i].ds = append(ops[i].ds, d) }
	codes := map[string][]Value{}
	var states []string
	for _, r := range records {
		of := r[state]
		if codes[of] == nil {
			states = append(states, of)
		}
		codes[of] = append(codes[of], mustText(t, r[code]))
		k := uint64(len(codes[of]))
		add(0, Delta{"airports", Counter, Op{Operands: &Count{K: k, Plus: k}}})
		add(1, Delta{"airports", Counter, Op{Operands: &Count{Base: base, K: k, Plus: k}}})
		add(2, Delta{"codes", Set, Op{Operands: &Change{K: k, Add: codes[of][k-1:]}}})
		called := []Value{mustText(t, r[name])}
		add(5, Delta{"name", Multi, Op{Operands: &Change{K: 1, Add: called}}})
		add(6, Delta{"name", Multi, Op{Operands: &Change{K: 2, Add: called, Remove: []Dots{{Ks: []uint64{1}}}}}})
		add(7, Delta{"name", Multi, Op{Operands: &Change{K: 1, Add: called, Remove: []Dots{{Author: bob, Ks: []uint64{1}}}}}})
	}
	for _, of := range states {
		slices.SortFunc(codes[of], Value.Compare)
		var ks []uint64
		for k := range codes[of] {
			ks = append(ks, uint64(k+1))
		}
		add(3, Delta{"codes", Set, Op{Operands: &Change{K: 1, Add: codes[of]}}})
		add(4, Delta{"codes", Set, Op{Operands: &Change{Remove: []Dots{{Ks: ks}}}}})
	}
	return ops
}

// opTable weighs every part of a delta by the format, not by its encoder.
func opTable(t *testing.T, ops []namedOps) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-17s%7s%8s%10s%9s%10s%9s%9s%10s\n", "", "deltas", "field", "k and", "base", "values", "removed", "framing", "sum")
	fmt.Fprintf(&b, "%-17s%7s%8s%10s%9s%14s\n", "", "", "name", "sums", "", "or elements")
	for _, op := range ops {
		var parts [6]int
		total := 0
		for _, d := range op.ds {
			total += size(t, d)
			parts[0] += size(t, Bytes(d.Field))
			parts[5] += 1 + size(t, d.Type)
			switch o := d.Op.Operands.(type) {
			case *Count:
				parts[1] += size(t, o.K) + size(t, o.Plus)
				parts[2] += size(t, o.items(Counter)[0])
			case *Change:
				parts[1] += size(t, o.K)
				for _, v := range o.Add {
					parts[3] += size(t, v)
				}
				if d.Type == Set && o.K > 0 {
					parts[3] += head(len(o.Add))
				}
				if len(o.Remove) > 0 {
					parts[4] += size(t, o.Remove)
				}
			}
		}
		fmt.Fprintf(&b, "%-17s%7d", op.name, len(op.ds))
		sum, n := 0, float64(len(op.ds))
		for i, width := range []int{8, 10, 9, 10, 9, 9} {
			fmt.Fprintf(&b, "%*.2f", width, float64(parts[i])/n)
			sum += parts[i]
		}
		fmt.Fprintf(&b, "%10.2f\n", float64(total)/n)
		if sum != total {
			t.Errorf("%s: the parts have %d bytes, the deltas %d", op.name, sum, total)
		}
	}
	return b.String()
}
