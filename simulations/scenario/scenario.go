package scenario

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/pelletier/go-toml/v2"

	"lightcone/simulations/engine"
	"lightcone/simulations/mesh"
)

// MaxFile bounds a scenario file.
const MaxFile = 1 << 20

// ErrScenario reports a scenario that cannot be run. Its text says where and why.
var ErrScenario = errors.New("scenario")

// Scenario is one file, defaults filled in.
type Scenario struct {
	Name  string   `toml:"name"`
	About string   `toml:"about,omitempty"`
	World string   `toml:"world"`
	Seed  uint64   `toml:"seed"`
	Peers int      `toml:"peers"`
	Until Duration `toml:"until"`
	Every Duration `toml:"every"` // between samples

	Network Network `toml:"network"`
	Mesh    Mesh    `toml:"mesh"`

	// One table a world; only that of World may be there.
	Flood   *Flood      `toml:"flood,omitempty"`
	Beacons *Beacons    `toml:"beacons,omitempty"`
	Churn   *ChurnWorld `toml:"churn,omitempty"`
	Editing *Editing    `toml:"editing,omitempty"`
	Hot     *Hot        `toml:"hot,omitempty"`
	Funnel  *Funnel     `toml:"funnel,omitempty"`
	Split   *Split      `toml:"partition,omitempty"`
	Late    *Late       `toml:"late,omitempty"`
	Liars   *Liars      `toml:"liars,omitempty"`
	Growth  *Growth     `toml:"context,omitempty"`

	Consolidation *Consolidation `toml:"consolidation,omitempty"`

	Sweep map[string][]any `toml:"sweep,omitempty"`
}

// Duration is a time.Duration written as "250ms".
type Duration time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is no duration; write one like \"250ms\" or \"10s\"", text)
	}
	if v < 0 {
		return fmt.Errorf("%q is negative", text)
	}
	*d = Duration(v)
	return nil
}

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// Network is the table of the links; see engine.Network.
type Network struct {
	Regions    []float64    `toml:"regions,omitempty"`
	Latency    [][]Duration `toml:"latency,omitempty"`
	Jitter     Duration     `toml:"jitter"`
	Loss       float64      `toml:"loss"`
	Resend     Duration     `toml:"resend"`            // after so long what was lost is sent again
	Packet     int          `toml:"packet" unit:"B"`   // bytes of a message that a packet takes; 0: any number
	Uplink     float64      `toml:"uplink" unit:"B/s"` // bytes per second
	Drift      float64      `toml:"drift"`
	Partitions []Partition  `toml:"partition,omitempty"`
	Churn      *Churn       `toml:"churn,omitempty"`
}

// Partition is one of its partitions.
type Partition struct {
	From    Duration `toml:"from"`
	To      Duration `toml:"to"`
	Share   float64  `toml:"share,omitempty"`
	Regions []int    `toml:"regions,omitempty"`
}

// Churn has peers come and go.
type Churn struct {
	Up   Duration `toml:"up"`
	Down Duration `toml:"down"`
	Keep int      `toml:"keep,omitempty"`
}

// Engine returns the network for the engine.
func (n Network) Engine() engine.Network {
	out := engine.Network{
		Regions: n.Regions, Jitter: time.Duration(n.Jitter), Loss: n.Loss, Resend: time.Duration(n.Resend), Packet: n.Packet, Uplink: n.Uplink, Drift: n.Drift,
	}
	for _, row := range n.Latency {
		var line []time.Duration
		for _, d := range row {
			line = append(line, time.Duration(d))
		}
		out.Latency = append(out.Latency, line)
	}
	for _, p := range n.Partitions {
		out.Partitions = append(out.Partitions, engine.Partition{
			From: engine.Ticks(time.Duration(p.From)), To: engine.Ticks(time.Duration(p.To)), Share: p.Share, Regions: p.Regions,
		})
	}
	if n.Churn != nil {
		out.Churn = engine.Churn{Up: time.Duration(n.Churn.Up), Down: time.Duration(n.Churn.Down), Keep: n.Churn.Keep}
	}
	return out
}

// Mesh is the table of gossipsub's parameters; see mesh.Params.
type Mesh struct {
	Degree    int      `toml:"degree"`
	Low       int      `toml:"low"`
	High      int      `toml:"high"`
	Lazy      int      `toml:"lazy"`
	Beats     int      `toml:"beats"`
	Heartbeat Duration `toml:"heartbeat"`
}

// Params returns the parameters for the model.
func (m Mesh) Params() mesh.Params {
	return mesh.Params{D: m.Degree, Low: m.Low, High: m.High, Lazy: m.Lazy, LazyBeats: m.Beats, Heartbeat: time.Duration(m.Heartbeat)}
}

func meshOf(p mesh.Params) Mesh {
	return Mesh{Degree: p.D, Low: p.Low, High: p.High, Lazy: p.Lazy, Beats: p.LazyBeats, Heartbeat: Duration(p.Heartbeat)}
}

// defaults is what a file need not say.
func defaults() Scenario {
	return Scenario{
		Seed: 1, Peers: 10_000, Until: Duration(10 * time.Second), Every: Duration(100 * time.Millisecond),
		Network: Network{Jitter: Duration(5 * time.Millisecond), Packet: engine.DefaultPacket}, Mesh: meshOf(mesh.Production),
	}
}

// Parse reads a scenario, strictly. What is wrong is said with its line.
func Parse(data []byte) (*Scenario, error) {
	if len(data) > MaxFile {
		return nil, fmt.Errorf("%w: a file of %d bytes; at most %d", ErrScenario, len(data), MaxFile)
	}
	s, reason := parse(data)
	if reason != nil {
		return nil, fmt.Errorf("%w: %s%s", ErrScenario, reason.where, reason.text)
	}
	return s, nil
}

func parse(data []byte) (*Scenario, *reason) {
	s := defaults()
	d := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return nil, undecoded(data, err)
	}
	if err := s.fill(); err != nil {
		return nil, impossible(data, err)
	}
	return &s, nil
}

// Encode returns the scenario as a file, defaults filled in.
func (s *Scenario) Encode() ([]byte, error) { return toml.Marshal(s) }
