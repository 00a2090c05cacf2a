package gossip

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"lightcone/memo"
)

// forkLiars are partners that follow the protocol but for one thing.
var forkLiars = map[string]func(rng *rand.Rand) func(message) []message{
	"garbage fingerprints": func(rng *rand.Rand) func(message) []message {
		return onRangesOf(func(r *runRange) {
			if r.Kind == rangePrint {
				r.Print.Low = rng.Uint64()
			}
		})
	},
	"counts of nothing": func(*rand.Rand) func(message) []message {
		return onRangesOf(func(r *runRange) { r.Print.Count = 0 })
	},
	"heads of runs that are none": func(rng *rand.Rand) func(message) []message {
		return onRangesOf(func(r *runRange) {
			if r.Kind != rangePrint {
				r.Heads = packHeads([]rangeHead{{Seq: 1 + rng.Uint64N(9), ID: memo.ID{byte(rng.Uint32()), byte(rng.Uint32())}}})
			}
		})
	},
	"turns without end": func(*rand.Rand) func(message) []message {
		return func(m message) []message {
			if r, ok := m.(*ranges); ok && len(r.Ranges) == 0 {
				r.Ranges = []runRange{{To: beyondAll, Kind: rangePrint, Print: print{Count: 1 << 40}}}
			}
			return []message{m}
		}
	},
	"a turn without end": func(*rand.Rand) func(message) []message {
		return func(m message) []message {
			r, ok := m.(*ranges)
			if !ok {
				return []message{m}
			}
			r.More = true
			return slices.Repeat([]message{r}, maxRangeFrames+9)
		}
	},
	"branches withheld": func(*rand.Rand) func(message) []message {
		return func(m message) []message {
			if b, ok := m.(*branches); ok {
				clear(b.Runs)
			}
			return []message{m}
		}
	},
	"branches left open": drop(func(m message) bool { _, ok := m.(*branches); return ok }),
	"runs withheld":      drop(func(m message) bool { _, ok := m.(*runs); return ok }),
	"needs left open":    drop(func(m message) bool { _, ok := m.(*need); return ok }),
	"probes left open":   drop(func(m message) bool { _, ok := m.(*probed); return ok }),
	"no done":            drop(func(m message) bool { _, ok := m.(*done); return ok }),
	"nothing in common": func(*rand.Rand) func(message) []message {
		return func(m message) []message {
			if p, ok := m.(*probed); ok {
				for i := range p.IDs {
					p.IDs[i] = memo.ID{7}
				}
			}
			return []message{m}
		}
	},
	"any heads": func(rng *rand.Rand) func(message) []message {
		return func(m message) []message {
			if v, ok := m.(*vec); ok {
				for i := range v.Heads {
					if v.Heads[i].Seq > 0 && rng.IntN(2) == 0 {
						v.Heads[i].ID = memo.ID{byte(1 + rng.IntN(9))}
					}
				}
			}
			return []message{m}
		}
	},
}

func drop(which func(message) bool) func(*rand.Rand) func(message) []message {
	return func(*rand.Rand) func(message) []message {
		return func(m message) []message {
			if which(m) {
				return nil
			}
			return []message{m}
		}
	}
}

func onRangesOf(change func(r *runRange)) func(message) []message {
	return func(m message) []message {
		if r, ok := m.(*ranges); ok {
			for i := range r.Ranges {
				change(&r.Ranges[i])
			}
		}
		return []message{m}
	}
}

// TestLiarsGetNowhere: whatever a partner says, what it costs is bounded, and with an
// honest partner afterwards a replica ends with the union.
func TestLiarsGetNowhere(t *testing.T) {
	for name, liar := range forkLiars {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(1) {
				w := newTangle(2 * seed)
				a, b := w.replicas[0], w.replicas[1]
				say := liar(w.rng)
				w.lie(b, say)
				w.connect(a, b)
				w.run(time.Minute, nil)
				for _, s := range a.core.sessions {
					if age := w.time().Sub(s.begun); age > sessionIdle+time.Second {
						t.Errorf("seed %d: a session of %v", seed, age)
					}
				}
				if a.sent > 4<<20 {
					t.Errorf("seed %d: it sent %d bytes", seed, a.sent)
				}
				w.disconnect(a, b)
				w.lies, w.blamed = nil, nil
				w.run(time.Second, nil)
				w.connect(a, b)
				w.settle(t, "with an honest partner")
			}
		})
	}
}
