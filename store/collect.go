package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"lightcone/memo"
	"lightcone/merge"
)

// collectBatch is how many blocks are deleted at once: writers wait that long.
const collectBatch = 1000

// Collected is what a collection did.
type Collected struct {
	Pins   int // roots that were forgotten
	Blocks int // blocks that were deleted
	Kept   int // blocks that pinned roots need, or that came meanwhile
}

// Collect forgets the roots whose time has passed, but for the space's own latest,
// and deletes the blocks that no pinned root needs. It may take seconds; blocks are
// written and roots pinned meanwhile, as long as what is pinned was derived from
// blocks written after Collect began or from a root that was pinned then.
//
// Memory: 8 bytes for each block that is kept, and a map around them.
func (b *Blocks) Collect(now time.Time) (Collected, error) {
	var c Collected
	b.mu.Lock()
	began := b.stamp
	b.mu.Unlock()
	needed := map[uint64]struct{}{} // by the first 8 bytes: a clash keeps a block for nothing
	mark := func(id memo.ID) bool {
		short := binary.BigEndian.Uint64(id[:])
		_, seen := needed[short]
		needed[short] = struct{}{}
		return !seen
	}
	pins, err := b.Pins()
	if err != nil {
		return c, err
	}
	for i, p := range pins {
		if p.Until.Before(now) && (i > 0 || p.LSN == 0) {
			forgotten, err := b.forget(p, now)
			if err != nil {
				return c, err
			}
			if forgotten {
				c.Pins++
				continue
			}
		}
		if err := b.markRoot(p, mark); err != nil {
			return c, err
		}
	}
	return c, b.sweep(&c, began, needed)
}

// forget removes a pin unless it was made longer meanwhile.
func (b *Blocks) forget(p Pin, now time.Time) (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := blockKey(prefixPin, b.space, p.Root)
	value, ok, err := b.kv.Get(key)
	if err != nil || !ok {
		return false, err
	}
	if p, err = decodePin(key, value); err != nil || !p.Until.Before(now) {
		return false, err
	}
	return true, b.apply([]Item{{Key: key}})
}

func (b *Blocks) markRoot(p Pin, mark func(memo.ID) bool) error {
	data, err := b.Block(p.Root)
	if p.Foreign && errors.Is(err, ErrNoBlock) {
		return nil // nothing of it came yet
	}
	if err != nil {
		return err
	}
	root, err := merge.DecodeRoot(data)
	if err != nil {
		return err
	}
	mark(p.Root)
	if !p.Foreign {
		return merge.Reach(b, root, mark)
	}
	return merge.Reach(b, root, func(id memo.ID) bool {
		_, err := b.Block(id)
		return !errors.Is(err, ErrNoBlock) && mark(id)
	})
}

// sweep deletes what was written up to the stamp began and is not needed.
func (b *Blocks) sweep(c *Collected, began uint64, needed map[uint64]struct{}) error {
	var garbage []memo.ID
	for it, err := range scan(b.kv, spaceKey(prefixStamp, b.space)) {
		if err != nil {
			return err
		}
		k := fields{b: it.Key[33:]}
		id := k.id()
		if err := k.end(); err != nil {
			return err
		}
		if _, ok := needed[binary.BigEndian.Uint64(id[:])]; ok {
			c.Kept++
			continue
		}
		garbage = append(garbage, id)
	}
	for len(garbage) > 0 {
		n := min(len(garbage), collectBatch)
		deleted, err := b.delete(garbage[:n], began)
		c.Blocks += deleted
		c.Kept += n - deleted
		if err != nil {
			return err
		}
		garbage = garbage[n:]
	}
	return nil
}

// delete removes blocks that were not written again after the stamp began.
func (b *Blocks) delete(ids []memo.ID, began uint64) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var batch []Item
	for _, id := range ids {
		value, ok, err := b.kv.Get(blockKey(prefixStamp, b.space, id))
		if err != nil {
			return 0, fmt.Errorf("%w: %w", errIndex, err)
		}
		if f := (fields{b: value}); ok && f.uint() <= began {
			batch = append(batch, Item{Key: blockKey(prefixBlock, b.space, id)}, Item{Key: blockKey(prefixStamp, b.space, id)})
		}
	}
	return len(batch) / 2, b.apply(batch)
}
