package merge_test

import (
	"fmt"
	"testing"

	"lightcone/memo"
	"lightcone/merge"
)

// nestCost is what a change of a nested row took.
type nestCost struct{ changes, puts, bytes, mostPuts, mostBytes int }

func (n *nestCost) add(c *counting) {
	n.changes, n.puts, n.bytes = n.changes+1, n.puts+c.puts, n.bytes+c.bytes
	n.mostPuts, n.mostBytes = max(n.mostPuts, c.puts), max(n.mostBytes, c.bytes)
}

// One element more, or one less, of a set of 20,000, and one field of 10,000: the
// pieces it is in, the way up in the row's tree, and the leaf of the state tree,
// never the row.
func TestOneChangeOfANestedRowIsLocal(t *testing.T) {
	const steps = 8
	p := testParams()
	elements := func(i int) []memo.Value { return []memo.Value{memo.Int(int64(i))} }
	added := func(row merge.Row, i int) memo.Delta { return change(t, row, 1, elements(1_000_000+i), nil) }
	removed := func(row merge.Row, i int) memo.Delta { return change(t, row, 1, nil, elements(i*331)) }
	for _, c := range []struct {
		name string
		row  merge.Row
		next func(row merge.Row, i int) memo.Delta
	}{
		{"an element added to 20,000, one a memo", large(20_000, 1, 1), added},
		{"an element added to 20,000, by 3 authors", large(20_000, 3, 1), added},
		{"an element added to 20,000, 4,000 a memo", large(20_000, 1, 4_000), added},
		{"an element removed from 20,000, one a memo", large(20_000, 1, 1), removed},
		{"an element removed from 20,000, 4,000 a memo", large(20_000, 1, 4_000), removed},
		{"a field written among 10,000", wide(t, 10_000), func(_ merge.Row, i int) memo.Delta {
			return set(fmt.Sprintf("field%05d", i*1201), "another value")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := blocks{}
			row, root := c.row, stateOf(t, p, c.row, b)
			whole := len(encode(t, row))
			_, tree, _ := head(t, p, b, root)
			h := len(prove(t, p, b, tree, "\xff"))
			var cost nestCost
			for i := range steps {
				d := delta(t, when(100_000+i, 1), false, c.next(row, i))
				row = merge.Join(row, d)
				count := &counting{blocks: b}
				var err error
				if root, err = merge.ApplyState(p, count, root, keyed(map[string][]byte{nestKey: encode(t, d)}), count); err != nil {
					t.Fatal(err)
				}
				cost.add(count)
			}
			if want := stateOf(t, p, row, nil); root != want {
				t.Fatalf("applied %s, built %s", root, want)
			}
			t.Logf("a state of %d bytes, height %d: %.1f blocks and %d bytes put on average, %d and %d at worst", whole, h,
				float64(cost.puts)/steps, cost.bytes/steps, cost.mostPuts, cost.mostBytes)
			// Its author's entry, which all changes touch, and its own piece; each may be cut
			// in two, which may move a boundary.
			if most := 2*h + 2*2 + 2; cost.mostPuts > most || cost.mostBytes > whole/10 {
				t.Errorf("one change put %d blocks, the bound is %d, and %d bytes of %d", cost.mostPuts, most, cost.mostBytes, whole)
			}
		})
	}
}

// Two versions of a nested row are merged at the cost of what differs.
func TestMergeOfNestedRowsIsLocal(t *testing.T) {
	p := testParams()
	row := large(20_000, 1, 1)
	for _, k := range []int{1, 30} {
		b := blocks{}
		version := func(author int) (merge.Row, memo.ID) {
			out := row
			for i := range k {
				// an element of its own, and one of the old ones removed by both authors or one
				d := change(t, out, author, []memo.Value{memo.Int(int64(1_000_000*author + i))}, []memo.Value{memo.Int(int64(i * 200 * author))})
				out = merge.Join(out, delta(t, when(100_000+i, author), false, d))
			}
			return out, stateOf(t, p, out, b)
		}
		one, a := version(1)
		two, c := version(2)
		_, x, _ := head(t, p, b, a)
		_, y, _ := head(t, p, b, c)
		changed := len(differences(t, p, b, x, y))
		h := len(prove(t, p, b, x, "\xff"))
		for _, ids := range [][2]memo.ID{{a, c}, {c, a}} {
			count := &counting{blocks: b, drop: true}
			got, err := merge.MergeState(p, count, ids[0], ids[1], count)
			if want := stateOf(t, p, merge.Join(one, two), nil); err != nil || got != want {
				t.Fatalf("merged %s, built %s: %v", got, want, err)
			}
			t.Logf("%d changes each, %d pieces differ, height %d: %d blocks and %d bytes put", k, changed, h, count.puts, count.bytes)
			if most := changed*(h+1) + 2*h + 2; count.puts > most {
				t.Errorf("%d blocks put, the bound is %d", count.puts, most)
			}
		}
	}
}
