package worlds

import (
	"bytes"
	"context"

	"lightcone/memo"
	"lightcone/p2p/gossip"
	"lightcone/simulations/cores"
	"lightcone/simulations/engine"
	"lightcone/simulations/report"
	"lightcone/simulations/scenario"
)

// This file is honest newcomers among peers that lie. A liar runs the same core; what
// its core reads lies.

// liar is the holdings of one.
type liar struct {
	*cores.Shelf
	kind string
}

// claimed is by how much the chains are longer that a liar claims.
const claimed = 1000

// Had is what it says to have.
func (l *liar) Had(id memo.SpaceID) memo.Vector {
	v := l.Shelf.Had(id)
	if l.kind != "claim" {
		return v
	}
	more := v.Clone()
	for m := range v.All() {
		m.Seq += claimed
		m.ID = memo.Sum(m.ID[:])
		more.Set(m)
	}
	return more
}

// HadRoot differs from everybody's, so that others ask.
func (l *liar) HadRoot(id memo.SpaceID) (memo.ID, error) {
	root, err := l.Shelf.HadRoot(id)
	if l.kind == "claim" {
		root = memo.Sum(root[:])
	}
	return root, err
}

// NextRun finds nothing to serve where it withholds.
func (l *liar) NextRun(id memo.SpaceID, a memo.Author, after uint64) (order, last uint64, ok bool, err error) {
	if l.kind == "withhold" {
		return 0, 0, false, nil
	}
	return l.Shelf.NextRun(id, a, after)
}

// Run returns garbage where it lies about that.
func (l *liar) Run(id memo.SpaceID, a memo.Author, last uint64) ([]byte, error) {
	raw, err := l.Shelf.Run(id, a, last)
	if err == nil && l.kind == "garbage" {
		raw = bytes.Clone(raw)
		raw[len(raw)-1] ^= 1 // of the seal
	}
	return raw, err
}

// lies draws whether a peer lies. The writers do not.
func lies(s *scenario.Scenario, p engine.Peer) bool {
	return int(p) >= s.Liars.Writers && drawn(s, p, 0) < s.Liars.Share
}

// comes draws whether an honest peer is a newcomer.
func comes(s *scenario.Scenario, p engine.Peer) bool {
	return int(p) >= s.Liars.Writers && !lies(s, p) && drawn(s, p, 1) < s.Liars.Newcomers
}

func drawn(s *scenario.Scenario, p engine.Peer, n uint32) float64 {
	return engine.Unit(engine.Draw(s.Seed^0x11a5, p, n))
}

// blame counts who was blamed.
type blame struct{ liars, honest int }

func liars(ctx context.Context, s *scenario.Scenario, o Options, r *report.Result) error {
	l, cfg := s.Liars, config(s, o)
	var w *cores.World
	var before spent
	var had []int // bytes of runs that each peer had by then
	var by blame
	cfg.Sample = func(e *engine.Engine, now engine.Time) {
		if now <= ticks(l.Join) {
			before = spentBy(e)
			had = had[:0]
			for x := range w.All {
				had = append(had, x.Shelf.Bytes)
			}
		}
		o.tell(e)
	}
	w, err := cores.New(cores.Config{
		Engine: cfg, Links: l.Links,
		Joins: func(p engine.Peer) engine.Time {
			if comes(s, p) {
				return ticks(l.Join)
			}
			return 0
		},
		Holdings: func(x *cores.Peer) gossip.Holdings {
			if lies(s, x.Number) {
				x.Silent = true
				return &liar{x.Shelf, l.Kind}
			}
			return x.Shelf
		},
		Begin: func(x *cores.Peer) {
			if int(x.Number) < l.Writers {
				x.At(engine.Seconds(0.5), 0)
			}
		},
		Act: func(x *cores.Peer, done uint32) {
			n := min(16, share(l.Memos, l.Writers, int(x.Number))-int(done))
			if n > 0 {
				x.Write(n, l.Size, rows(x, int(done)))
				x.At(engine.Seconds(0.02), done+uint32(n))
			}
		},
		Blames: func(x *cores.Peer, whom engine.Peer) {
			switch {
			case lies(s, x.Number):
			case lies(s, whom):
				by.liars++
			default:
				by.honest++
			}
		},
	})
	if err == nil {
		err = w.Run(ctx)
	}
	if err != nil {
		return err
	}
	reportLiars(r, w, s, spentBy(w.Engine).less(before), had, by)
	return nil
}

