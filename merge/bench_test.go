package merge_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"lightcone/memo"
	"lightcone/merge"
)

// airport is the delta that an import makes of one line of airports.csv.
func airport(t testing.TB, s merge.Stamp) merge.Row {
	number := func(field string, f float64) memo.Delta {
		v, err := memo.Float(f)
		if err != nil {
			t.Fatal(err)
		}
		return memo.Delta{Field: field, Op: memo.Op{Set: true, Value: v}}
	}
	return delta(t, s, false,
		set("city", "Bay Springs"), set("country", "USA"), number("latitude", 31.95376472),
		number("longitude", -89.23450472), set("name", "Thigpen"), set("state", "MS"))
}

func BenchmarkJoin(b *testing.B) {
	old, new := airport(b, stamp(1, 1)), airport(b, stamp(2, 1))
	concurrent := delta(b, stamp(2, 2), false, set("city", "Elsewhere"), set("zip", "0"))
	for name, c := range map[string][2]merge.Row{
		"new row":    {{}, new},
		"duplicate":  {new, old},
		"overwrite":  {old, new},
		"concurrent": {old, concurrent},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				merge.Join(c[0], c[1])
			}
		})
	}
}

func BenchmarkRowEncode(b *testing.B) {
	row := airport(b, stamp(1, 1))
	b.SetBytes(int64(len(encode(b, row))))
	b.ReportAllocs()
	for b.Loop() {
		encode(b, row)
	}
}

func BenchmarkRowDecode(b *testing.B) {
	enc := encode(b, airport(b, stamp(1, 1)))
	b.SetBytes(int64(len(enc)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := merge.DecodeRow(enc); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBuild(b *testing.B) {
	const entries = 100_000
	sorted := make([]merge.Entry, entries)
	for i := range sorted {
		id := memo.Sum(fmt.Append(nil, i))
		sorted[i] = merge.Entry{Key: fmt.Sprintf("airports\x00%08d", i), Value: append([]byte{0x58, 0x20}, id[:]...)}
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := merge.Build(testParams(), listed(sorted...), nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/entries, "ns/entry")
}

var millionKeys = sync.OnceValue(func() []string {
	return slices.Sorted(slices.Values(randomKeys(7, 1_000_000)))
})

// million is the tree of ANCHORS: a million keys of 24 bytes, values of 38.
var million = sync.OnceValues(func() (memo.ID, blocks) {
	b, keys := blocks{}, millionKeys()
	root, err := merge.Build(testParams(), func(yield func(merge.Entry, error) bool) {
		for _, k := range keys {
			if !yield(merge.Entry{Key: k, Value: value38(k, 0)}, nil) {
				return
			}
		}
	}, b)
	if err != nil {
		panic(err)
	}
	return root, b
})

// value38 returns a byte string of 38 bytes with its head.
func value38(key string, version int) []byte {
	v := append([]byte{0x58, 36, byte(version), byte(version >> 8)}, key...)
	return append(v, make([]byte, 38-len(v))...)
}

// millionBatch makes n changes to the million keys, next to each other or not, to
// values or to keys.
func millionBatch(n int, clustered, fresh bool, version int) []merge.Change {
	keys := millionKeys()
	r := rand.New(rand.NewPCG(uint64(version), 2))
	start, picked := r.IntN(len(keys)-n), map[string][]byte{}
	for i := 0; len(picked) < n; i++ {
		k := keys[start+i%n]
		if !clustered {
			k = keys[r.IntN(len(keys))]
		}
		if fresh {
			k = k[:len(k)-1] + "+"
		}
		picked[k] = value38(k, version)
	}
	return sorted(picked)
}

// BenchmarkApply also prints what a batch reads and writes. The new nodes are not
// kept, so that every batch meets the same tree.
func BenchmarkApply(b *testing.B) {
	const variants = 8
	root, old := million()
	for _, n := range []int{1, 100, 10_000} {
		for _, clustered := range []bool{false, true} {
			for _, fresh := range []bool{false, true} {
				b.Run(fmt.Sprintf("n=%d/clustered=%v/newkeys=%v", n, clustered, fresh), func(b *testing.B) {
					var batches [][]merge.Change
					for v := range variants {
						batches = append(batches, millionBatch(n, clustered, fresh, v+1))
					}
					c := &counting{blocks: old, drop: true}
					b.ReportAllocs()
					for i := 0; b.Loop(); i++ {
						if _, err := merge.Apply(testParams(), c, root, batches[i%variants], c); err != nil {
							b.Fatal(err)
						}
					}
					runs := float64(b.N)
					b.ReportMetric(runs*float64(n)/b.Elapsed().Seconds(), "keys/s")
					b.ReportMetric(float64(c.reads)/runs, "reads/op")
					b.ReportMetric(float64(c.puts)/runs, "nodes/op")
					b.ReportMetric(float64(c.bytes)/runs/float64(n), "B/key")
				})
			}
		}
	}
}

// BenchmarkMerge merges two trees of a million keys, of which each has changed a
// thousand: half of them values, half of them new keys.
func BenchmarkMerge(b *testing.B) {
	root, old := million()
	all := layered{&counting{blocks: blocks{}}, old}
	var ids [2]memo.ID
	for i := range ids {
		id, err := merge.Apply(testParams(), all, root, millionBatch(500, false, false, 2*i), all)
		if err == nil {
			ids[i], err = merge.Apply(testParams(), all, id, millionBatch(500, false, true, 2*i+1), all)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	all.drop, all.reads, all.puts = true, 0, 0
	b.ReportAllocs()
	for b.Loop() {
		if _, err := merge.Merge(testParams(), all, ids[0], ids[1], greater, all); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(all.reads)/float64(b.N), "reads/op")
	b.ReportMetric(float64(all.puts)/float64(b.N), "nodes/op")
}

// BenchmarkGet reads from a tree of a million keys and prints the bytes of a path.
func BenchmarkGet(b *testing.B) {
	root, old := million()
	keys := millionKeys()
	var path, proofs int
	for ; proofs < 1_000; proofs++ {
		f, err := merge.Prove(testParams(), old, root, keys[proofs*7919%len(keys)])
		if err != nil {
			b.Fatal(err)
		}
		for _, node := range f {
			path += len(node)
		}
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, ok, err := merge.Get(testParams(), old, root, keys[i*7919%len(keys)]); err != nil || !ok {
			b.Fatal(ok, err)
		}
	}
	b.ReportMetric(float64(path)/float64(proofs), "path-B")
}

// BenchmarkNestedRow reads a set of 20,000 elements, one a memo, adds one, and does
// to the same row what a row in one block took: decode, join, encode.
func BenchmarkNestedRow(b *testing.B) {
	p, row, made := testParams(), large(20_000, 1, 1), blocks{}
	root := stateOf(b, p, row, made)
	d := delta(b, when(100_000, 1), false, change(b, row, 1, []memo.Value{memo.Int(-1)}, nil))
	one, all := encode(b, d), encode(b, row)
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			rowIn(b, p, made, root)
		}
	})
	b.Run("add one", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			c := &counting{blocks: made, drop: true}
			if _, err := merge.ApplyState(p, c, root, keyed(map[string][]byte{nestKey: one}), c); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("add one to one block", func(b *testing.B) {
		for b.Loop() {
			held, err := merge.DecodeRow(all)
			if err != nil {
				b.Fatal(err)
			}
			encode(b, merge.Join(held, d))
		}
	})
}
