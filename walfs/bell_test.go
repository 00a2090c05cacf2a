package walfs

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"
)

// TestManySleepers: more readers than an appender wakes itself, and records that
// come faster than they are woken. Everyone gets everything, the last record too.
func TestManySleepers(t *testing.T) {
	const readers, rounds, burst = 20 * fewSleepers, 40, 5
	l := mustOpen(t, t.TempDir(), Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	arrived := make(chan struct{}, readers) // a token for each reader and round
	var wg sync.WaitGroup
	for range readers {
		r, err := l.Reader(Position{})
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			defer r.Close()
			for n := 0; n < rounds*burst; {
				_, err := r.Next()
				if errors.Is(err, ErrNoNewData) {
					err = r.Wait(ctx)
				} else if n++; n%burst == 0 {
					arrived <- struct{}{}
				}
				if err != nil {
					t.Errorf("after %d records: %v", n, err)
					return
				}
			}
		})
	}
	for range rounds {
		for range burst {
			mustAppend(t, l, None, "x")
		}
		for range readers { // nobody appends meanwhile: each must hear of the last record
			select {
			case <-arrived:
			case <-ctx.Done():
				t.Fatal("a reader was not woken")
			}
		}
	}
	wg.Wait()
}

// TestCloseWakesAll: also those whose ring is put off.
func TestCloseWakesAll(t *testing.T) {
	l := mustOpen(t, t.TempDir(), Options{})
	var wg sync.WaitGroup
	for range 5 * fewSleepers {
		r, err := l.Reader(Position{})
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			if err := r.Wait(t.Context()); !errors.Is(err, ErrClosed) {
				t.Errorf("wait while the log is closed: %v", err)
			}
		})
	}
	for l.bell.now.Load() == nil || l.bell.now.Load().sleepers.Load() < 5*fewSleepers {
		runtime.Gosched()
	}
	mustClose(t, l)
	wg.Wait()
}
