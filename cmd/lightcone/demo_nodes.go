package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"lightcone/node/api"
)

// start brings up all nodes and lets the others join A's space, with a ticket each.
func (d *demo) start() error {
	for i := range d.opts.nodes {
		name := string(rune('A' + i))
		d.nodes = append(d.nodes, &process{name: name, dir: filepath.Join(d.dir, name), space: defaultSpace})
	}
	count := map[int]string{3: "Three", 4: "Four", 5: "Five", 6: "Six", 7: "Seven", 8: "Eight"}[d.opts.nodes]
	d.tell("%s peers, %s processes, no server: %s on loopback, files under %s", count, strings.ToLower(count), d.names(), d.dir)
	if err := each(d.nodes, func(n *process) error { return n.start(d.ctx) }); err != nil {
		return err
	}
	a := d.nodes[0]
	if _, err := a.CreateSpace(d.ctx, api.NewSpace{Name: defaultSpace}); err != nil {
		return err
	}
	for _, n := range d.nodes[1:] {
		start := time.Now()
		ticket, err := n.enter(d.ctx, a)
		if err != nil {
			return err
		}
		d.tell("  %s joined with a ticket of %d characters in %s   %s", n.name, len(ticket), millis(time.Since(start)), n.id)
	}
	return nil
}

func (d *demo) stop() error { return each(d.nodes, (*process).stop) }

// traffic asks all nodes for their byte counts.
func (d *demo) traffic() ([]api.Traffic, error) {
	out := make([]api.Traffic, len(d.nodes))
	for i, n := range d.nodes {
		st, err := n.Status(d.ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", n.name, err)
		}
		out[i] = st.Traffic
	}
	return out, nil
}
