package store

import "iter"

// KV is the seam to the index: an ordered map from bytes to bytes. The owner of
// the store writes; any goroutine reads.
type KV interface {
	// Get returns a copy of the value, and whether there is one.
	Get(key []byte) ([]byte, bool, error)
	// Scan yields the items with from ≤ key < to, ascending. An item is valid
	// until the next step. An error ends the scan. The loop must not write.
	Scan(from, to []byte) iter.Seq2[Item, error]
	// Apply makes all changes visible at once. It keeps no slice of them. What
	// survives a crash is a prefix of the calls.
	Apply(changes []Item) error
	// Flush makes what was applied so far survive a crash: before it returns when
	// wait is set, else soon after. It does not wait for what Ready reports.
	Flush(wait bool) error
	// Ready returns why what is applied now would have to stay in memory, nil if
	// it would not. An error that wraps ErrFull ends by itself.
	Ready() error
	// Clear empties the map, also one whose files are damaged. Only Open calls it.
	Clear() error
	// Close lets go of the map. What was not flushed may be lost.
	Close() error
}

// Item is a key with its value; in Apply, a nil Value deletes the key.
type Item struct{ Key, Value []byte }
