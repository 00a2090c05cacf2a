package scenario

import (
	"fmt"
	"time"

	"lightcone/memo"
	"lightcone/simulations/engine"
)

// Limits of worlds that run whole cores.
const (
	// MaxCores bounds their peers, MaxLinks the connections of each.
	MaxCores, MaxLinks = 20_000, 64
	// MaxMemos bounds the memos of such a world, MaxValue the bytes of a memo's value.
	MaxMemos, MaxValue = 1 << 20, 64 << 10
)

// Cores is what the tables of all worlds have that run whole cores.
type Cores struct {
	Links int `toml:"links"`         // connections of each peer, about
	Size  int `toml:"size" unit:"B"` // bytes of a memo's value
}

func (c *Cores) check(s *Scenario) error {
	or(&c.Links, 6)
	or(&c.Size, 100)
	switch {
	case s.Peers < 2 || s.Peers > MaxCores:
		return fmt.Errorf("peers = %d; whole cores run with 2 to %d", s.Peers, MaxCores)
	case c.Links < 2 || c.Links > MaxLinks:
		return fmt.Errorf("links = %d; give from 2 to %d", c.Links, MaxLinks)
	case c.Size < 0 || c.Size > MaxValue:
		return fmt.Errorf("size = %d; give from 1 to %d bytes", c.Size, MaxValue)
	case s.Network.Churn != nil:
		return fmt.Errorf("network.churn: peers of this world do not come and go")
	}
	return nil
}

// Split has peers be in two halves for a while, both of which write, and then meet.
type Split struct {
	Cores
	Memos   int      `toml:"memos"`   // written on each side
	Writers int      `toml:"writers"` // on each side
	Run     int      `toml:"run"`     // memos of a run
	Begin   Duration `toml:"begin"`   // when they part
	Heal    Duration `toml:"heal"`    // when they meet
	Share   float64  `toml:"share"`   // of the peers that are on the one side
}

func (p *Split) check(s *Scenario) error {
	if err := p.Cores.check(s); err != nil {
		return err
	}
	or(&p.Memos, 1000)
	or(&p.Begin, Duration(5*time.Second))
	or(&p.Heal, Duration(15*time.Second))
	or(&p.Writers, 4)
	or(&p.Run, 8)
	or(&p.Share, 0.5)
	if err := within("memos", p.Memos, 1, MaxMemos); err != nil {
		return err
	}
	if err := within("writers", p.Writers, 1, s.Peers); err != nil {
		return err
	}
	if err := within("run", p.Run, 1, memo.MaxRunMemos); err != nil {
		return err
	}
	switch {
	case !(p.Share > 0) || p.Share >= 1:
		return fmt.Errorf("share = %v; it is a share between 0 and 1", p.Share)
	case p.Heal <= p.Begin || p.Heal >= s.Until:
		return fmt.Errorf("begin = %v, heal = %v, until = %v: they come one after the other", time.Duration(p.Begin), time.Duration(p.Heal), time.Duration(s.Until))
	case len(s.Network.Partitions) >= engine.MaxPartitions:
		return fmt.Errorf("%d partitions in [network]; this world adds one more, at most %d", len(s.Network.Partitions), engine.MaxPartitions)
	}
	return nil
}
