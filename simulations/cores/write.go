package cores

import (
	"bytes"
	"maps"
	"slices"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/p2p/gossip"
)

// Write has a peer write a run of n memos, each to a row that a function names, with a
// value of size bytes, and publish it. The first depends on what the peer saw last of
// another author. It returns the run.
func (p *Peer) Write(n, size int, row func() string) *memo.Run {
	r := p.compose(n, size, row)
	p.Shelf.put(r)
	p.attached(n)
	p.step(&gossip.Attached{Space: p.w.pool.space, Own: []*memo.Run{r.Run}})
	return r.Run
}

// compose makes a run and seals it.
func (p *Peer) compose(n, size int, row func() string) *run {
	deps := []memo.Head{}
	if p.seen.Seq > 0 {
		deps = append(deps, p.seen.Head)
	} else if p.head.Seq == 0 {
		deps = append(deps, p.w.genesis.Head())
	}
	own, _ := p.Shelf.vec.Get(p.ID)
	at := memo.Next(uint64(p.port.Clock().UnixMilli()), own.Time, p.seen.Time)
	memos := make([]*memo.Memo, n)
	for i := range memos {
		m, err := memo.New(memo.Memo{
			Space: p.w.pool.space, Author: p.ID, Seq: p.head.Seq + 1, Prev: p.head.ID, Deps: deps, Time: at,
			Body: &memo.Edit{Topics: []memo.TopicEdit{{Topic: "t", Rows: []memo.RowEdit{{
				Row: memo.Bytes(row()),
				Deltas: []memo.Delta{{Op: memo.Op{
					Set: true, Value: memo.Blob(bytes.Repeat([]byte{byte(p.head.Seq)}, size)),
				}}},
			}}}}},
		})
		if err != nil {
			panic(err) // scenarios bound sizes
		}
		memos[i], p.head, deps = m, m.Head(), nil
		at = memo.Next(0, at)
	}
	return p.w.pool.intern(&memo.Run{Space: p.w.pool.space, Memos: memos, Seal: memo.Sign(p.key, p.w.pool.space, p.head)})
}

// keep takes a block.
func (s *Shelf) keep(id memo.ID, data []byte) {
	s.blocks[id] = true
	s.pool.blocks[id] = data
}

// Space returns the space of all worlds' peers.
func (s *Shelf) Space() memo.SpaceID { return s.pool.space }

// Blocks returns the blocks that are here.
func (s *Shelf) Blocks() merge.BlockGetter { return &shelfBlocks{Shelf: s} }

// shelfBlocks are the blocks of a shelf; made counts those put.
type shelfBlocks struct {
	*Shelf
	made int
}

func (b *shelfBlocks) Block(id memo.ID) ([]byte, error) { return b.Shelf.Block(b.pool.space, id) }

func (b *shelfBlocks) PutBlock(id memo.ID, data []byte) error {
	b.made++
	b.keep(id, data)
	return nil
}

// Fold makes the root of what the peer holds, out of its last one and what came since,
// and tells the core. It returns the root's digest and how many blocks it made.
func (p *Peer) Fold() (id memo.ID, made int) {
	f, made := p.Shelf.fold()
	p.mix(f.ID)
	p.step(f)
	return f.ID, made
}

func (s *Shelf) fold() (gossip.Folded, int) {
	b, p := &shelfBlocks{Shelf: s}, s.pool.params
	must := func(id memo.ID, err error) memo.ID {
		if err != nil {
			panic(err) // all blocks are here: the shelf made or checked them
		}
		return id
	}
	root := merge.Root{Params: p}
	root.Vector = must(merge.BuildVector(p, s.vec, b))
	rows := s.since(s.folded())
	if s.root == nil {
		root.State = must(merge.BuildState(p, rows, b))
	} else {
		root.State = must(merge.ApplyState(p, b, s.root.root.State, rows, b))
	}
	data, err := root.Encode()
	id := must(memo.Sum(data), err)
	s.keep(id, data)
	s.root = &rooted{id: id, root: root, vec: s.vec}
	return gossip.Folded{Space: s.pool.space, ID: id, Root: root, Vector: s.vec}, b.made + 1
}

func (s *Shelf) folded() memo.Vector {
	if s.root == nil {
		return memo.Vector{}
	}
	return s.root.vec
}

// since yields what the memos that a vector does not cover do to rows, by their keys.
func (s *Shelf) since(v memo.Vector) func(yield func(merge.KeyedRow, error) bool) {
	rows := map[string]merge.Row{}
	for m := range s.vec.All() {
		from, _ := v.Get(m.Author)
		for seq := from.Seq; seq < m.Seq; {
			r, _ := s.find(m.Author, seq+1)
			for _, x := range r.Memos {
				joinInto(rows, x)
			}
			seq = r.Head().Seq
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

func joinInto(rows map[string]merge.Row, m *memo.Memo) {
	for key, edit := range merge.RowEdits(m) {
		d, err := merge.Delta(merge.StampOf(m), edit)
		if err != nil {
			panic(err) // compose made it
		}
		rows[key] = merge.Join(rows[key], d)
	}
}
