package memotest

import (
	"fmt"
	"slices"

	"lightcone/memo"
)

// TB is what Draw needs of a *testing.T, *testing.B or *rapid.T.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
}

// DAG is a drawing made of memos. It never changes.
type DAG struct {
	Space memo.SpaceID
	nodes []*node // causes first
	named map[string]*node
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

// Parse is Draw without a test.
func Parse(drawing string) (*DAG, error) {
	s, err := read(drawing)
	if err != nil {
		return nil, err
	}
	nodes, err := s.build()
	if err != nil {
		return nil, err
	}
	return &DAG{Space: nodes[0].memo.SpaceID(), nodes: nodes, named: s.named}, nil
}

func (d *DAG) node(name string) *node {
	n := d.named[name]
	if n == nil {
		panic(fmt.Sprintf("memotest: %q is not drawn; drawn are %v", name, d.Names()))
	}
	return n
}

// Names returns the names in a causal order, of memos and of their runs.
func (d *DAG) Names() []string {
	names := make([]string, len(d.nodes))
	for i, n := range d.nodes {
		names[i] = n.name
	}
	return names
}

// Memo returns the memo drawn under a name.
func (d *DAG) Memo(name string) *memo.Memo { return d.node(name).memo }

// Name returns what the memo with this digest is called, "" if it is not drawn.
func (d *DAG) Name(id memo.ID) string {
	i := slices.IndexFunc(d.nodes, func(n *node) bool { return n.memo.ID() == id })
	if i < 0 {
		return ""
	}
	return d.nodes[i].name
}

// Cut returns the vector of the named memos and all of their past.
func (d *DAG) Cut(names ...string) (cut memo.Vector) {
	for _, name := range names {
		cut.Join(d.node(name).cut)
	}
	return cut
}

// Run returns the run that the named memo is part of, sealed.
func (d *DAG) Run(name string) *memo.Run {
	n := d.node(name)
	for n.mate != nil {
		n = n.mate
	}
	r := &memo.Run{Space: d.Space, Memos: []*memo.Memo{n.memo}}
	for n = n.then; n != nil; n = n.then {
		r.Memos = append(r.Memos, n.memo)
	}
	r.Seal = memo.Sign(d.node(name).key(), d.Space, r.Head())
	return r
}

// Runs returns the run of each name, a delivery in the order given and as often
// as a name is; without names it is every run once, in causal order.
func (d *DAG) Runs(names ...string) (runs []*memo.Run) {
	for _, name := range names {
		runs = append(runs, d.Run(name))
	}
	if len(names) > 0 {
		return runs
	}
	for _, n := range d.nodes {
		if n.mate == nil {
			runs = append(runs, d.Run(n.name))
		}
	}
	return runs
}
