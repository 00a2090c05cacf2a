package walfs

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// tailRate is how many records a second BenchmarkTail appends.
const tailRate = 1000

// BenchmarkTail appends 1 KB records at a steady rate and reports how long after
// an append returned the last of all readers had the record.
func BenchmarkTail(b *testing.B) {
	for _, readers := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprintf("%dreaders", readers), func(b *testing.B) { benchTail(b, readers) })
	}
}

// arrival is when a record was appended and when the last reader had it.
type arrival struct {
	appended atomic.Int64 // ns since the start; 0 while Append has not returned
	had      atomic.Int64
}

func benchTail(b *testing.B, readers int) {
	l := mustOpen(b, b.TempDir(), Options{})
	data := make([]byte, 1<<10)
	arrivals := make([]arrival, b.N+1)
	start := time.Now()
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() { tailAll(b, l, arrivals, start) })
	}
	b.ResetTimer()
	begin := time.Since(start)
	for i := 1; i <= b.N; i++ {
		due := begin + time.Duration(i)*time.Second/tailRate
		time.Sleep(due - time.Since(start))
		if _, err := l.Append(None, Record{KindBlock, data}); err != nil {
			b.Error(err)
		}
		arrivals[i].appended.Store(int64(time.Since(start)))
	}
	took := time.Since(start) - begin
	wg.Wait()
	b.StopTimer()
	late := make([]time.Duration, 0, b.N)
	for i := range arrivals[1:] {
		a := &arrivals[i+1]
		late = append(late, time.Duration(max(0, a.had.Load()-a.appended.Load())))
	}
	slices.Sort(late)
	b.ReportMetric(float64(late[len(late)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(late[len(late)*99/100].Microseconds()), "p99-µs")
	b.ReportMetric(float64(b.N)/took.Seconds(), "records/s")
}

// tailAll reads as many records as there are arrivals and notes when it had them.
func tailAll(b *testing.B, l *Log, arrivals []arrival, start time.Time) {
	r, err := l.Reader(Position{})
	if err != nil {
		b.Error(err)
		return
	}
	defer r.Close()
	for n := 1; n < len(arrivals); {
		e, err := r.Next()
		if errors.Is(err, ErrNoNewData) {
			err = r.Wait(b.Context())
		} else if err == nil {
			had, now := &arrivals[e.LSN].had, int64(time.Since(start))
			for was := had.Load(); was < now && !had.CompareAndSwap(was, now); {
				was = had.Load()
			}
			n++
		}
		if err != nil {
			b.Error(err)
			return
		}
	}
}
