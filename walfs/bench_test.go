package walfs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// sizes of the records the benchmarks append.
var sizes = []int{128, 1 << 10, 4 << 10}

func each(b *testing.B, f func(b *testing.B, data []byte)) {
	for _, n := range sizes {
		b.Run(fmt.Sprintf("%dB", n), func(b *testing.B) {
			b.SetBytes(int64(n))
			b.ReportAllocs()
			f(b, make([]byte, n))
		})
	}
}

// BenchmarkBarePwrite is what BenchmarkAppendNone is held against: the same bytes
// into preallocated files of the same size, each synced once when it is full.
func BenchmarkBarePwrite(b *testing.B) {
	each(b, func(b *testing.B, data []byte) {
		f := &bare{b: b, dir: b.TempDir()}
		for b.Loop() {
			f.write(data)
		}
		b.StopTimer()
		f.f.Close()
	})
}

// BenchmarkBareSync is what BenchmarkAppendEach is held against: a write and a
// sync of its own for each record.
func BenchmarkBareSync(b *testing.B) {
	each(b, func(b *testing.B, data []byte) {
		f := &bare{b: b, dir: b.TempDir()}
		for b.Loop() {
			f.write(data)
			f.sync()
		}
		b.StopTimer()
		f.f.Close()
	})
}

// bare writes to files without any log around it.
type bare struct {
	b   *testing.B
	dir string
	f   File
	n   int
	off int64
}

func (w *bare) write(data []byte) {
	if w.f == nil || w.off+int64(len(data)) > DefaultSegmentSize {
		w.rotate()
	}
	if _, err := w.f.WriteAt(data, w.off); err != nil {
		w.b.Fatal(err)
	}
	w.off += int64(len(data))
}

func (w *bare) rotate() {
	if w.f != nil {
		w.sync()
		w.f.Close()
	}
	var err error
	if w.f, err = OS.Create(filepath.Join(w.dir, fmt.Sprint(w.n))); err == nil {
		err = w.f.Allocate(DefaultSegmentSize)
	}
	if err != nil {
		w.b.Fatal(err)
	}
	w.n, w.off = w.n+1, 0
}

func (w *bare) sync() {
	if err := w.f.Sync(); err != nil {
		w.b.Fatal(err)
	}
}

// BenchmarkAppendNone includes the rotations, which sync.
func BenchmarkAppendNone(b *testing.B) { benchAppend(b, None) }

func BenchmarkAppendEach(b *testing.B) { benchAppend(b, Each) }

// benchAppend appends from one goroutine.
func benchAppend(b *testing.B, d Durability) {
	each(b, func(b *testing.B, data []byte) {
		dir := b.TempDir()
		l := mustOpen(b, dir, Options{})
		for b.Loop() {
			if _, err := l.Append(d, Record{KindBlock, data}); err != nil {
				b.Fatal(err)
			}
		}
		b.StopTimer()
		forget(b, l, dir)
	})
}

// BenchmarkAppendBatch appends 64 records at once; the time is per batch.
func BenchmarkAppendBatch(b *testing.B) {
	l := mustOpen(b, b.TempDir(), Options{})
	batch := make([]Record, 64)
	for i := range batch {
		batch[i] = Record{KindBlock, make([]byte, 1<<10)}
	}
	b.SetBytes(64 << 10)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Append(None, batch...); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkWriters appends 1 KB from many goroutines at once, and reports how
// many records a write and a sync serve.
func BenchmarkWriters(b *testing.B) {
	for _, d := range []Durability{None, Interval(50 * time.Millisecond), Group, Each} {
		for _, writers := range []int{1, 16, 64, 256} {
			b.Run(fmt.Sprintf("%v/%d", d, writers), func(b *testing.B) { benchWriters(b, d, writers) })
		}
	}
}

func benchWriters(b *testing.B, d Durability, writers int) {
	var syncs, writes atomic.Int64
	o := Options{FS: hookFS{OS, func(op, _ string) error {
		switch op {
		case "sync":
			syncs.Add(1)
		case "write":
			writes.Add(1)
		}
		return nil
	}}}
	dir := b.TempDir()
	l := mustOpen(b, dir, o)
	data := make([]byte, 1<<10)
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	b.SetBytes(1 << 10)
	b.ReportAllocs()
	b.ResetTimer()
	syncs.Store(0)
	writes.Store(0)
	for range writers {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if _, err := l.Append(d, Record{KindBlock, data}); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/float64(writes.Load()), "records/write")
	if n := syncs.Load(); n > 0 {
		b.ReportMetric(float64(b.N)/float64(n), "records/sync")
	}
	forget(b, l, dir)
}

// filled makes a log of n records of 1 KB.
func filled(b *testing.B, n int) (dir string, l *Log) {
	dir = b.TempDir()
	l = mustOpen(b, dir, Options{})
	batch := make([]Record, 100)
	for i := range batch {
		batch[i] = Record{KindBlock, make([]byte, 1<<10)}
	}
	for range n / len(batch) {
		if _, err := l.Append(None, batch...); err != nil {
			b.Fatal(err)
		}
	}
	return dir, l
}

func BenchmarkReadSequential(b *testing.B) {
	_, l := filled(b, 50_000)
	r, err := l.Reader(Position{})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(1 << 10)
	b.ReportAllocs()
	for b.Loop() {
		_, err := r.Next()
		if errors.Is(err, ErrNoNewData) {
			r.Close()
			r, err = l.Reader(Position{})
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	r.Close()
}

func BenchmarkReadAt(b *testing.B) {
	_, l := filled(b, 10_000)
	var at []Position
	for lsn := LSN(1); lsn <= l.Last(); lsn += 97 {
		p, err := l.Seek(lsn)
		if err != nil {
			b.Fatal(err)
		}
		at = append(at, p)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := l.ReadAt(at[i*31%len(at)]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSeek(b *testing.B) {
	_, l := filled(b, 10_000)
	b.ReportAllocs()
	for i := LSN(0); b.Loop(); i++ {
		if _, err := l.Seek(i*4973%l.Last() + 1); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpen opens 100,000 records of 1 KB, checking every one.
func BenchmarkOpen(b *testing.B) {
	dir, l := filled(b, 100_000)
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		l, err := Open(dir, Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := l.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// forget frees the disk before the next benchmark fills it.
func forget(b *testing.B, l *Log, dir string) {
	if err := errors.Join(l.Close(), os.RemoveAll(dir)); err != nil {
		b.Fatal(err)
	}
}
