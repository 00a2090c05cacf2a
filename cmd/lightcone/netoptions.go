package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/pflag"

	"lightcone/p2p"
)

// networkFile remembers how a node took part in the network the last time, so that
// `up` needs its flags once. It is JSON and may be written by hand.
const networkFile = "network.json"

// listenNone stands for no address at all in --listen.
const listenNone = "none"

// netOptions says how a node takes part in the network.
type netOptions struct {
	Listen     []string `json:"-"` // listenFile remembers it
	Peers      []string `json:"peers,omitempty"`
	Bootstrap  []string `json:"bootstrap,omitempty"`
	Rendezvous bool     `json:"rendezvous,omitempty"`
	Relay      bool     `json:"relay,omitempty"`
	Budget     int      `json:"budget,omitempty"`
	MemosOnly  bool     `json:"memosOnly,omitempty"`
}

// flags adds the flags to a command.
func (o *netOptions) flags(f *pflag.FlagSet) {
	f.StringArrayVar(&o.Listen, "listen", nil, "multiaddr to listen on, or none (repeatable; default as the last time, at first every interface over QUIC and TCP)")
	f.StringArrayVar(&o.Peers, "peer", nil, "multiaddr with /p2p/ID of a peer to stay connected with (repeatable; remembered)")
	f.StringArrayVar(&o.Bootstrap, "bootstrap", nil, "multiaddr with /p2p/ID of a peer of the rendezvous, by which members find each other (repeatable; remembered)")
	f.BoolVar(&o.Rendezvous, "rendezvous", false, "take part in the rendezvous without --bootstrap, to be a peer for others to start from (remembered)")
	f.BoolVar(&o.Relay, "relay", false, "relay between peers that cannot reach each other, within limits (remembered)")
	f.IntVar(&o.Budget, "budget", 0, "take in at most so many memos, rows and blocks of others a second; 0: no bound but what this machine manages (remembered)")
	f.BoolVar(&o.MemosOnly, "memos-only", false, "never fetch the state of a peer that is far ahead, beside its memos: fewer bytes, later first answers (remembered)")
}

// recall takes what no flag says from what the last start remembered.
func (o *netOptions) recall(dir string, f *pflag.FlagSet) error {
	path := filepath.Join(dir, networkFile)
	var was netOptions
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, &was)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read %s: %w; mend or remove it", path, err)
	}
	if !f.Changed("peer") {
		o.Peers = was.Peers
	}
	if !f.Changed("bootstrap") {
		o.Bootstrap = was.Bootstrap
	}
	if !f.Changed("rendezvous") {
		o.Rendezvous = was.Rendezvous
	}
	if !f.Changed("relay") {
		o.Relay = was.Relay
	}
	if !f.Changed("budget") {
		o.Budget = was.Budget
	}
	if !f.Changed("memos-only") {
		o.MemosOnly = was.MemosOnly
	}
	return nil
}

// remember is for the next start; a file that says nothing is removed.
func (o *netOptions) remember(dir string) error {
	path := filepath.Join(dir, networkFile)
	data, err := json.Marshal(o)
	if err != nil {
		return err
	}
	if string(data) != "{}" {
		return os.WriteFile(path, append(data, '\n'), 0o600)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// options returns what p2p is told, listening on listen.
func (o *netOptions) options(listen []string, log *slog.Logger) p2p.Options {
	on := slices.DeleteFunc(slices.Clone(listen), func(addr string) bool { return addr == listenNone })
	return p2p.Options{
		Listen: on, LAN: onLAN(listen), Peers: o.Peers, Bootstrap: o.Bootstrap, Rendezvous: o.Rendezvous, Relay: o.Relay, Logger: log,
	}
}
