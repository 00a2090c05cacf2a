package projection

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"lightcone/memo"
	"lightcone/merge"
)

// benchRows is the size of the projections read below.
const benchRows = 100_000

// batch is one memo that writes n airport-like rows of seven fields from row
// number first on.
func batch(at memo.Time, first, n int) Change {
	rows := make([]memo.RowEdit, n)
	for i := range rows {
		rows[i].Row = memo.Bytes(fmt.Sprintf("row %08d", first+i))
		for f := range 7 {
			v, err := memo.Text(fmt.Sprintf("value %d of %d", f, first+i))
			if err != nil {
				panic(err)
			}
			d := memo.Delta{Field: fmt.Sprintf("field %d", f), Op: memo.Op{Set: true, Value: v}}
			rows[i].Deltas = append(rows[i].Deltas, d)
		}
	}
	return change(spaceA, at, 1, topic("t", rows...))
}

// filled opens a projection of benchRows rows, in the file or in the memtable.
func filled(b *testing.B, flushed bool) *DB {
	db := open(b, Options{FlushBytes: 1 << 30, FlushInterval: never})
	for lsn := 1; lsn <= benchRows/100; lsn++ {
		must(b, db.Apply(uint64(lsn), []Change{batch(memo.Time(lsn), (lsn-1)*100, 100)}))
	}
	if flushed {
		must(b, db.Flush())
	}
	return db
}

// BenchmarkApply applies edits of 100 rows, 100,000 rows in all and then again:
// first new ones, then known ones, most of them in the file. It ends with a Flush.
func BenchmarkApply(b *testing.B) {
	var all []Change
	for i := range benchRows / 100 {
		all = append(all, batch(memo.Time(i+1), i*100, 100))
	}
	db := open(b, Options{})
	b.ReportAllocs()
	lsn := uint64(0)
	for b.Loop() {
		c := all[lsn%uint64(len(all))]
		lsn++
		c.Stamp.Time = memo.Time(lsn)
		must(b, db.Apply(lsn, []Change{c}))
	}
	must(b, db.Flush())
	b.ReportMetric(float64(lsn*100)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkApplySingle applies edits of one row.
func BenchmarkApplySingle(b *testing.B) {
	db := open(b, Options{})
	c := batch(1, 0, 1)
	b.ReportAllocs()
	for lsn := uint64(1); b.Loop(); lsn++ {
		c.Stamp.Time = memo.Time(lsn)
		c.Edit.Topics[0].Rows[0].Row = memo.Bytes(fmt.Sprintf("row %08d", lsn%benchRows))
		must(b, db.Apply(lsn, []Change{c}))
	}
}

func layersOf(b *testing.B, run func(b *testing.B, s *Snapshot)) {
	for name, flushed := range map[string]bool{"memtable": false, "file": true} {
		b.Run(name, func(b *testing.B) {
			s := snapshot(b, filled(b, flushed))
			defer s.Close()
			b.ReportAllocs()
			b.ResetTimer()
			run(b, s)
		})
	}
}

func BenchmarkGet(b *testing.B) {
	layersOf(b, func(b *testing.B, s *Snapshot) {
		for b.Loop() {
			row := fmt.Sprintf("row %08d", rand.IntN(benchRows))
			if _, live, err := s.Get(spaceA, "t", row); !live || err != nil {
				b.Fatal(live, err)
			}
		}
	})
}

// BenchmarkScan scans all rows.
func BenchmarkScan(b *testing.B) {
	layersOf(b, func(b *testing.B, s *Snapshot) {
		for b.Loop() {
			n := 0
			for _, err := range s.Scan(spaceA, Range{Topic: "t"}) {
				must(b, err)
				n++
			}
			if n != benchRows {
				b.Fatal(n)
			}
		}
		b.ReportMetric(float64(b.N)*benchRows/b.Elapsed().Seconds(), "rows/s")
	})
}

func BenchmarkCount(b *testing.B) {
	layersOf(b, func(b *testing.B, s *Snapshot) {
		for b.Loop() {
			if n, err := s.Count(spaceA, Range{Topic: "t"}); n != benchRows || err != nil {
				b.Fatal(n, err)
			}
		}
	})
}

func BenchmarkDigest(b *testing.B) {
	layersOf(b, func(b *testing.B, s *Snapshot) {
		for b.Loop() {
			if _, err := s.Digest(merge.DefaultParams(spaceA)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkSnapshot(b *testing.B) {
	db := open(b, Options{})
	b.ReportAllocs()
	for b.Loop() {
		snapshot(b, db).Close()
	}
}

// BenchmarkOpen opens, and so checks, a file, and reports its bytes per row.
func BenchmarkOpen(b *testing.B) {
	path := filepath.Join(b.TempDir(), "projection")
	db := mustOpen(b, path, Options{})
	for lsn := 1; lsn <= benchRows/100; lsn++ {
		must(b, db.Apply(uint64(lsn), []Change{batch(memo.Time(lsn), (lsn-1)*100, 100)}))
	}
	must(b, db.Close())
	size := int64(0)
	for b.Loop() {
		db := mustOpen(b, path, Options{})
		size = db.head.Load().base.tx.Size()
		must(b, db.Close())
	}
	b.ReportMetric(float64(size)/benchRows, "B/row")
}
