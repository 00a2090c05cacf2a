package tidy

import (
	"slices"
	"strings"
)

// layers says what each package may import of this module. It is the drawing of
// ARCHITECTURE.md as a table: nothing upward, nothing sideways but what is
// drawn. A package absent from it is a mistake: a new room, or a new arrow,
// needs a line here and a reason there.
var layers = map[string][]string{
	"memo":       {},
	"merge":      {"memo"},
	"context":    {"memo", "merge"},
	"beacon":     {"memo", "merge", "context", "internal/portable"},
	"walfs":      {"walfs/logrecord"},
	"store":      {"memo", "merge", "context", "walfs"},
	"projection": {"memo", "merge", "context"},
	"p2p/gossip": {"memo", "merge", "context", "beacon", "internal/portable"},
	"p2p":        {"memo", "p2p/gossip"},

	// Functions of package math that are the same on every processor.
	"internal/portable": {},

	// Generated from walfs/record.fbs.
	"walfs/logrecord": {},

	// node sees walfs for the names of the durability levels, and hands the log's
	// FS down.
	"node":     {"memo", "merge", "context", "beacon", "walfs", "store", "projection", "p2p/gossip"},
	"node/api": {"memo", "merge", "context", "node"},
	// cmd/lightcone sees projection for the demo's check that tampering shows,
	// walfs for `lightcone wal`, which looks at files that no node can open, and
	// internal/netlab for the network of `lightcone swarm`, and simulations for
	// `lightcone sim`.
	"cmd/lightcone": {
		"memo", "merge", "context", "walfs", "projection", "p2p/gossip", "p2p", "node", "node/api", "internal/netlab",
		"simulations", "simulations/report", "simulations/scenario", "simulations/worlds",
	},
	// The engine and the mesh are models and know no room; worlds drive the rooms.
	"simulations/engine":   {},
	"simulations/mesh":     {"simulations/engine"},
	"simulations/report":   {},
	"simulations/scenario": {"memo", "simulations/engine", "simulations/mesh"},
	// simulations/cores runs whole cores of the protocol in the engine.
	"simulations/cores": {"memo", "merge", "context", "p2p/gossip", "simulations/engine"},
	// simulations/forest holds the roots of a world's peers, each once.
	"simulations/forest": {"memo", "merge"},
	"simulations/worlds": {
		"memo", "merge", "context", "beacon", "p2p/gossip", "internal/portable",
		"simulations/cores", "simulations/engine", "simulations/forest", "simulations/mesh", "simulations/report", "simulations/scenario",
	},
	// simulations/replicas runs whole nodes, in virtual time, on a disk that loses power.
	"simulations/replicas": {"memo", "context", "walfs", "walfs/walfstest", "p2p/gossip", "node"},
	"simulations":          {"simulations/report", "simulations/scenario", "simulations/worlds"},
	// simulations/calib compares the model of the network with real hosts, which
	// internal/vnet runs in virtual time, with the parameters of p2p.
	"simulations/calib": {"memo", "node", "p2p", "internal/vnet", "simulations/engine", "simulations/mesh", "simulations/report"},

	// Helpers that tests import.
	"memo/memotest":   {"memo"},
	"merge/mergetest": {"memo", "memo/memotest", "merge"},
	"walfs/walfstest": {"walfs"},

	// Tests only: real replicas on real libp2p on a simulated network, in virtual
	// time. It makes the sockets that p2p's hosts open, so it sees libp2p.
	"internal/vnet": {"p2p", "node"},
	// Tests only: the seeds' figures as scenarios over the real rooms.
	"internal/figures": {},

	// A network of Linux namespaces on one machine; it knows no other room.
	"internal/netlab": {},

	// Run by hand: it removes defences and has the tests of other rooms notice.
	"internal/mutate": {},

	"internal/tidy":       {},
	"internal/tidy/skips": {},
}

// owners names the rooms that alone may import a third-party library, so that
// each can be replaced in one place. Libraries not listed are free to all.
var owners = []struct {
	library string // the import path that starts all of its packages
	rooms   []string
}{
	{"github.com/libp2p", []string{"p2p", "internal/vnet", "simulations/calib"}},
	{"github.com/google/flatbuffers", []string{"walfs"}},
	{"github.com/cockroachdb/pebble", []string{"store"}},
	{"github.com/axiomhq", []string{"beacon"}},
	{"go.etcd.io/bbolt", []string{"projection"}},
	{"github.com/danielgtaylor/huma", []string{"node/api"}},
	{"github.com/spf13", []string{"cmd/lightcone"}},
	{"gonum.org/v1/plot", []string{"simulations/report"}},
	{"github.com/parquet-go", []string{"simulations/report"}},
	{"github.com/pelletier", []string{"simulations/scenario"}},
}

func checkLayers(f *file, add report) {
	allowed, known := layers[f.room]
	if !known {
		add(f.ast.Package, "package %s is not in the layer table: add it to internal/tidy/layers.go with a reason", f.room)
		return
	}
	for _, spec := range f.ast.Imports {
		room, ours := strings.CutPrefix(importPath(spec), module)
		if ours && !slices.Contains(allowed, room) {
			add(spec.Pos(), "%s must not import %s: the layers run downward only", f.room, room)
		}
	}
}

func checkOwners(f *file, add report) {
	for _, spec := range f.ast.Imports {
		for _, o := range owners {
			if within(importPath(spec), o.library) && !slices.Contains(o.rooms, f.room) {
				add(spec.Pos(), "%s must not import %s: it belongs to %s alone",
					f.room, importPath(spec), strings.Join(o.rooms, " and "))
			}
		}
	}
}
