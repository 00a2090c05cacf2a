package main

import (
	"context"
	"fmt"

	"github.com/bluesky-social/indigo/atproto/repo/mst"
	block "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	blockstore "github.com/ipfs/go-ipfs-blockstore"

	"lightcone/memo"
)

// residentTree is indigo's newer package atproto/repo/mst: one tree, all of it
// decoded in memory and changed in place. It reads nothing, knows its newest
// root only, and stores the nodes that changed.
type residentTree struct {
	b    *blocks
	tree mst.Tree
	root memo.ID
}

// onlyPut is the part of a blockstore that the tree uses.
type onlyPut struct {
	blockstore.Blockstore // nil
	cidStore
}

func (s onlyPut) Get(ctx context.Context, c cid.Cid) (block.Block, error) {
	return s.cidStore.Get(ctx, c)
}

func (s onlyPut) Put(ctx context.Context, b block.Block) error { return s.cidStore.Put(ctx, b) }

func (t *residentTree) build(in []entry) (memo.ID, error) {
	t.tree = mst.NewEmptyTree()
	t.root = memo.ID{}
	return t.apply(t.root, in)
}

func (t *residentTree) apply(root memo.ID, batch []entry) (memo.ID, error) {
	if root != t.root {
		return memo.ID{}, fmt.Errorf("%w: root %s is not the newest, %s", errUnequal, root, t.root)
	}
	for _, e := range batch {
		if _, err := t.tree.Insert([]byte(e.key), cidOf(e.row)); err != nil {
			return memo.ID{}, err
		}
	}
	c, err := t.tree.WriteDiffBlocks(context.Background(), onlyPut{cidStore: cidStore{t.b}})
	if err != nil {
		return memo.ID{}, err
	}
	t.root = idOf(*c)
	return t.root, nil
}

func (t *residentTree) scan(_ memo.ID, visit func(entry) error) error {
	return t.tree.Walk(func(key []byte, c cid.Cid) error {
		return visit(entry{key: string(key), row: idOf(c)})
	})
}
