package gossip

import (
	"cmp"
	"maps"
	"slices"

	"lightcone/memo"
)

// grove is the part of a shelf that knows of forks: it keeps every branch.
type grove struct {
	has    map[memo.ID]bool // memos
	places map[memo.Author]map[uint64]memo.ID
	forks  map[memo.Author]uint64 // the lowest place of two memos
	grown  map[memo.Author][]grownRun
}

type grownRun struct {
	BranchRun
	raw []byte
}

func newGrove() grove {
	return grove{
		has: map[memo.ID]bool{}, places: map[memo.Author]map[uint64]memo.ID{},
		forks: map[memo.Author]uint64{}, grown: map[memo.Author][]grownRun{},
	}
}

// file keeps a run and returns how many of its memos are new.
func (g *grove) file(r *memo.Run, raw []byte) (fresh int) {
	a, last := r.Author(), r.Memos[len(r.Memos)-1]
	if g.places[a] == nil {
		g.places[a] = map[uint64]memo.ID{}
	}
	for _, m := range r.Memos {
		if !g.has[m.ID()] {
			fresh++
		}
		g.has[m.ID()] = true
		switch at, taken := g.places[a][m.Seq]; {
		case !taken:
			g.places[a][m.Seq] = m.ID()
		case at != m.ID() && (g.forks[a] == 0 || m.Seq < g.forks[a]):
			g.forks[a] = m.Seq
		}
	}
	run := grownRun{BranchRun{Time: last.Time, ID: last.ID(), Seq: last.Seq}, raw}
	i, _ := slices.BinarySearchFunc(g.grown[a], run, func(x, y grownRun) int {
		return cmp.Or(cmp.Compare(x.Time, y.Time), x.ID.Compare(y.ID))
	})
	g.grown[a] = slices.Insert(g.grown[a], i, run)
	return fresh
}

func (g *grove) Forked(memo.SpaceID) []memo.Author {
	return slices.SortedFunc(maps.Keys(g.forks), memo.Author.Compare)
}

func (g *grove) BranchRuns(_ memo.SpaceID, a memo.Author) (out []BranchRun, err error) {
	for _, r := range g.grown[a] {
		if at := g.forks[a]; at > 0 && r.Seq >= at {
			out = append(out, r.BranchRun)
		}
	}
	return out, nil
}

func (g *grove) RunByID(_ memo.SpaceID, id memo.ID) ([]byte, error) {
	for a := range g.forks { // digests differ: the order does not show
		for _, r := range g.grown[a] {
			if r.ID == id {
				return r.raw, nil
			}
		}
	}
	return nil, errNoRun
}

func (g *grove) Holds(_ memo.SpaceID, h memo.Head) (bool, error) { return g.has[h.ID], nil }

func (g *grove) ID(_ memo.SpaceID, a memo.Author, seq uint64) (memo.ID, bool, error) {
	id, ok := g.places[a][seq]
	return id, ok, nil
}
