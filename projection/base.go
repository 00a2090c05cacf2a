package projection

import (
	"bytes"
	"sync"
	"sync/atomic"

	"go.etcd.io/bbolt"

	"lightcone/merge"
)

// base is the file as of one commit: a read transaction, shared by all views of
// its generation and closed with the last of them. Transactions of bbolt are not
// made for concurrent use, so mu is held for each short read, never while
// anything is yielded.
type base struct {
	lsn  uint64 // what the transaction's rows reach
	file *file
	refs atomic.Int64

	mu sync.Mutex
	tx *bbolt.Tx // nil once closed
}

// retain takes a reference, or fails because the last one is gone.
func (b *base) retain() bool {
	for {
		n := b.refs.Load()
		if n == 0 {
			return false
		}
		if b.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// release gives a reference back.
func (b *base) release() {
	if b.refs.Add(-1) == 0 {
		b.file.forget(b)
		b.close()
	}
}

func (b *base) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tx != nil {
		_ = b.tx.Rollback() // ends a read; it fails only when ended before
		b.tx = nil
	}
}

// read runs fn on the bucket of a space, unless the space has none.
func (b *base) read(space string, fn func(*bbolt.Bucket) error) error {
	if b.file.bolt == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tx == nil {
		return ErrClosed
	}
	return b.file.guard(func() error {
		if bucket := b.tx.Bucket([]byte(space)); bucket != nil {
			return fn(bucket)
		}
		return nil
	})
}

// get returns a copy of a row's state, nil when the file has none.
func (b *base) get(space, rowKey string) (state []byte, err error) {
	err = b.read(space, func(bucket *bbolt.Bucket) error {
		key := []byte(rowKey)
		value := bucket.Get(key)
		if value == nil {
			return nil
		}
		_, raw, err := unsealRow(space, key, value)
		if err != nil {
			return b.file.corrupt(err)
		}
		state = bytes.Clone(raw)
		return nil
	})
	return state, err
}

// chunk returns the first n rows of a space within s, or all if they are fewer.
func (b *base) chunk(space string, s span, n int) (rows []entry, err error) {
	err = b.read(space, func(bucket *bbolt.Bucket) error {
		c := bucket.Cursor()
		next := c.Next
		k, v := c.Seek([]byte(s.lo))
		if s.reverse {
			next = c.Prev
			k, v = lastBelow(c, s.hi)
		}
		for ; k != nil && len(rows) < n && s.holds(string(k)); k, v = next() {
			live, raw, err := unsealRow(space, k, v)
			if err != nil {
				return b.file.corrupt(err)
			}
			rows = append(rows, entry{key: string(k), live: live, state: bytes.Clone(raw)})
		}
		return nil
	})
	return rows, err
}

// lastBelow goes to the last key below hi, of all keys when it is empty.
func lastBelow(c *bbolt.Cursor, hi string) (k, v []byte) {
	if hi == "" {
		return c.Last()
	}
	if k, _ := c.Seek([]byte(hi)); k == nil {
		return c.Last()
	}
	return c.Prev()
}

// decode reads a row state that came from the file.
func (b *base) decode(state []byte) (merge.Row, error) {
	row, err := merge.DecodeRow(state)
	if err != nil {
		return merge.Row{}, b.file.corrupt(err)
	}
	return row, nil
}
