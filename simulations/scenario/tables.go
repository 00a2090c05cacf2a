package scenario

import (
	"fmt"
	"time"

	"lightcone/memo"
	"lightcone/simulations/engine"
)

// MaxFanout bounds the peers that a message is pushed to by each.
const MaxFanout = 64

// Flood has writers publish messages, a few, which all peers hear.
type Flood struct {
	Messages int      `toml:"messages"`
	Size     int      `toml:"size" unit:"B"` // bytes of a message on the wire
	Apart    Duration `toml:"apart"`         // between two messages
	// Spread is how a message goes on: "mesh", to a peer's links; "push", to Fanout peers
	// drawn anew by whoever gets it first, once; "push-rounds", by whoever has it in every
	// round; "push-pull", by everybody in every round: who has it tells, who lacks it asks.
	Spread string   `toml:"spread"`
	Fanout int      `toml:"fanout"`
	Relay  float64  `toml:"relay"` // the share of peers that push it on
	Round  Duration `toml:"round"` // between two calls of a peer, in rounds
	// Age is for how many rounds a message is passed on, 0: somewhat longer than theory
	// says that it takes.
	Age int `toml:"age"`
}

// Rounds reports whether messages spread by rounds.
func (f *Flood) Rounds() bool { return f.Spread == "push-rounds" || f.Spread == "push-pull" }

// MaxAge bounds the rounds of a message, minRound their length.
const MaxAge, minRound = 250, 10 * time.Millisecond

func (f *Flood) check(s *Scenario) error {
	if f.Messages == 0 {
		f.Messages = 1
	}
	if f.Spread == "" {
		f.Spread = "mesh"
	}
	or(&f.Relay, 1)
	switch {
	case f.Rounds():
		or(&f.Fanout, 1)
		or(&f.Round, Duration(500*time.Millisecond))
		if err := f.checkRounds(s); err != nil {
			return err
		}
	case f.Spread == "mesh" || f.Spread == "push":
		or(&f.Fanout, 6)
	default:
		return fmt.Errorf("spread = %q; give \"mesh\", \"push\", \"push-rounds\" or \"push-pull\"", f.Spread)
	}
	if f.Fanout < 0 || f.Fanout > MaxFanout {
		return fmt.Errorf("fanout = %d; give from 1 to %d", f.Fanout, MaxFanout)
	}
	if f.Relay < 0 || f.Relay > 1 {
		return fmt.Errorf("relay = %v; it is a share from 0 to 1", f.Relay)
	}
	if f.Messages < 0 || f.Messages > MaxMessages {
		return fmt.Errorf("messages = %d; give from 1 to %d", f.Messages, MaxMessages)
	}
	return checkSize(&f.Size)
}

// checkRounds checks what goes by rounds: a call and its answer are of one round.
func (f *Flood) checkRounds(s *Scenario) error {
	way := engine.DefaultLatency
	for _, row := range s.Network.Latency {
		for _, d := range row {
			way = max(way, time.Duration(d))
		}
	}
	if len(s.Network.Latency) == 1 {
		way = time.Duration(s.Network.Latency[0][0])
	}
	switch round := time.Duration(f.Round); {
	case round < minRound || round < 2*way:
		return fmt.Errorf("round = %v; give at least %v: a call and its answer are of one round", round, max(minRound, 2*way))
	case f.Age < 0 || f.Age > MaxAge:
		return fmt.Errorf("age = %d; give from 1 to %d rounds, or 0", f.Age, MaxAge)
	case f.Relay != 1:
		return fmt.Errorf("relay = %v; in rounds everybody passes a message on", f.Relay)
	case s.Peers < 2:
		return fmt.Errorf("peers = %d; in rounds one calls another", s.Peers)
	case s.Network.Churn != nil:
		return fmt.Errorf("network.churn: in rounds peers do not come and go")
	}
	return nil
}

// runSize is what a run of one memo of 100 B takes on the wire, see p2p/mesh.go; maxSize
// bounds messages.
const runSize, maxSize = 412, 1 << 20

// checkSize checks the size of messages, and fills it in.
func checkSize(size *int) error {
	if *size == 0 {
		*size = runSize
	}
	if *size < 1 || *size > maxSize {
		return fmt.Errorf("size = %d; give from 1 to %d bytes", *size, maxSize)
	}
	return nil
}

// Beacons has every peer ping, as often as a rule says.
type Beacons struct {
	Target float64 `toml:"target" unit:"1/s"` // ρ, pings a second of all together
	// Rule is "controller", that of package beacon, or "inverse": ρ by the number of
	// beacons heard of within a minute, as the seed of the design had it.
	Rule string `toml:"rule"`
	Idle bool   `toml:"idle"` // nothing is written: pings at the idle floor alone
}

func (b *Beacons) check(s *Scenario) error {
	if b.Target == 0 {
		b.Target = memo.DefaultRho
	}
	if b.Rule == "" {
		b.Rule = "controller"
	}
	switch {
	case !(b.Target > 0) || b.Target > maxTarget:
		return fmt.Errorf("target = %v; give more than 0, at most %d pings a second", b.Target, maxTarget)
	case b.Rule != "controller" && b.Rule != "inverse":
		return fmt.Errorf("rule = %q; give \"controller\" or \"inverse\"", b.Rule)
	case b.Rule == "inverse" && b.Idle:
		return fmt.Errorf("idle = true: the inverse rule does not know of news")
	case time.Duration(s.Every) > time.Second || time.Second%time.Duration(s.Every) != 0:
		return fmt.Errorf("every = %v; a part of a second without remainder, such as \"100ms\"", time.Duration(s.Every))
	}
	return nil
}

// maxTarget bounds ρ.
const maxTarget = 1000
