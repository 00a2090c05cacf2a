package gossip

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"lightcone/memo"
	"lightcone/merge"
)

// library is the part of a shelf that holds blocks and the newest root.
type library struct {
	of     memo.SpaceID
	blocks map[memo.ID][]byte
	newest *Folded
}

func (l *library) PutBlock(id memo.ID, data []byte) error {
	l.blocks[id] = data
	return nil
}

func (l *library) Block(space memo.SpaceID, id memo.ID) ([]byte, error) {
	data, ok := l.blocks[id]
	if !ok || space != l.of {
		return nil, fmt.Errorf("%w: %s", merge.ErrNoBlock, id)
	}
	return data, nil
}

func (l *library) Root(memo.SpaceID) (memo.ID, merge.Root, bool) {
	if l.newest == nil {
		return memo.ID{}, merge.Root{}, false
	}
	return l.newest.ID, l.newest.Root, true
}

func (l *library) keep(k Keep) {
	for _, b := range k.Blocks {
		if memo.Sum(b.Data) != b.ID {
			panic("a block of another digest was kept")
		}
		l.blocks[b.ID] = b.Data
	}
}

func (s *shelf) Params(id memo.SpaceID) (merge.Params, bool) {
	return merge.DefaultParams(id), s.vec.Len() > 0
}

func (s *shelf) Adopts(memo.SpaceID) bool { return s.adopts }

func (s *shelf) Seal(_ memo.SpaceID, a memo.Author, seq uint64) (memo.Seal, bool, error) {
	r, ok := s.find(a, seq)
	if !ok || r.last != seq {
		return memo.Seal{}, false, nil
	}
	return memo.Seal(r.raw[len(r.raw)-len(memo.Seal{}):]), true, nil
}

// states yields the rows of all that the shelf holds.
func (s *shelf) states() iter.Seq2[merge.KeyedRow, error] {
	rows := map[string]merge.Row{}
	for _, runs := range s.runs { // joins commute: the order does not show
		for _, sh := range runs {
			run, err := memo.DecodeRun(sh.raw)
			if err != nil {
				panic(err)
			}
			for _, m := range run.Memos {
				joinEdit(rows, m)
			}
		}
	}
	return func(yield func(merge.KeyedRow, error) bool) {
		for _, key := range slices.Sorted(maps.Keys(rows)) {
			state, err := rows[key].Encode()
			if !yield(merge.KeyedRow{Key: key, State: state}, err) {
				return
			}
		}
	}
}

func joinEdit(rows map[string]merge.Row, m *memo.Memo) {
	e, ok := m.Body.(*memo.Edit)
	if !ok {
		return
	}
	for _, topic := range e.Topics {
		for _, r := range topic.Rows {
			delta, err := merge.Delta(merge.StampOf(m), r)
			if err != nil {
				panic(err)
			}
			key := merge.RowKey(topic.Topic, string(r.Row))
			rows[key] = merge.Join(rows[key], delta)
		}
	}
}

// newRoot makes the root of what the replica holds, its newest from now on.
func (r *replica) newRoot() Folded {
	p, must := merge.DefaultParams(r.w.space), func(id memo.ID, err error) memo.ID {
		if err != nil {
			panic(err)
		}
		return id
	}
	root := merge.Root{Params: p}
	root.Vector = must(merge.BuildVector(p, r.shelf.vec, r.shelf))
	root.State = must(merge.BuildState(p, r.shelf.states(), r.shelf))
	data, err := root.Encode()
	id := must(memo.Sum(data), err)
	r.shelf.blocks[id] = data
	r.shelf.newest = &Folded{Space: r.w.space, ID: id, Root: root, Vector: r.shelf.vec.Clone()}
	r.w.trace("%v folds %s into root %x", r, r.w.vector(r.shelf.vec), id[:2])
	return *r.shelf.newest
}

// holds checks that a replica has all blocks of a root, and returns their number.
func (r *replica) holds(root merge.Root) (n int, err error) {
	seen := map[memo.ID]bool{}
	err = merge.Reach(getterOf(r.shelf), root, func(id memo.ID) bool {
		again := seen[id]
		seen[id] = true
		return !again
	})
	if err == nil {
		for id := range seen {
			if r.shelf.blocks[id] == nil {
				err = fmt.Errorf("%w: %s", merge.ErrNoBlock, id)
			}
		}
	}
	return len(seen), err
}

type getter func(id memo.ID) ([]byte, error)

func (g getter) Block(id memo.ID) ([]byte, error) { return g(id) }

func getterOf(s *shelf) getter {
	return func(id memo.ID) ([]byte, error) { return s.Block(s.space, id) }
}

