package store

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"lightcone/memo"
	"lightcone/merge"
)

// ErrNoBlock reports a block that is not held here. It is merge's own error: who
// reads a tree need not know where its blocks are kept.
var ErrNoBlock = merge.ErrNoBlock

// blockBatch is how many bytes of blocks are written to the index at once.
const blockBatch = 1 << 20

// Blocks are the nodes, row states and roots of one space that were computed here
// or fetched. They are derived: not in the log, recomputed when the index is lost,
// and collected when no pinned root needs them. Each space has its own, so that
// knowing a digest gets nobody a block of a space he has no part in. Any goroutine
// may use it.
type Blocks struct {
	*blockStore
	space memo.SpaceID
}

// blockStore is what the Blocks of all spaces share.
type blockStore struct {
	kv KV

	mu    sync.Mutex
	stamp uint64 // of the last write; tells a collection what came after it began
	dead  error  // why nothing can be written any more
}

func openBlocks(kv KV) (*blockStore, error) {
	value, ok, err := kv.Get([]byte(stampKey))
	if err != nil || !ok {
		return &blockStore{kv: kv}, err
	}
	f := fields{b: value}
	return &blockStore{kv: kv, stamp: f.uint()}, f.end()
}

func (b *blockStore) of(space memo.SpaceID) *Blocks { return &Blocks{b, space} }

// Block returns a block; ErrNoBlock when it is not held. It makes Blocks a
// merge.BlockGetter.
func (b *Blocks) Block(id memo.ID) ([]byte, error) {
	data, ok, err := b.kv.Get(blockKey(prefixBlock, b.space, id))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errIndex, err)
	case !ok:
		return nil, fmt.Errorf("%w: %s", ErrNoBlock, id)
	}
	return data, nil
}

// Write calls f with a merge.BlockPutter and keeps what f puts. What was written
// stays at least until a collection that begins later; pin a root before that.
func (b *Blocks) Write(f func(put merge.BlockPutter) error) error {
	w := &blockWriter{blocks: b}
	if err := f(w); err != nil {
		return err
	}
	return w.flush()
}

// blockWriter gathers blocks into batches.
type blockWriter struct {
	blocks *Blocks
	batch  []Item
	bytes  int
}

func (w *blockWriter) PutBlock(id memo.ID, data []byte) error {
	space := w.blocks.space
	w.batch = append(w.batch, Item{blockKey(prefixBlock, space, id), data}, Item{Key: blockKey(prefixStamp, space, id)})
	if w.bytes += len(data); w.bytes < blockBatch {
		return nil
	}
	return w.flush()
}

func (w *blockWriter) flush() error {
	if len(w.batch) == 0 {
		return nil
	}
	b := w.blocks
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stamp++
	stamp := binary.AppendUvarint(nil, b.stamp)
	for i := 1; i < len(w.batch); i += 2 {
		w.batch[i].Value = stamp
	}
	err := b.apply(append(w.batch, Item{[]byte(stampKey), stamp}))
	clear(w.batch)
	w.batch, w.bytes = w.batch[:0], 0
	return err
}

func (b *blockStore) apply(batch []Item) error {
	if b.dead != nil {
		return b.dead
	}
	if err := b.kv.Apply(batch); err != nil {
		return fmt.Errorf("%w: %w", errIndex, err)
	}
	return nil
}

// Flush makes everything written and pinned so far survive a crash, that of other
// spaces too.
func (b *Blocks) Flush() error {
	if err := b.kv.Flush(true); err != nil {
		return fmt.Errorf("%w: %w", errIndex, err)
	}
	return nil
}

// stop refuses all writing from now on.
func (b *blockStore) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dead = ErrClosed
}

// Pin says that a root is to be kept.
type Pin struct {
	Root  memo.ID   // of the encoded merge.Root
	Until time.Time // in ms; a collection after that may forget it
	LSN   uint64    // the log's place whose sealed state it is, 0 for a root of another cut
	// Foreign says that the root came from a peer: its vector is what its digest says,
	// its state that peer's word, and either may be here in part only.
	Foreign bool
}

// Pin keeps a root, all of whose blocks were written unless it is Foreign, until the
// later of p.Until and what an earlier pin of it says. Once computed here, it is
// Foreign no more.
func (b *Blocks) Pin(p Pin) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := blockKey(prefixPin, b.space, p.Root)
	old, ok, err := b.kv.Get(key)
	if err != nil {
		return fmt.Errorf("%w: %w", errIndex, err)
	}
	if ok {
		was, err := decodePin(key, old)
		if err != nil {
			return err
		}
		if was.Until.After(p.Until) {
			p.Until = was.Until
		}
		p.LSN, p.Foreign = max(p.LSN, was.LSN), p.Foreign && was.Foreign
	}
	return b.apply([]Item{{key, p.encode()}})
}

// Pinned returns the pin of a root, if there is one.
func (b *Blocks) Pinned(root memo.ID) (p Pin, ok bool, err error) {
	key := blockKey(prefixPin, b.space, root)
	value, ok, err := b.kv.Get(key)
	if err != nil {
		return Pin{}, false, fmt.Errorf("%w: %w", errIndex, err)
	}
	if ok {
		p, err = decodePin(key, value)
	}
	return p, ok, err
}

// Pins returns the pinned roots, those of the latest LSN first.
func (b *Blocks) Pins() ([]Pin, error) {
	var pins []Pin
	for it, err := range scan(b.kv, spaceKey(prefixPin, b.space)) {
		if err != nil {
			return nil, err
		}
		p, err := decodePin(it.Key, it.Value)
		if err != nil {
			return nil, err
		}
		pins = append(pins, p)
	}
	slices.SortStableFunc(pins, func(a, b Pin) int { return -cmp.Compare(a.LSN, b.LSN) })
	return pins, nil
}

func (p Pin) encode() []byte {
	b := binary.AppendUvarint(binary.AppendUvarint(nil, uint64(max(p.Until.UnixMilli(), 0))), p.LSN)
	if p.Foreign {
		return append(b, 1)
	}
	return append(b, 0)
}

func decodePin(key, value []byte) (Pin, error) {
	k, f := fields{b: key[33:]}, fields{b: value}
	p := Pin{Root: k.id(), Until: time.UnixMilli(int64(f.uint())), LSN: f.uint(), Foreign: f.uint() == 1}
	return p, errors.Join(k.end(), f.end())
}
