package scenario

import (
	"fmt"
	"slices"
	"time"

	"lightcone/memo"
)

// or sets a parameter that the file does not name.
func or[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

// within checks a whole number.
func within(name string, v, least, most int) error {
	if v < least || v > most {
		return fmt.Errorf("%s = %d; give from %d to %d", name, v, least, most)
	}
	return nil
}

// Consolidation has one peer write, all read, and some fold what was written.
type Consolidation struct {
	Cores
	Makers int      `toml:"makers"` // that fold
	Memos  int      `toml:"memos"`  // of a round
	Rounds int      `toml:"rounds"`
	Apart  Duration `toml:"apart"`  // between two rounds
	Within Duration `toml:"within"` // in which the makers fold
}

func (c *Consolidation) check(s *Scenario) error {
	if err := c.Cores.check(s); err != nil {
		return err
	}
	or(&c.Makers, 5)
	or(&c.Rounds, 5)
	or(&c.Apart, Duration(10*time.Second))
	or(&c.Within, Duration(300*time.Millisecond))
	or(&c.Memos, 20)
	if err := within("memos", c.Memos, 1, memo.MaxRunMemos); err != nil {
		return err
	}
	if err := within("rounds", c.Rounds, 1, 1000); err != nil {
		return err
	}
	if c.Apart < 2*c.Within+Duration(5*time.Second) {
		return fmt.Errorf("apart = %v; give at least 5s and twice what the makers take", time.Duration(c.Apart))
	}
	return within("makers", c.Makers, 1, s.Peers)
}

// Late has one peer come when there are memos.
type Late struct {
	Cores
	Memos   int      `toml:"memos"`
	Writers int      `toml:"writers"`
	Join    Duration `toml:"join"` // when it comes
	// By is what the newcomer asks for: "memos", recon alone, or "state", which also
	// fetches the newest root of a neighbour, the row it reads first.
	By string `toml:"by"`
}

func (l *Late) check(s *Scenario) error {
	if err := l.Cores.check(s); err != nil {
		return err
	}
	or(&l.Writers, min(4, s.Peers-1))
	or(&l.Memos, 1000)
	or(&l.Join, Duration(10*time.Second))
	or(&l.By, "memos")
	if l.By != "memos" && l.By != "state" {
		return fmt.Errorf("by = %q; give \"memos\" or \"state\"", l.By)
	}
	if l.Join >= s.Until || l.Join < Duration(5*time.Second) {
		return fmt.Errorf("join = %v; give at least 5s, before the end", time.Duration(l.Join))
	}
	if err := within("memos", l.Memos, 1, MaxMemos); err != nil {
		return err
	}
	return within("writers", l.Writers, 1, s.Peers-1)
}

// Liars has some of the peers lie to those who come late.
type Liars struct {
	Cores
	Share float64 `toml:"share"` // of the peers that lie
	// Kind is what they do: "withhold" serves nothing, "garbage" serves runs that are
	// none, "claim" claims memos that nobody wrote.
	Kind      string   `toml:"kind"`
	Memos     int      `toml:"memos"`
	Writers   int      `toml:"writers"`
	Newcomers float64  `toml:"newcomers"` // share of the honest peers
	Join      Duration `toml:"join"`      // when those come
}

func (l *Liars) check(s *Scenario) error {
	if err := l.Cores.check(s); err != nil {
		return err
	}
	or(&l.Kind, "withhold")
	or(&l.Memos, 1000)
	or(&l.Writers, 2)
	or(&l.Newcomers, 0.25)
	or(&l.Join, Duration(10*time.Second))
	switch {
	case l.Kind != "withhold" && l.Kind != "garbage" && l.Kind != "claim":
		return fmt.Errorf("kind = %q; give \"withhold\", \"garbage\" or \"claim\"", l.Kind)
	case !(l.Share >= 0) || l.Share >= 1:
		return fmt.Errorf("share = %v; it is a share from 0 to below 1", l.Share)
	case !(l.Newcomers > 0) || l.Newcomers > 1:
		return fmt.Errorf("newcomers = %v; it is a share above 0", l.Newcomers)
	case l.Join >= s.Until || l.Join < Duration(5*time.Second):
		return fmt.Errorf("join = %v; give at least 5s, before the end", time.Duration(l.Join))
	}
	if err := within("memos", l.Memos, 1, MaxMemos); err != nil {
		return err
	}
	return within("writers", l.Writers, 1, s.Peers)
}

// Growth has one peer's context grow by what it takes in of others, and fold.
type Growth struct {
	Memos int `toml:"memos"` // that it takes in, of as many authors as there are peers
	Size  int `toml:"size" unit:"B"`
	Rows  int `toml:"rows"` // that they are written to
	// Policy is when it folds: one of Policies, or "all", a context for each of them.
	Policy string  `toml:"policy"`
	Loose  int     `toml:"loose"`
	Rest   int     `toml:"rest"`
	Part   int     `toml:"part"`   // memos of a partial fold
	Chance float64 `toml:"chance"` // of a probabilistic fold, with each memo
	// See is the probability that an author saw the newest memo before it writes.
	See float64 `toml:"see"`
}

// Policies are when a context folds: never, but where it must (Fig. 8); always, with every
// memo (Fig. 2); threshold, all beyond Loose heads (Fig. 7); idle, all every Rest memos;
// partial, beyond Loose heads the densest Part (Fig. 10); probabilistic, the densest Part
// with a Chance (Fig. 10, 14).
var Policies = []string{"never", "always", "threshold", "idle", "partial", "probabilistic"}

func (g *Growth) check(s *Scenario) error {
	or(&g.Memos, 2000)
	or(&g.Size, 100)
	or(&g.Rows, 200)
	or(&g.Policy, "threshold")
	or(&g.Loose, 64)
	or(&g.Rest, 200)
	or(&g.Part, 32)
	or(&g.Chance, 0.05)
	if g.Policy != "all" && !slices.Contains(Policies, g.Policy) {
		return fmt.Errorf("policy = %q; give one of %q, or \"all\"", g.Policy, Policies)
	}
	if !(g.Chance > 0) || g.Chance > 1 {
		return fmt.Errorf("chance = %v; it is a probability above 0", g.Chance)
	}
	if !(g.See >= 0) || g.See > 1 {
		return fmt.Errorf("see = %v; it is a probability", g.See)
	}
	for _, x := range []struct {
		name        string
		v, least, m int
	}{
		{"memos", g.Memos, 1, MaxMemos},
		{"size", g.Size, 1, MaxValue},
		{"rows", g.Rows, 1, MaxMemos},
		{"loose", g.Loose, 1, 256},
		{"rest", g.Rest, 1, MaxMemos},
		{"part", g.Part, 1, MaxMemos},
	} {
		if err := within(x.name, x.v, x.least, x.m); err != nil {
			return err
		}
	}
	return within("peers", s.Peers, 1, MaxCores)
}
