package forest

import (
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"lightcone/memo"
	"lightcone/merge"
)

// topic is what all memos write to.
const topic = "hot"

// chain is an author and its memos.
type chain struct {
	key    ed25519.PrivateKey
	author memo.Author
	memos  []written // room for all of them, so that they never move
	n      int       // memos written; the author's alone
}

// written is a memo, as it was sealed, and what it does to its row.
type written struct {
	run   *memo.Run
	key   string
	delta merge.Row
	state []byte // of delta
}

// found makes the keys and the space.
func (f *Forest) found() error {
	founder := keyOf(f.cfg.Seed, f.cfg.Authors)
	m, err := memo.New(memo.Memo{Author: memo.Author(founder.Public().(ed25519.PublicKey)), Seq: 1, Time: 1, Body: &memo.Genesis{
		Name: "simulation", RootKeys: []memo.Author{memo.Author(founder.Public().(ed25519.PublicKey))}, Trust: memo.Adopt,
		W: memo.DefaultW, M: memo.DefaultM, D: memo.DefaultD, Rho: memo.DefaultRho,
	}})
	if err != nil {
		return fmt.Errorf("genesis: %w", err)
	}
	f.genesis = memo.Mark{Head: m.Head(), Time: m.Time}
	f.params = merge.DefaultParams(m.SpaceID())
	f.chains, f.order = make([]chain, f.cfg.Authors), make([]int, f.cfg.Authors)
	for a := range f.chains {
		key := keyOf(f.cfg.Seed, a)
		f.chains[a] = chain{key: key, author: memo.Author(key.Public().(ed25519.PublicKey)), memos: make([]written, f.cfg.Each)}
		f.order[a] = a
	}
	slices.SortFunc(f.order, func(a, b int) int { return f.chains[a].author.Compare(f.chains[b].author) })
	return nil
}

// keyOf returns the key of an author.
func keyOf(seed uint64, a int) ed25519.PrivateKey {
	sum := memo.Sum(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64([]byte("forest"), seed), uint64(a)))
	return ed25519.NewKeyFromSeed(sum[:])
}

// Author returns the public key of an author.
func (f *Forest) Author(a int) memo.Author { return f.chains[a].author }

// Write has an author seal its next memo. One goroutine at a time may call it for an
// author.
func (f *Forest) Write(a int, now time.Time) {
	c := &f.chains[a]
	prev, deps, before := memo.ID{}, []memo.Head{f.genesis.Head}, f.genesis.Time
	if c.n > 0 {
		last := c.memos[c.n-1].run.Memos[0]
		prev, deps, before = last.ID(), nil, last.Time
	}
	value := make([]byte, f.cfg.Value)
	for i := range value {
		value[i] = byte(a + c.n)
	}
	row := fmt.Sprintf("row-%05d", (a+c.n*f.cfg.Authors)%f.cfg.Rows)
	m, err := memo.New(memo.Memo{
		Space: f.params.Space, Author: c.author, Seq: uint64(c.n + 1), Prev: prev, Deps: deps, Time: memo.Next(uint64(now.UnixMilli()), before),
		Body: &memo.Edit{Topics: []memo.TopicEdit{{Topic: topic, Rows: []memo.RowEdit{{
			Row: memo.Bytes(row), Deltas: []memo.Delta{{Op: memo.Op{Set: true, Value: memo.Blob(value)}}},
		}}}}},
	})
	must(err)
	w := &c.memos[c.n]
	w.run = &memo.Run{Space: f.params.Space, Memos: []*memo.Memo{m}, Seal: memo.Sign(c.key, f.params.Space, m.Head())}
	for key, edit := range merge.RowEdits(m) {
		w.key = key
		w.delta, err = merge.Delta(merge.StampOf(m), edit)
		must(err)
	}
	w.state, err = w.delta.Encode()
	must(err)
	c.n++
}

// Run returns an author's memo, sealed.
func (f *Forest) Run(a, seq int) *memo.Run { return f.chains[a].memos[seq-1].run }

// must is for what cannot fail: memos are of sizes that scenarios bound, and all blocks
// are here.
func must(err error) {
	if err != nil {
		panic(fmt.Errorf("forest: %w", err))
	}
}
