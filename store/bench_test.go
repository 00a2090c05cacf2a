package store

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"lightcone/memo"
	"lightcone/walfs"
)

// batchRuns is how many runs the benchmarks hand to one Attach, as recon does.
const batchRuns = 16

func BenchmarkAttach(b *testing.B) {
	for _, memos := range []int{1, memo.MaxRunMemos} {
		for name, kv := range indexes {
			b.Run(fmt.Sprintf("memos=%d/%s", memos, name), func(b *testing.B) {
				w := newWorld(b, 2)
				for range b.N * batchRuns {
					w.run(1, memos)
				}
				s := open(b, b.TempDir(), Options{KV: kv()})
				s.AddSpace(w.space)
				attach(b, s, w.runs[0])
				b.ResetTimer()
				for i := range b.N {
					attach(b, s, w.runs[1+i*batchRuns:][:batchRuns]...)
				}
				n := float64(b.N * batchRuns * memos)
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/n, "ns/memo")
				b.StopTimer()
				closeStore(b, s)
			})
		}
	}
}

func BenchmarkAppendOwn(b *testing.B) {
	for name, d := range map[string]walfs.Durability{"none": walfs.None, "group": walfs.Group} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b, 1)
			s := open(b, b.TempDir(), Options{})
			seal := w.sign(0, w.genesis())
			appendOwn(b, s, walfs.None, w.runs[0].Memos, &seal)
			seals, memos := make([]*memo.Seal, b.N), make([][]*memo.Memo, b.N)
			for i := range b.N {
				memos[i] = w.next(0, 1)
				if d == walfs.Group || i%memo.MaxRunMemos == memo.MaxRunMemos-1 {
					seal := w.sign(0, memos[i][0])
					seals[i] = &seal
				}
			}
			b.ResetTimer()
			for i := range b.N {
				appendOwn(b, s, d, memos[i], seals[i])
			}
			b.StopTimer()
			closeStore(b, s)
		})
	}
}

// BenchmarkOpen opens a store of 32,768 memos: as closed, and with no index. It
// also tells what the index takes on disk.
func BenchmarkOpen(b *testing.B) {
	const memos = 512 * memo.MaxRunMemos
	w := newWorld(b, 2)
	for range memos / memo.MaxRunMemos {
		w.run(1, memo.MaxRunMemos)
	}
	dir := b.TempDir()
	s := open(b, dir, Options{})
	s.AddSpace(w.space)
	attach(b, s, w.runs...)
	log := s.Size()
	closeStore(b, s)
	for _, rebuild := range []bool{false, true} {
		b.Run(fmt.Sprintf("rebuild=%v", rebuild), func(b *testing.B) {
			for range b.N {
				if rebuild {
					removeIndex(b, dir)
				}
				closeStore(b, open(b, dir, Options{}))
			}
			b.ReportMetric(float64(log)/memos, "log-B/memo")
			b.ReportMetric(float64(sizeOf(b, filepath.Join(dir, "kv")))/memos, "index-B/memo")
		})
	}
}

// BenchmarkMemo reads single memos of foreign runs: the whole run is decoded.
func BenchmarkMemo(b *testing.B) {
	for _, memos := range []int{1, memo.MaxRunMemos} {
		b.Run(fmt.Sprintf("memos=%d", memos), func(b *testing.B) {
			w := newWorld(b, 2)
			w.run(1, memos)
			s := open(b, b.TempDir(), Options{})
			defer closeStore(b, s)
			s.AddSpace(w.space)
			attach(b, s, w.runs...)
			v := s.View()
			b.ResetTimer()
			for range b.N {
				if _, ok, err := v.Memo(w.space, w.author(1), 1); err != nil || !ok {
					b.Fatal(ok, err)
				}
			}
		})
	}
}

func sizeOf(b *testing.B, dir string) (n int64) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		b.Fatal(err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			n += info.Size()
		}
	}
	return n
}
