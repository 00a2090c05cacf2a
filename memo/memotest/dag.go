package memotest

import (
	"crypto/ed25519"
	"fmt"
	"slices"

	"lightcone/memo"
)

// TB is the part of *testing.T, *testing.B and *rapid.T that Draw needs.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
}

// DAG is a drawing made of memos. It never changes.
type DAG struct {
	Space memo.SpaceID

	nodes map[string]*node
	names []string // causes first
}

// Draw makes the memos of a drawing; see the package comment for its language.
func Draw(t TB, drawing string) *DAG {
	t.Helper()
	d, err := Parse(drawing)
	if err != nil {
		t.Fatalf("bad drawing: %v", err)
	}
	return d
}

// Parse is Draw for callers without a test.
func Parse(drawing string) (*DAG, error) {
	s, err := read(drawing)
	if err != nil {
		return nil, err
	}
	b := &builder{sketch: s, heads: map[string]*node{}}
	if err := b.build(); err != nil {
		return nil, err
	}
	d := &DAG{Space: b.space, nodes: s.nodes}
	for _, n := range b.ordered {
		d.names = append(d.names, n.name)
	}
	return d, nil
}

func (d *DAG) node(name string) *node {
	n := d.nodes[name]
	if n == nil {
		panic(fmt.Sprintf("memotest: %q is not drawn; drawn are %v", name, d.names))
	}
	return n
}

// Names returns the names in causal order: every memo after its causes, and else
// as drawn.
func (d *DAG) Names() []string { return slices.Clone(d.names) }

// Memo returns the memo drawn under a name.
func (d *DAG) Memo(name string) *memo.Memo { return d.node(name).memo }

// Name returns what the memo with this digest is called, or "".
func (d *DAG) Name(id memo.ID) string {
	i := slices.IndexFunc(d.names, func(n string) bool { return d.nodes[n].memo.ID() == id })
	if i < 0 {
		return ""
	}
	return d.names[i]
}

// Author returns the identity of an author's name.
func (d *DAG) Author(name string) memo.Author { return public(name) }

// Key returns the private key of an author's name.
func (d *DAG) Key(author string) ed25519.PrivateKey { return key(author) }

// Cut returns the named memos and all of their past, as a vector.
func (d *DAG) Cut(names ...string) memo.Vector {
	var cut memo.Vector
	for _, name := range names {
		cut.Join(d.node(name).cut)
	}
	return cut
}

// Past returns the names of the memos in Cut(names…), in causal order.
func (d *DAG) Past(names ...string) []string {
	cut := d.Cut(names...)
	return slices.DeleteFunc(d.Names(), func(n string) bool {
		m := d.nodes[n].memo
		return !cut.Covers(m.Author, m.Seq)
	})
}

// Run returns the run that the named memo is in, sealed.
func (d *DAG) Run(name string) *memo.Run {
	first := d.node(name)
	for first.with != nil {
		first = first.with
	}
	memos := []*memo.Memo{first.memo}
	for _, n := range d.names {
		// Names are in causal order, so a run's memos come one after the other.
		if with := d.nodes[n].with; with != nil && with.memo == memos[len(memos)-1] {
			memos = append(memos, d.nodes[n].memo)
		}
	}
	head := memos[len(memos)-1].Head()
	return &memo.Run{Space: d.Space, Memos: memos, Seal: memo.Sign(key(first.by()), d.Space, head)}
}

// Runs returns the run of each name: a delivery, in the order given and repeated
// if a name is. Without names it returns every run once, in causal order.
func (d *DAG) Runs(names ...string) []*memo.Run {
	all := len(names) == 0
	if all {
		names = d.names
	}
	var runs []*memo.Run
	for _, n := range names {
		if all && d.nodes[n].with != nil {
			continue // in the run of the memo before it
		}
		runs = append(runs, d.Run(n))
	}
	return runs
}
