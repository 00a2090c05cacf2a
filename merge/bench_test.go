package merge_test

import (
	"fmt"
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

func BenchmarkGet(b *testing.B) {
	keys := sequentialKeys(100_000)
	root, blocks := build(b, testParams(), valued(keys))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, ok, err := merge.Get(testParams(), blocks, root, keys[i*7919%len(keys)]); err != nil || !ok {
			b.Fatal(ok, err)
		}
	}
}
