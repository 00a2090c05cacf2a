package scenario

import (
	"fmt"
	"strings"

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
			return fmt.Errorf("a table [%s] in a scenario whose world is %q", t.world, s.World)
		}
	}
	if !found {
		return fmt.Errorf("world = %q; give one of %s", s.World, strings.Join(names, ", "))
	}
	if s.Name == "" {
		s.Name = s.World
	}
	if s.Until == 0 {
		return fmt.Errorf("until = 0; say how long to simulate, such as \"10s\"")
	}
	if s.Every == 0 {
		return fmt.Errorf("every = 0: samples at no distance from each other")
	}
	if err := s.Mesh.Params().Validate(); err != nil {
		return fmt.Errorf("[mesh]: %w", err)
	}
	if err := (engine.Config{Peers: s.Peers, Until: engine.Seconds(1), Network: s.Network.Engine()}).Validate(); err != nil {
		return err
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
