package scenario

import "fmt"

// MaxFanout bounds the peers that a message is pushed to by each.
const MaxFanout = 64

// Flood has writers publish messages, a few, which all peers hear.
type Flood struct {
	Messages int      `toml:"messages"`
	Size     int      `toml:"size"`  // bytes of a message on the wire
	Apart    Duration `toml:"apart"` // between two messages
	// Spread is how a message goes on: "mesh", to a peer's links, or "push", to Fanout
	// peers drawn anew by whoever gets it first.
	Spread string  `toml:"spread"`
	Fanout int     `toml:"fanout"`
	Relay  float64 `toml:"relay"` // the share of peers that pass a message on
}

func (f *Flood) check(*Scenario) error {
	if f.Messages == 0 {
		f.Messages = 1
	}
	if f.Size == 0 {
		f.Size = 412 // a run of one memo of 100 B, see p2p/mesh.go
	}
	if f.Spread == "" {
		f.Spread = "mesh"
	}
	if f.Fanout == 0 {
		f.Fanout = 6
	}
	if f.Relay == 0 {
		f.Relay = 1
	}
	if f.Spread != "mesh" && f.Spread != "push" {
		return fmt.Errorf("spread = %q; give \"mesh\" or \"push\"", f.Spread)
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
	if f.Size < 0 || f.Size > 1<<20 {
		return fmt.Errorf("size = %d; give from 1 to %d bytes", f.Size, 1<<20)
	}
	return nil
}
