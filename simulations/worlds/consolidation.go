package worlds

import (
	"context"

	"lightcone/memo"
	"lightcone/simulations/cores"
	"lightcone/simulations/engine"
	"lightcone/simulations/report"
	"lightcone/simulations/scenario"
)

// This file is Fig. 11: one writer, many readers, some of whom consolidate the same
// edits.

// Timers of a consolidation, each times the rounds.
const (
	writeRound = iota
	foldRound
)

// settleFor is what a round's memos have to reach everybody, before the makers fold.
var settleFor = engine.Seconds(3)

// makers is what they did.
type makers struct {
	blocks int             // that they made
	roots  map[memo.ID]int // how many made each
}

func consolidation(ctx context.Context, s *scenario.Scenario, o Options, r *report.Result) error {
	c, cfg := s.Consolidation, config(s, o)
	did := makers{roots: map[memo.ID]int{}}
	var w *cores.World
	var times, said, silent []float64
	cfg.Sample = func(e *engine.Engine, now engine.Time) {
		a, b, _ := announcements(w)
		times, said, silent = append(times, now.Seconds()), append(said, a), append(silent, b)
		o.tell(e)
	}
	w, err := cores.New(cores.Config{
		Engine: cfg, Links: c.Links,
		Begin: func(x *cores.Peer) {
			for i := range c.Rounds {
				at := engine.Seconds(2) + engine.Time(i)*ticks(c.Apart)
				if x.Number == 0 {
					x.At(at, writeRound)
				}
				if int(x.Number) >= s.Peers-c.Makers {
					x.At(at+settleFor+engine.Time(x.Port().IntN(int(ticks(c.Within))+1)), foldRound)
				}
			}
		},
		Act: func(x *cores.Peer, what uint32) {
			if what == writeRound {
				x.Write(c.Memos, c.Size, rows(x, x.Shelf.Memos))
				return
			}
			id, n := x.Fold()
			did.roots[id]++
			did.blocks += n
		},
	})
	if err == nil {
		err = w.Run(ctx)
	}
	if err != nil {
		return err
	}
	a, b, heard := announcements(w)
	rounds := float64(c.Rounds)
	r.Facts = append(r.Facts,
		fact("different roots a round", float64(len(did.roots))/rounds, "", 1, "a root is a function of the cut, whoever makes it"),
		report.Fact{Name: "makers of a root", Value: float64(c.Rounds*c.Makers) / float64(len(did.roots))},
		report.Fact{Name: "blocks made a round", Value: float64(did.blocks) / rounds},
		fact("blocks stored a round", float64(w.Blocks())/rounds, "", float64(did.blocks)/rounds/float64(c.Makers), "what one maker makes: the others' are the same"),
		fact("announcements a round", a/rounds, "", 1, "Trickle with k = 1 and no delay (RFC 6206): the first silences the others"),
		report.Fact{Name: "suppressed a round", Value: b / rounds},
		fact("announcements that a peer hears a round", heard/rounds/float64(s.Peers), "", a/rounds, "each reaches everybody once"),
		fact("equal at the end", 100*equalShare(w), "%", 100, "every memo arrives everywhere"))
	r.Facts = append(r.Facts, sessions(w)...)
	r.Charts = append(r.Charts, report.Chart{
		Name: "announcements", Title: "Announcements of roots", X: report.Axis{Label: "time", Unit: "s"}, Y: report.Axis{Label: "so far"},
		Curves: []report.Curve{
			{Name: "made", X: times, Y: said},
			{Name: "suppressed", X: times, Y: silent},
			{Name: "one a round", X: times, Y: stairs(times, c), Theory: true},
		},
		Note: "A maker that hears the root of another before its own moment to speak says nothing.",
	})
	finishCores(r, w)
	return nil
}

// stairs counts the rounds whose makers are done.
func stairs(times []float64, c *scenario.Consolidation) []float64 {
	out := make([]float64, len(times))
	for i, t := range times {
		for k := range c.Rounds {
			if t >= (engine.Seconds(2) + engine.Time(k)*ticks(c.Apart) + settleFor + ticks(c.Within)).Seconds() {
				out[i]++
			}
		}
	}
	return out
}

// announcements counts those of all cores: made, suppressed, heard.
func announcements(w *cores.World) (made, suppressed, heard float64) {
	for x := range w.All {
		st := x.Core.Stats().Roots
		made, suppressed, heard = made+float64(st.Announced), suppressed+float64(st.Suppressed), heard+float64(st.Heard)
	}
	return made, suppressed, heard
}
