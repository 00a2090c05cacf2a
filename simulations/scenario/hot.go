package scenario

import (
	"fmt"
	"math"
	"time"
)

// Limits of such topics.
const (
	// MaxWriters bounds the writers of a topic: every root keeps a number of each.
	MaxWriters = 256
	// maxUnits bounds the budget, in units a second.
	maxUnits = 1 << 20
)

// Topic is one on which writers offer more than any peer can take in.
type Topic struct {
	Writers int     `toml:"writers"`
	Offered float64 `toml:"offered" unit:"1/s"` // memos a second of all writers together
	// Budget is what a peer can take in, in units a second: a memo attached, a row
	// merged and a block decoded are one each. A writer has twice as much as it writes on top.
	Budget int      `toml:"budget"`
	Write  Duration `toml:"write"`         // how long they write, from the first second on
	Rows   int      `toml:"rows"`          // rows that the memos change, one after the other
	Size   int      `toml:"size" unit:"B"` // bytes of a memo on the wire
	// Hearing is "on", or "off": memos are taken in the order in which they come, and
	// roots with what that leaves.
	Hearing string `toml:"hearing"`
	// Announced is for how many announcements of all peers there is room: each peer has
	// a bit for each, as for each memo. What is announced beyond them is not, and counted.
	Announced int `toml:"announced"`
	// Known is how many peers each takes the space to have; 0: as many as it has.
	Known int `toml:"known"`
}

// Hot has a few writers on a topic.
type Hot struct{ Topic }

func (h *Hot) check(s *Scenario) error {
	return h.fill(s, Topic{Writers: 8, Offered: 48, Budget: 1, Rows: 1})
}

// Funnel has many writers on a topic, each with a row of its own.
type Funnel struct{ Topic }

func (h *Funnel) check(s *Scenario) error {
	return h.fill(s, Topic{Writers: 32, Offered: 96, Budget: 4, Rows: 32})
}

// fill takes from usual what is not there, and checks.
func (h *Topic) fill(s *Scenario, usual Topic) error {
	if h.Writers == 0 {
		h.Writers = usual.Writers
	}
	if h.Offered == 0 {
		h.Offered = usual.Offered
	}
	if h.Budget == 0 {
		h.Budget = usual.Budget
	}
	if h.Write == 0 {
		h.Write = s.Until / 2
	}
	if h.Rows == 0 {
		h.Rows = usual.Rows
	}
	if h.Hearing == "" {
		h.Hearing = "on"
	}
	if h.Announced == 0 {
		h.Announced = 4096
	}
	if h.Known == 0 {
		h.Known = s.Peers
	}
	switch {
	case h.Known < 1:
		return fmt.Errorf("known = %d; give how many peers each takes the space to have, at least 1", h.Known)
	case h.Writers < 1 || h.Writers > min(MaxWriters, s.Peers):
		return fmt.Errorf("writers = %d; give from 1 to %d", h.Writers, min(MaxWriters, s.Peers))
	case !(h.Offered > 0) || h.Memos() > MaxMessages:
		return fmt.Errorf("offered = %v for %v; give more than 0, and at most %d memos in all", h.Offered, time.Duration(h.Write), MaxMessages)
	case h.Budget < 1 || h.Budget > maxUnits:
		return fmt.Errorf("budget = %d; give from 1 to %d units a second", h.Budget, maxUnits)
	case h.Rows < 1 || h.Rows > maxUnits:
		return fmt.Errorf("rows = %d; give from 1 to %d", h.Rows, maxUnits)
	case h.Announced < 1 || h.Announced > MaxMessages:
		return fmt.Errorf("announced = %d; give from 1 to %d", h.Announced, MaxMessages)
	case h.Hearing != "on" && h.Hearing != "off":
		return fmt.Errorf("hearing = %q; give \"on\" or \"off\"", h.Hearing)
	}
	return checkSize(&h.Size)
}

// Memos is how many are written, at most.
func (h *Topic) Memos() int {
	each := math.Ceil(h.Offered * time.Duration(h.Write).Seconds() / float64(h.Writers))
	return int(math.Min(each, MaxMessages)) * h.Writers
}