func reportLiars(r *report.Result, w *cores.World, s *scenario.Scenario, after spent, before []int, by blame) {
	l := s.Liars
	within, everything := reachable(w, s), union(w, everybody)
	all := union(w, func(x *cores.Peer) bool { return within[x.Number] })
	nhonest, nwithin, equal, lying, came, last := 0, 0, 0, 0, 0, engine.Time(0)
	most, had, served, wrong := 0, 0, 0, 0
	for x := range w.All {
		if lies(s, x.Number) {
			lying++
			served += x.Core.Stats().RunsSent
			continue
		}
		nhonest++
		if believes(x, everything) {
			wrong++
		}
		if !within[x.Number] {
			continue
		}
		nwithin++
		most, had = max(most, x.Shelf.Bytes), had+before[x.Number]
		if x.Shelf.Vector(memo.SpaceID{}).CoversAll(all) {
			equal++
		}
		if comes(s, x.Number) {
			came++
			last = max(last, x.Changed)
		}
	}
	lack := float64(most*nwithin - had)
	way := 2 * firstLatency(s).Seconds()
	r.Facts = append(r.Facts,
		report.Fact{Name: "peers that lie", Value: 100 * float64(lying) / float64(s.Peers), Unit: "%"},
		report.Fact{Name: "honest peers that only liars know", Value: float64(nhonest - nwithin)},
		fact("of the others equal at the end", 100*float64(equal)/float64(nwithin), "%", 100, "one honest link is enough"),
		fact("time to equality", max(0, last.Seconds()-ticks(l.Join).Seconds()), "s", 2*way, "two round trips, if all were honest"),
		fact("bytes since they came", after.bytes/1e6, "MB", lack/1e6, "the runs that those lacked, once"),
		report.Fact{Name: "newcomers that others know", Value: float64(came)},
		report.Fact{Name: "bytes wasted a newcomer", Value: max(0, after.bytes-lack) / 1e3 / max(1, float64(came)), Unit: "kB"},
		report.Fact{Name: "runs that liars served", Value: float64(served)},
		report.Fact{Name: "honest peers that believe a claim", Value: float64(wrong)},
		report.Fact{Name: "blames of liars", Value: float64(by.liars)},
		fact("blames of honest peers", float64(by.honest), "", 0, "nobody honest is blamed"),
		report.Fact{Name: "frames refused", Value: float64(w.Total(cores.Refused))})
	r.Facts = append(r.Facts, sessions(w)...)
	r.Charts = append(r.Charts, catchingUp(w, ticks(l.Join), "they came", func(x *cores.Peer) bool { return comes(s, x.Number) }))
	finishCores(r, w)
}

// believes tells whether a core takes a peer to have memos that nobody has.
func believes(x *cores.Peer, all memo.Vector) (wrong bool) {
	x.Core.Members(x.Shelf.Space(), func(_ gossip.Peer, _ bool, has memo.Vector) {
		wrong = wrong || !all.CoversAll(has)
	})
	return wrong
}

// reachable are the peers of the largest part that links among honest ones make.
func reachable(w *cores.World, s *scenario.Scenario) map[engine.Peer]bool {
	var most map[engine.Peer]bool
	seen := map[engine.Peer]bool{}
	for x := range w.All {
		if lies(s, x.Number) || seen[x.Number] {
			continue
		}
		part := map[engine.Peer]bool{x.Number: true}
		for todo := []engine.Peer{x.Number}; len(todo) > 0; {
			p := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			seen[p] = true
			for to := range w.Peer(p).Links {
				if !lies(s, to.Number) && !part[to.Number] {
					part[to.Number] = true
					todo = append(todo, to.Number)
				}
			}
		}
		if len(part) > len(most) {
			most = part
		}
	}
	return most
}
