package store

import (
	"bytes"
	"iter"
	"sync"

	"github.com/tidwall/btree"
)

// memoryKV is the KV of simulations and tests. It outlives Close, as a disk
// outlives the process that wrote it, so that a store can be opened again on it.
type memoryKV struct {
	mu   sync.RWMutex
	tree *btree.BTreeG[Item]
}

// NewMemoryKV returns an empty index in memory.
func NewMemoryKV() KV {
	return &memoryKV{tree: newItems()}
}

func newItems() *btree.BTreeG[Item] {
	return btree.NewBTreeGOptions(
		func(a, b Item) bool { return bytes.Compare(a.Key, b.Key) < 0 },
		btree.Options{NoLocks: true},
	)
}

func (k *memoryKV) Get(key []byte) ([]byte, bool, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	it, ok := k.tree.Get(Item{Key: key})
	return bytes.Clone(it.Value), ok, nil
}

func (k *memoryKV) Scan(from, to []byte) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		k.mu.RLock()
		defer k.mu.RUnlock()
		k.tree.Ascend(Item{Key: from}, func(it Item) bool {
			return bytes.Compare(it.Key, to) < 0 && yield(it, nil)
		})
	}
}

func (k *memoryKV) Apply(changes []Item) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range changes {
		if c.Value == nil {
			k.tree.Delete(c)
			continue
		}
		k.tree.Set(Item{Key: bytes.Clone(c.Key), Value: bytes.Clone(c.Value)})
	}
	return nil
}

func (k *memoryKV) Flush(bool) error { return nil }

func (k *memoryKV) Ready() error { return nil }

func (k *memoryKV) Clear() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tree = newItems()
	return nil
}

func (k *memoryKV) Close() error { return nil }
