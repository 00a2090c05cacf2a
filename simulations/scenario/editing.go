package scenario

import (
	"fmt"
	"time"
)

// Limits of editing: every memo is made, and attached and folded by every device of a
// team, which its context names.
const (
	maxEditors, maxBouts = 100_000, 1000
	maxBoutsInAll        = 200_000
	maxTeam              = 32
)

// Editing has people edit rows over the day of where they are.
type Editing struct {
	Team  int      `toml:"team"`  // devices that share a space
	Bouts int      `toml:"bouts"` // sittings a device and day, on average
	Rows  int      `toml:"rows"`  // of a team
	Reach Duration `toml:"reach"` // mean time until another device has an edit, on top of the latency
	// What share of the teams does what; they need not sum to 1.
	Indecision float64 `toml:"indecision"`
	Swoop      float64 `toml:"swoop"`
	BackToBack float64 `toml:"back_to_back"`
	Single     float64 `toml:"single"`
	// Offline is the share of the sittings, but those of two who answer each other, at a
	// device that is cut off meanwhile: for so long, Away, in the mean.
	Offline *float64 `toml:"offline"`
	Away    Duration `toml:"away"`
	// Rhythm is how much people keep to the hours of the day, from 0, not at all, to 1.
	Rhythm *float64 `toml:"rhythm"`
}

func (e *Editing) check(s *Scenario) error {
	if e.Bouts == 0 {
		e.Bouts = 4
	}
	or(&e.Rows, 40)
	or(&e.Away, Duration(time.Hour))
	if e.Offline == nil {
		some := 0.25
		e.Offline = &some
	}
	or(&e.Team, min(8, s.Peers))
	if e.Reach == 0 {
		e.Reach = Duration(200 * time.Millisecond)
	}
	if e.Indecision+e.Swoop+e.BackToBack+e.Single == 0 {
		e.Indecision, e.Swoop, e.BackToBack, e.Single = 0.25, 0.25, 0.25, 0.25
	}
	if e.Rhythm == nil {
		all := 1.0
		e.Rhythm = &all
	}
	days := time.Duration(s.Until).Hours() / 24
	switch {
	case s.Peers > maxEditors || s.Peers < 2:
		return fmt.Errorf("%d peers; this world makes every memo: give from 2 to %d", s.Peers, maxEditors)
	case e.Bouts < 0 || e.Bouts > maxBouts || float64(e.Bouts*s.Peers)*days > maxBoutsInAll:
		return fmt.Errorf("bouts = %d a day of %d peers; at most %d each and %d in all", e.Bouts, s.Peers, maxBouts, maxBoutsInAll)
	case e.Team < 2 || e.Team > maxTeam || e.Team > s.Peers:
		return fmt.Errorf("team = %d devices of %d; give from 2 to %d", e.Team, s.Peers, maxTeam)
	case e.Rows < swoopRows:
		return fmt.Errorf("rows = %d; at least %d", e.Rows, swoopRows)
	case !(e.Indecision >= 0 && e.Swoop >= 0 && e.BackToBack >= 0 && e.Single >= 0):
		return fmt.Errorf("a behaviour with a negative share")
	case !(*e.Offline >= 0 && *e.Offline <= 1):
		return fmt.Errorf("offline = %v; it is a share from 0 to 1", *e.Offline)
	case !(*e.Rhythm >= 0 && *e.Rhythm <= 1):
		return fmt.Errorf("rhythm = %v; give from 0 to 1", *e.Rhythm)
	}
	return nil
}

// swoopRows are the rows that one swoop touches, at most.
const swoopRows = 8
