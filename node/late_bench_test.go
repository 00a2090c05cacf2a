package node

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// BenchmarkLateJoiner lets a replica join after n single writes and tells when it shows
// the last row on the peer's word, when by its memos, and what went over the wire until
// both were equal. Both ways share the link and the machine.
func BenchmarkLateJoiner(b *testing.B) {
	for _, rate := range []int{1 << 30, 4_000_000} {
		b.Run(fmt.Sprintf("rows=50000/bytes-per-s=%d", rate), func(b *testing.B) {
			a := fullOf(b, 50_000, 100)
			for b.Loop() {
				late := startLinked(b, b.TempDir(), Options{})
				began := time.Now()
				joinOver(b, a, late, rate)
				read := func(r Read) (Row, time.Duration) {
					for {
						row, err := late.space.Session(r).Get(context.Background(), "t", rowName(49_999))
						if err == nil {
							return row, time.Since(began)
						}
						time.Sleep(time.Millisecond)
					}
				}
				row, first := read(Read{Mode: Local, Wait: patience})
				_, memos := read(Read{Wait: -1})
				a.converge(b, late)
				b.ReportMetric(first.Seconds(), "s-first-answer")
				b.ReportMetric(memos.Seconds(), "s-by-memos")
				b.ReportMetric(float64(late.server.Traffic().Received), "B-received")
				b.Logf("the first answer was vouched for: %v", row.VouchedBy == a.id)
				late.stop(b)
			}
		})
	}
}
