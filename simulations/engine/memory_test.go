package engine

import (
	"testing"
	"time"
)

// TestNoChunkIsLost: whenever a run is stopped, also in the middle of a day, every chunk
// there is lies in one list or is free, and no shard holds what a worker lent to it.
func TestNoChunkIsLost(t *testing.T) {
	for _, workers := range []int{1, 3} {
		most := 0
		cfg := Config{Peers: 5000, Seed: 7, Until: Seconds(1), Network: rough, Workers: workers, SampleEvery: Ticks(37 * time.Millisecond)}
		cfg.Sample = func(e *Engine, now Time) {
			all := map[*chunk]bool{}
			walk := func(c *chunk) {
				for ; c != nil; c = c.next {
					if all[c] {
						t.Fatalf("at %d a chunk is in two places", now)
					}
					all[c] = true
				}
			}
			for _, s := range e.shards {
				for turn := range s.out {
					for _, l := range s.out[turn] {
						walk(l.head)
					}
				}
				for level := range s.wheel.rings {
					for _, l := range s.wheel.rings[level] {
						walk(l.head)
					}
				}
				for _, l := range s.wheel.today.late {
					walk(l.head)
				}
				walk(s.wheel.today.rest.head)
				if s.wheel.today.sorted != nil {
					t.Fatalf("at %d a shard holds the events of its day in memory of a worker", now)
				}
			}
			for _, m := range e.lent {
				walk(m.free.top)
				walk(m.spare.top)
			}
			for _, b := range e.lent[0].depot.full {
				walk(b.top)
			}
			if made := e.lent[0].depot.made * batchChunks; len(all) != made {
				t.Fatalf("at %d there are %d chunks of %d that were made", now, len(all), made)
			}
			most = max(most, len(all))
		}
		run(t, cfg, newFlood)
		if most < 10*batchChunks {
			t.Errorf("%d workers: only %d chunks; the test shows nothing", workers, most)
		}
	}
}

// TestDayIsCut: what is left of a day that a sample cuts comes at its time, also where
// nothing else is under way.
func TestDayIsCut(t *testing.T) {
	const timers = 100
	for _, every := range []Time{1, 7, 64, 1000} {
		var came []Time
		a := &acts{start: func(p *Port) {
			for i := range Time(timers) {
				p.After(200+i, note, 0)
			}
		}, step: func(p *Port, _ Event) { came = append(came, p.Now()) }}
		run(t, Config{Peers: 1, Until: Seconds(1), Workers: 1, SampleEvery: every, Sample: func(*Engine, Time) {}}, a.each)
		for i, at := range came {
			if at != 200+Time(i) {
				t.Fatalf("samples every %d: timer %d comes at %d", every, i, at)
			}
		}
		if len(came) != timers {
			t.Errorf("samples every %d: %d timers came, of %d", every, len(came), timers)
		}
	}
}
