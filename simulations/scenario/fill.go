package scenario

import (
	"fmt"
	"strings"
	"time"

	"lightcone/simulations/engine"
)

// MaxMessages bounds the messages of a world: each peer remembers which it has seen.
const MaxMessages = 1 << 16

// params is the table of one world.
type params interface {
	// check reports what cannot be simulated, and fills in what is not there.
	check(s *Scenario) error
}

// table is a world and where its table is.
type table struct {
	world string
	about string
	of    func(s *Scenario) (p params, there bool) // makes it if it is not there
}

// tables are the worlds there are.
var tables = []table{
	{"flood", "messages through the mesh, heard by everybody", func(s *Scenario) (params, bool) { return ensure(&s.Flood) }},
	{"beacons", "how often all beacons together ping", func(s *Scenario) (params, bool) { return ensure(&s.Beacons) }},
	{"hot", "a topic on which more is offered than any peer can take in", func(s *Scenario) (params, bool) { return ensure(&s.Hot) }},
	{"funnel", "many writers on a topic, whose roots are merged in a funnel (Fig. 12)", func(s *Scenario) (params, bool) { return ensure(&s.Funnel) }},
	{"partition", "two halves that write apart and then meet: whole cores", func(s *Scenario) (params, bool) { return ensure(&s.Split) }},
	{"consolidation", "some of many readers fold the same edits (Fig. 11): whole cores", func(s *Scenario) (params, bool) { return ensure(&s.Consolidation) }},
	{"late", "one peer comes late: whole cores", func(s *Scenario) (params, bool) { return ensure(&s.Late) }},
	{"liars", "newcomers among peers that lie: whole cores", func(s *Scenario) (params, bool) { return ensure(&s.Liars) }},
	{"context", "how a query context grows and folds", func(s *Scenario) (params, bool) { return ensure(&s.Growth) }},
	{"churn", "messages while peers come and go", func(s *Scenario) (params, bool) { return ensure(&s.Churn) }},
	{"editing", "how people edit rows over a day", func(s *Scenario) (params, bool) { return ensure(&s.Editing) }},
}

// ensure returns the table at p, an empty one if there was none.
func ensure[T any, P interface {
	*T
	params
}](p **T) (params, bool) {
	there := *p != nil
	if !there {
		*p = new(T)
	}
	return P(*p), there
}

// Worlds yields the worlds and what each is about.
func Worlds(yield func(name, about string) bool) {
	for _, t := range tables {
		if !yield(t.world, t.about) {
			return
		}
	}
}

// fill checks a scenario and fills in what its world needs.
func (s *Scenario) fill() error {
	var names []string
	found := false
	for _, t := range tables {
		names = append(names, t.world)
		if t.world == s.World {
			found = true
			continue
		}
		probe := *s
		if _, there := t.of(&probe); there {
			return fmt.Errorf("[%s]: a table in a scenario whose world is %q; leave it out, or write world = %q", t.world, s.World, t.world)
		}
	}
	if !found {
		return fmt.Errorf("world = %q; give one of %s", s.World, strings.Join(names, ", "))
	}
	if s.Name == "" {
		s.Name = s.World
	}
	if err := s.checkTimes(); err != nil {
		return err
	}
	if s.Peers < 1 || s.Peers > engine.MaxPeers {
		return fmt.Errorf("peers = %d; give from 1 to %d", s.Peers, engine.MaxPeers)
	}
	if err := s.Mesh.Params().Validate(); err != nil {
		return fmt.Errorf("[mesh]: %w", err)
	}
	if err := s.Network.Engine().Validate(); err != nil {
		return fmt.Errorf("[network]: %w", err)
	}
	for _, t := range tables {
		if t.world == s.World {
			p, _ := t.of(s)
			if err := p.check(s); err != nil {
				return fmt.Errorf("[%s]: %w", t.world, err)
			}
		}
	}
	return nil
}

// MaxSamples bounds the samples of a run: each is a point of its charts.
const MaxSamples = 1_000_000

// checkTimes checks how long a run is, and how often it is looked at.
func (s *Scenario) checkTimes() error {
	until, every := time.Duration(s.Until), time.Duration(s.Every)
	switch {
	case until < engine.Resolution || until >= engine.End.Duration():
		return fmt.Errorf("until = %v; say how long to simulate, such as \"10s\": from %v to %v", until, engine.Resolution, engine.End.Duration())
	case every < engine.Resolution || every >= engine.End.Duration():
		return fmt.Errorf("every = %v; the distance of samples is from %v to %v", every, engine.Resolution, engine.End.Duration())
	case until/every > MaxSamples:
		return fmt.Errorf("every = %v; more than %d samples until %v; give a longer one", every, MaxSamples, until)
	}
	return nil
}
