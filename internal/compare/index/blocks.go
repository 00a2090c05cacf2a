package main

import (
	"fmt"

	"lightcone/memo"
)

// blocks is a side's block store, in memory. The rows' own blocks are shared by
// all sides, which keep them alike: a row's digest is what its CID holds.
type blocks struct {
	nodes, rows *heap
	count
}

// heap keeps blocks in chunks without pointers, so that the garbage collector,
// whose time counts, does not look at each.
type heap struct {
	at     map[memo.ID]span
	chunks [][]byte
}

type span struct{ chunk, from, to uint32 }

// chunkSize is the bytes of a chunk; a block that is longer has one of its own.
const chunkSize = 4 << 20

func newHeap() *heap { return &heap{at: map[memo.ID]span{}} }

// put keeps a copy of a block.
func (h *heap) put(id memo.ID, data []byte) {
	last := len(h.chunks) - 1
	if last < 0 || len(h.chunks[last])+len(data) > cap(h.chunks[last]) {
		h.chunks = append(h.chunks, make([]byte, 0, max(chunkSize, len(data))))
		last++
	}
	from := len(h.chunks[last])
	h.chunks[last] = append(h.chunks[last], data...)
	h.at[id] = span{uint32(last), uint32(from), uint32(from + len(data))}
}

// get returns a block, nil if there is none.
func (h *heap) get(id memo.ID) []byte {
	s, ok := h.at[id]
	if !ok {
		return nil
	}
	return h.chunks[s.chunk][s.from:s.to:s.to]
}

// count is what went through a store.
type count struct {
	reads, readBytes int // of nodes
	puts, putBytes   int // of nodes
	rowReads         int
	rowPuts, rowSize int
}

func newBlocks(rows *heap) *blocks { return &blocks{nodes: newHeap(), rows: rows} }

// Block returns a node or a row's block.
func (b *blocks) Block(id memo.ID) ([]byte, error) {
	if data := b.nodes.get(id); data != nil {
		b.reads++
		b.readBytes += len(data)
		return data, nil
	}
	data := b.rows.get(id)
	if data == nil {
		return nil, fmt.Errorf("block %s: %w", id, errUnequal)
	}
	b.rowReads++
	return data, nil
}

// putNode keeps a node.
func (b *blocks) putNode(id memo.ID, data []byte) {
	b.nodes.put(id, data)
	b.puts++
	b.putBytes += len(data)
}

// putRow keeps a row's block.
func (b *blocks) putRow(id memo.ID, data []byte) {
	b.rows.put(id, data)
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