// libraryCommand runs the commands of scripts that are about roots.
func (w *world) libraryCommand(t *testing.T, d *datadriven.TestData, out *strings.Builder) {
	if len(d.CmdArgs) == 0 {
		d.Fatalf(t, "no such command")
	}
	r, in := w.named(d, 0), Fetch{Space: w.space, Parts: StatePart}
	var of, origin, parts, row string
	d.MaybeScanArgs(t, "of", &of)
	d.MaybeScanArgs(t, "origin", &origin)
	d.MaybeScanArgs(t, "parts", &parts)
	d.MaybeScanArgs(t, "row", &row)
	if of != "" {
		in.Root = w.replicas[of[0]-'a'].shelf.newest.ID
	}
	if origin != "" {
		in.Origin = w.replicas[origin[0]-'a'].id
	}
	if parts != "" {
		in.Parts = map[string]Parts{"vector": VectorPart, "seals": SealsPart, "state": StatePart}[parts]
	}
	switch d.Cmd {
	case "root":
		r.newRoot()
	case "fetch":
		r.step(in)
	case "prefer":
		r.step(Prefer{Space: w.space, Root: in.Root, Key: merge.RowKey("t", row)})
	case "forget":
		every, rest := 1, 0
		d.ScanArgs(t, "every", &every)
		d.MaybeScanArgs(t, "rest", &rest)
		r.shelf.forget(every, rest)
		fmt.Fprintf(out, "%d blocks left\n", len(r.shelf.blocks))
	case "inquire":
		w.inquire(t, d, r)
	default:
		d.Fatalf(t, "no such command")
	}
}

// forget loses the blocks whose place in the order of their ids is of the given
// remainder.
func (l *library) forget(every, remainder int) {
	for i, id := range slices.SortedFunc(maps.Keys(l.blocks), memo.ID.Compare) {
		if i%every == remainder {
			delete(l.blocks, id)
		}
	}
}

// blocksText describes a frame of a session that carries blocks.
func (w *world) blocksText(m message) string {
	var b strings.Builder
	switch m := m.(type) {
	case *fetch:
		b.WriteString("FETCH")
		if m.Root != nil {
			fmt.Fprintf(&b, " root=%x", m.Root[:2])
		}
		if m.Fresh {
			b.WriteString(" fresh")
		}
	case *ranges:
		fmt.Fprintf(&b, "RANGES %s", w.name(m.Author))
		for _, r := range m.Ranges {
			switch r.Kind {
			case rangePrint:
				fmt.Fprintf(&b, " print of %d", r.Print.Count)
			case rangeList:
				fmt.Fprintf(&b, " list of %d", len(r.listed()))
			case rangeMore:
				fmt.Fprintf(&b, " %d more", len(r.listed()))
			}
		}
		if m.More {
			b.WriteString(" …")
		}
	case *need:
		fmt.Fprintf(&b, "NEED %d", len(m.IDs))
	case *verifiedBranches:
		b.WriteString("BRANCHES " + w.spans(m.runs))
	case *probe:
		fmt.Fprintf(&b, "PROBE %s at %v", w.name(m.Author), m.Seqs)
	case *probed:
		b.WriteString("PROBED")
		for _, id := range m.IDs {
			fmt.Fprintf(&b, " %x", id[:2])
		}
	case *parted:
		fmt.Fprintf(&b, "PARTED %s behind %d", w.name(m.Author), m.After)
	case *hashedNodes:
		fmt.Fprintf(&b, "VECNODES %d", len(m.nodes))
	case *vecWant:
		fmt.Fprintf(&b, "VECWANT %d", len(m.IDs))
	case *want:
		fmt.Fprintf(&b, "WANT %d blocks, first %x", len(m.IDs), m.IDs[0][:2])
	case *hashed:
		held := 0
		for _, k := range m.blocks {
			if k.Data != nil {
				held++
			}
		}
		fmt.Fprintf(&b, "BLOCKS %d of %d", held, len(m.blocks))
	case *wantSeals:
		b.WriteString("WANTSEALS")
		for _, h := range m.Heads {
			fmt.Fprintf(&b, " %s#%d", w.name(h.Author), h.Seq)
		}
	case *sealed:
		b.WriteString("SEALS")
		for _, h := range m.heads {
			if h.Seq == 0 {
				b.WriteString(" null")
			} else {
				fmt.Fprintf(&b, " %s#%d", w.name(h.Author), h.Seq)
			}
		}
	}
	return b.String()
}

func (w *world) traceFetched(r *replica, f Fetched) {
	part := [...]string{"nothing", "the vector", "the seals", "the state"}[f.Parts]
	if f.Err != nil {
		w.trace("%v does not get %s of root %x: %v", r, part, f.Root[:2], f.Err)
		return
	}
	w.trace("%v has %s of root %x: %s; %d seals; by %s", r, part, f.Root[:2], w.vector(f.Vector), len(f.Seals), w.name(f.From))
}
