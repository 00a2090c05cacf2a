package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/bluesky-social/indigo/mst"
	"github.com/bluesky-social/indigo/util"
	block "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	cbor "github.com/ipfs/go-ipld-cbor"

	"lightcone/memo"
)

// indigoTree is indigo's package mst, the tree that works on a block store: it
// loads nodes when they are first needed and keeps them in memory for as long as
// a tree is in use. Every operation begins with the root's CID alone.
type indigoTree struct {
	b   *blocks
	bs  cidStore
	cst cbor.IpldStore
}

func newIndigoTree(b *blocks) *indigoTree {
	bs := cidStore{b}
	return &indigoTree{b: b, bs: bs, cst: util.CborStore(bs)}
}

// cidStore is a block store that is asked by CID.
type cidStore struct{ b *blocks }

func (s cidStore) Get(_ context.Context, c cid.Cid) (block.Block, error) {
	data, err := s.b.Block(idOf(c))
	if err != nil {
		return nil, err
	}
	return block.NewBlockWithCid(data, c)
}

// View spares indigo the block around the data.
func (s cidStore) View(c cid.Cid, visit func([]byte) error) error {
	data, err := s.b.Block(idOf(c))
	if err != nil {
		return err
	}
	return visit(data)
}

func (s cidStore) Put(_ context.Context, blk block.Block) error {
	s.b.putNode(idOf(blk.Cid()), blk.RawData())
	return nil
}

// sha256Head begins a multihash of a SHA-256: its code and length.
const sha256Head = "\x12\x20"

// cidOf returns the CID of a dag-cbor block.
func cidOf(id memo.ID) cid.Cid {
	return cid.NewCidV1(cid.DagCBOR, append([]byte(sha256Head), id[:]...))
}

func idOf(c cid.Cid) memo.ID { return memo.ID(c.Hash()[len(sha256Head):]) }

// build adds the entries one by one to a tree in memory and then stores it, which
// is the way indigo has.
func (t *indigoTree) build(in []entry) (memo.ID, error) {
	return t.set(mst.NewEmptyMST(t.cst), in)
}

func (t *indigoTree) apply(root memo.ID, batch []entry) (memo.ID, error) {
	return t.set(mst.LoadMST(t.cst, cidOf(root)), batch)
}

// set adds or updates keys and stores the nodes that changed.
func (t *indigoTree) set(m *mst.MerkleSearchTree, in []entry) (memo.ID, error) {
	ctx := context.Background()
	var err error
	for _, e := range in {
		if e.fresh {
			m, err = m.Add(ctx, e.key, cidOf(e.row), -1)
		} else {
			m, err = m.Update(ctx, e.key, cidOf(e.row))
		}
		if err != nil {
			return memo.ID{}, err
		}
	}
	c, err := m.GetPointer(ctx)
	if err != nil {
		return memo.ID{}, err
	}
	return idOf(c), nil
}

func (t *indigoTree) scan(root memo.ID, visit func(entry) error) error {
	m := mst.LoadMST(t.cst, cidOf(root))
	return m.WalkLeavesFromNocache(context.Background(), "", func(key string, c cid.Cid) error {
		return visit(entry{key: key, row: idOf(c)})
	})
}

func (t *indigoTree) get(root memo.ID, key string) (memo.ID, bool, error) {
	c, err := mst.LoadMST(t.cst, cidOf(root)).Get(context.Background(), key)
	if err != nil {
		return memo.ID{}, false, err
	}
	return idOf(c), true, nil
}

func (t *indigoTree) diff(a, b memo.ID) ([]entry, error) {
	ops, err := mst.DiffTrees(context.Background(), t.bs, cidOf(a), cidOf(b))
	if err != nil {
		return nil, err
	}
	out := make([]entry, 0, len(ops))
	for _, op := range ops {
		if op.Op == "del" {
			return nil, fmt.Errorf("%w: key %q is gone", errUnequal, op.Rpath)
		}
		out = append(out, entry{key: op.Rpath, row: idOf(op.NewCid), fresh: op.Op == "add"})
	}
	return out, nil
}

// merge applies to a what b changed of base. indigo has no merge: without the
// base nobody could tell which of two records is the newer one, and of a record
// that both changed it takes b's.
func (t *indigoTree) merge(base, a, b memo.ID) (memo.ID, error) {
	changed, err := t.diff(base, b)
	if err != nil {
		return memo.ID{}, err
	}
	return t.apply(a, changed)
}

// prove notes what a read loads.
func (t *indigoTree) prove(root memo.ID, key string) (proof [][]byte, err error) {
	cst := util.CborStore(tracedStore{t.bs, &proof})
	_, err = mst.LoadMST(cst, cidOf(root)).Get(context.Background(), key)
	return proof, err
}

// tracedStore keeps what is read through it.
type tracedStore struct {
	cidStore
	read *[][]byte
}

func (s tracedStore) View(c cid.Cid, visit func([]byte) error) error {
	return s.cidStore.View(c, func(data []byte) error {
		*s.read = append(*s.read, data)
		return visit(data)
	})
}

// verify hashes the blocks, as a reader of a CAR file does, and reads the key from
// those alone.
func (t *indigoTree) verify(root memo.ID, key string, proof [][]byte) (row memo.ID, err error) {
	path := make(pathStore, len(proof))
	for _, data := range proof {
		path[memo.Sum(data)] = data
	}
	c, err := mst.LoadMST(util.CborStore(path), cidOf(root)).Get(context.Background(), key)
	if err != nil {
		return row, err
	}
	return idOf(c), nil
}

// pathStore holds the blocks of a path and takes no more.
type pathStore map[memo.ID][]byte

func (s pathStore) View(c cid.Cid, visit func([]byte) error) error {
	data, ok := s[idOf(c)]
	if !ok {
		return fmt.Errorf("block %s: %w", c, errUnequal)
	}
	return visit(data)
}

func (s pathStore) Get(_ context.Context, c cid.Cid) (block.Block, error) {
	return block.NewBlockWithCid(s[idOf(c)], c)
}

func (s pathStore) Put(context.Context, block.Block) error { return errors.ErrUnsupported }

func (t *indigoTree) shape(root memo.ID) (s shape, err error) {
	return s, t.walk(root, 1, &s)
}

func (t *indigoTree) walk(id memo.ID, depth int, s *shape) error {
	data, err := t.b.Block(id)
	if err != nil {
		return err
	}
	var n mst.NodeData
	if err := n.UnmarshalCBOR(bytes.NewReader(data)); err != nil {
		return err
	}
	s.add(depth, len(n.Entries), len(data))
	children := []*cid.Cid{n.Left}
	for _, e := range n.Entries {
		children = append(children, e.Tree)
	}
	for _, c := range children {
		if c == nil {
			continue
		}
		if err := t.walk(idOf(*c), depth+1, s); err != nil {
			return err
		}
	}
	return nil
}
