package scenario

import (
	"fmt"
	"time"
)

// ChurnWorld has peers come and go, by the table of the network, while a few that stay
// write.
type ChurnWorld struct {
	Apart Duration `toml:"apart"`         // between two messages
	Size  int      `toml:"size" unit:"B"` // bytes of a message on the wire
	// Grace is for how long after a message was published a peer must stay to count as
	// one that was there.
	Grace Duration `toml:"grace"`
	// Sync is how often a peer compares what it has with another one, give or take a
	// half; each does so when it comes back, too.
	Sync Duration `toml:"sync"`
}

// Messages returns how many there are: the last so that it can still arrive.
func (c *ChurnWorld) Messages(s *Scenario) int {
	return int((time.Duration(s.Until) - ChurnBegins - time.Duration(c.Grace)) / time.Duration(c.Apart))
}

// ChurnBegins is when the first message is published: the mesh has formed.
const ChurnBegins = 3 * time.Second

func (c *ChurnWorld) check(s *Scenario) error {
	fill := func(d *Duration, v time.Duration) {
		if *d == 0 {
			*d = Duration(v)
		}
	}
	fill(&c.Apart, time.Second)
	fill(&c.Grace, 2*time.Second)
	fill(&c.Sync, 10*time.Second)
	if s.Network.Churn == nil {
		s.Network.Churn = &Churn{Up: Duration(time.Minute), Down: Duration(time.Minute)}
	}
	s.Network.Churn.Keep = max(1, s.Network.Churn.Keep)
	switch n := c.Messages(s); {
	case n < 1 || n > MaxMessages:
		return fmt.Errorf("%d messages; from 1 to %d must fit between %v and until, apart = %v from each other", n, MaxMessages, ChurnBegins, time.Duration(c.Apart))
	case s.Network.Churn.Keep > s.Peers:
		return fmt.Errorf("keep = %d of %d peers", s.Network.Churn.Keep, s.Peers)
	}
	return checkSize(&c.Size)
}
