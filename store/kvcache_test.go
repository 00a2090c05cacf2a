package store

import (
	"encoding/binary"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"lightcone/memo"
)

// TestIndexIsReadFromMemory: memtables do not push the blocks of an index of some ten
// thousand memos out of the cache, so that what is served to peers is not read from the
// file, and unpacked, again for each run.
func TestIndexIsReadFromMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine, left out by -short")
	}
	kv, err := openPebble(filepath.Join(t.TempDir(), "kv"), vfs.Default, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer kv.Close()
	const entries = 25_000
	key := func(i int) []byte {
		id := memo.Sum(binary.BigEndian.AppendUint64(nil, uint64(i)))
		return id[:]
	}
	for i := 0; i < entries; i += 100 {
		var items []Item
		for j := i; j < i+100; j++ {
			value := make([]byte, 0, 256)
			for k := range 8 { // nothing that could be packed
				value = append(value, key(j<<8+k)...)
			}
			items = append(items, Item{Key: key(j), Value: value})
		}
		if err := kv.Apply(items); err != nil {
			t.Fatal(err)
		}
	}
	readAll := func() int64 {
		before := kv.(*pebbleKV).db.Metrics().BlockCache.Misses
		for i := range entries {
			if _, ok, err := kv.Get(key(i)); !ok || err != nil {
				t.Fatal(i, ok, err)
			}
		}
		return kv.(*pebbleKV).db.Metrics().BlockCache.Misses - before
	}
	first, again := readAll(), int64(0)
	for range 20 { // a compaction under way writes blocks anew
		if again = readAll(); again <= entries/100 {
			return
		}
	}
	t.Errorf("%d entries are read again with %d blocks from the file, %d the first time", entries, again, first)
}
