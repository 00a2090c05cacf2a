package main

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"lightcone/memo"
	"lightcone/node/api"
)

// airportsCSV is the demo's data: 3,376 airports of 7 fields, published by the
// US Department of Transportation (public domain), by way of vega-datasets 2.11.0.
//
//go:embed airports.csv
var airportsCSV []byte

// demoSet is the data that the demo's peers share.
type demoSet struct {
	topic, what string // what: for people
	name        string // of the file, for errors
	key         string // column
	data        []byte
	row         string                            // the one that B and C disagree about
	forged      struct{ row, field, text string } // what --tamper writes: one byte off
}

// maxDemoData bounds a data set of the user's: a demo is for seconds, not hours.
const maxDemoData = 64 << 20

// openDemoSet returns the data set, checked as import checks a file.
func openDemoSet(ctx context.Context, o demoOptions) (demoSet, error) {
	if o.data == "" {
		set := demoSet{topic: "airports", what: "airports (US DOT)", name: "airports.csv", key: "iata", data: airportsCSV, row: "00M"}
		set.forged.row, set.forged.field, set.forged.text = "ZZV", "name", "Zanesville MunicipaX"
		return set, nil
	}
	topic := strings.TrimSuffix(filepath.Base(o.data), filepath.Ext(o.data))
	set := demoSet{topic: topic, what: "rows of " + filepath.Base(o.data), name: o.data, key: o.key}
	if err := memo.CheckTopic(topic); err != nil {
		return set, usagef("--data %s: the topic %q: %w; rename the file", o.data, topic, err)
	}
	info, err := os.Stat(o.data)
	if err != nil {
		return set, usagef("--data: %w", err)
	}
	if info.Size() > maxDemoData {
		return set, usagef("--data %s has %s bytes, the demo takes %s; use `lightcone import` for it", o.data, comma(info.Size()), comma(maxDemoData))
	}
	if set.data, err = os.ReadFile(o.data); err != nil {
		return set, usagef("--data: %w", err)
	}
	rows, err := countRows(ctx, importOptions{path: o.data, key: o.key}, bytes.NewReader(set.data))
	if err != nil {
		return set, err
	}
	if rows == 0 {
		return set, fmt.Errorf("%w: %s has no rows; add one", errImport, o.data)
	}
	t, err := set.open()
	if err != nil {
		return set, err
	}
	first, err := t.next()
	set.row = first.key
	set.forged.row, set.forged.field, set.forged.text = set.row, "note", "as C has iX"
	return set, err
}

func (s demoSet) open() (rowSource, error) {
	return openCSV(s.name, bytes.NewReader(s.data), s.key)
}

// kept says where the nodes' directories are and how to start them. They know
// each other, so they find each other again.
func (d *demo) kept(a *app) {
	a.say("\nkept in %s; start the peers again, each in a terminal of its own:", d.dir)
	for _, n := range d.nodes {
		a.say("  lightcone --dir %s up", n.dir)
	}
	if len(d.nodes) > 0 {
		a.say("and look: lightcone --dir %s scan --topic %s --limit 10", d.nodes[0].dir, d.set.topic)
	}
}

// edits are the fields that B and C write during the split: one that both write,
// and one each of their own. In the airports they change what is there.
func (d *demo) edits() (b, c map[string]string) {
	if d.opts.data == "" {
		return map[string]string{"name": "Thigpen Field", "city": "Bay Springs, Mississippi"},
			map[string]string{"name": "Thigpen Airport", "country": "United States"}
	}
	return map[string]string{"note": "as B has it", "seenByB": "yes"}, map[string]string{"note": "as C has it", "seenByC": "yes"}
}

// fieldsText lists the fields that B or C wrote.
func (d *demo) fieldsText(fields api.Fields) string {
	b, c := d.edits()
	var out []string
	for _, name := range sortedKeys(fields) {
		_, byB := b[name]
		_, byC := c[name]
		if byB || byC {
			out = append(out, plain(name)+"="+show(fields[name]))
		}
	}
	return strings.Join(out, ", ")
}

// assignedText lists fields that are about to be written.
func assignedText(fields map[string]string) string {
	var out []string
	for _, name := range sortedKeys(fields) {
		out = append(out, name+"="+fields[name])
	}
	return strings.Join(out, ", ")
}

// names lists the peers for people: "A, B and C".
func (d *demo) names() string {
	names := make([]string, len(d.nodes))
	for i, n := range d.nodes {
		names[i] = n.name
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
