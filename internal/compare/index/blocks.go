package main

import (
	"fmt"

	"lightcone/memo"
)

// blocks is a side's block store, in memory. The rows' own blocks are shared by
// all sides, which keep them alike: a row's digest is what its CID holds.
type blocks struct {
	nodes map[memo.ID][]byte
	rows  map[memo.ID][]byte
	count
}

// count is what went through a store.
type count struct {
	reads, readBytes int // of nodes
	puts, putBytes   int // of nodes
	rowReads         int
	rowPuts, rowSize int
}

func newBlocks(rows map[memo.ID][]byte) *blocks {
	return &blocks{nodes: map[memo.ID][]byte{}, rows: rows}
}

// Block returns a node or a row's block.
func (b *blocks) Block(id memo.ID) ([]byte, error) {
	if data, ok := b.nodes[id]; ok {
		b.reads++
		b.readBytes += len(data)
		return data, nil
	}
	data, ok := b.rows[id]
	if !ok {
		return nil, fmt.Errorf("block %s: %w", id, errUnequal)
	}
	b.rowReads++
	return data, nil
}

// putNode keeps a node.
func (b *blocks) putNode(id memo.ID, data []byte) {
	b.nodes[id] = data
	b.puts++
	b.putBytes += len(data)
}

// putRow keeps a row's block.
func (b *blocks) putRow(id memo.ID, data []byte) {
	b.rows[id] = data
	b.rowPuts++
	b.rowSize += len(data)
}

// since returns what went through after an earlier count.
func (c count) since(o count) count {
	return count{
		reads: c.reads - o.reads, readBytes: c.readBytes - o.readBytes,
		puts: c.puts - o.puts, putBytes: c.putBytes - o.putBytes,
		rowReads: c.rowReads - o.rowReads,
		rowPuts:  c.rowPuts - o.rowPuts, rowSize: c.rowSize - o.rowSize,
	}
}
