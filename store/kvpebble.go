package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"lightcone/walfs"
)

// Memory of the index. A replica's index is small and mostly appended to; what does
// not fit the operating system caches, packed.
const (
	// pebbleCache is bytes of decompressed blocks and, as pebble counts, of memtables:
	// with too little for both every look-up reads and unpacks the blocks it passes.
	pebbleCache    = 32 << 20
	pebbleMemtable = 4 << 20 // bytes written to disk at once; about 20,000 memos
	// maxMemtables is how many memtables may wait to be written before Apply
	// does. Pebble's own bound, 2, could stop the replica's owner for as long as
	// the disk is full: from when Ready reports that, Apply comes to its end only.
	maxMemtables = 16
	// maxSublevels is never reached: no Apply waits for a compaction.
	maxSublevels = 1 << 20
)

// pebbleKV is the KV on disk. Pebble's own log is off: the store's log is
// replayed instead. Pebble writes memtables in the order they were filled, and
// never splits a batch, so a crash leaves a prefix.
type pebbleKV struct {
	dir    string
	fs     vfs.FS
	lock   *pebble.Lock
	logger *slog.Logger

	mu   sync.RWMutex // readers share it; what follows changes only when it is held
	db   *pebble.DB   // nil when closed: a closed pebble.DB panics
	gate *gate        // of db
}

// openPebble opens or makes the index in dir, with its files written by fs. One
// that cannot be opened, though there is room, is emptied: Open rebuilds it.
func openPebble(dir string, fsys vfs.FS, logger *slog.Logger) (KV, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	lock, err := pebble.LockDirectory(dir, vfs.Default)
	var path *fs.PathError
	switch {
	case errors.As(err, &path): // the lock file could not even be made
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("%w: lock %s: %w", ErrLocked, dir, err)
	}
	k := &pebbleKV{dir: dir, fs: fsys, lock: lock, logger: logger}
	if err := k.open(); err != nil {
		if walfs.NoSpace(err) {
			return nil, errors.Join(err, lock.Close())
		}
		logger.Warn("index cannot be opened, rebuilding it", slog.Any("cause", err))
		if err := k.Clear(); err != nil {
			return nil, errors.Join(err, lock.Close())
		}
	}
	return k, nil
}

func (k *pebbleKV) open() error {
	if err := k.removeLogs(); err != nil {
		return err
	}
	g := newGate(k.fs)
	db, err := pebble.Open(k.dir, &pebble.Options{
		FS:                          g,
		Lock:                        k.lock,
		CacheSize:                   pebbleCache,
		MemTableSize:                pebbleMemtable,
		MemTableStopWritesThreshold: maxMemtables,
		L0StopWritesThreshold:       maxSublevels,
		DisableWAL:                  true,
		FormatMajorVersion:          pebble.FormatNewest,
		Logger:                      pebbleLogger{k.logger, g},
		EventListener: &pebble.EventListener{
			// Whoever reads what is damaged gets an error; pebble's own answer is
			// to end the process.
			DataCorruption: func(i pebble.DataCorruptionInfo) { g.fail(i.Details) },
		},
	})
	if err != nil {
		return err
	}
	if err := g.opened(); err != nil {
		return errors.Join(err, db.Close())
	}
	k.db, k.gate = db, g
	return nil
}

// removeLogs removes the log that pebble makes, and leaves empty, although it is
// off. Finding one, pebble.Open flushes nothing into a new manifest and waits for
// that, which on a full disk fails again and again, for ever.
func (k *pebbleKV) removeLogs() error {
	names, err := k.fs.List(k.dir)
	for _, name := range names {
		if filepath.Ext(name) == ".log" && err == nil {
			err = k.fs.Remove(filepath.Join(k.dir, name))
		}
	}
	return err
}

// shut closes the index, if it is open. That pebble could not write what it was
// at is no error: whoever needs to know that all is written has called Flush. The
// caller holds mu.
func (k *pebbleKV) shut() error {
	if k.db == nil {
		return nil
	}
	k.gate.close()
	err := k.db.Close()
	k.db = nil
	if told := k.gate.told(); told != nil {
		k.logger.Debug("the index was cut off", slog.Any("cause", told))
		return nil
	}
	return err
}

func (k *pebbleKV) Get(key []byte) ([]byte, bool, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.db == nil {
		return nil, false, ErrClosed
	}
	v, closer, err := k.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	return slices.Clone(v), true, closer.Close()
}

func (k *pebbleKV) Scan(from, to []byte) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		k.mu.RLock()
		defer k.mu.RUnlock()
		if k.db == nil {
			yield(Item{}, ErrClosed)
			return
		}
		it, err := k.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
		if err != nil {
			yield(Item{}, err)
			return
		}
		more := true
		for it.First(); more && it.Valid(); it.Next() {
			var v []byte
			if v, err = it.ValueAndErr(); err != nil {
				break
			}
			more = yield(Item{it.Key(), v}, nil)
		}
		if err = errors.Join(err, it.Close()); err != nil && more {
			yield(Item{}, err)
		}
	}
}

func (k *pebbleKV) Apply(changes []Item) error {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.db == nil {
		return ErrClosed
	}
	b := k.db.NewBatch()
	for _, c := range changes {
		var err error
		if c.Value == nil {
			err = b.Delete(c.Key, nil)
		} else {
			err = b.Set(c.Key, c.Value, nil)
		}
		if err != nil {
			return errors.Join(err, b.Close())
		}
	}
	return errors.Join(b.Commit(pebble.NoSync), b.Close())
}

func (k *pebbleKV) Flush(wait bool) error {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.db == nil {
		return ErrClosed
	}
	if err := k.gate.ready(); err != nil {
		return err
	}
	done, err := k.db.AsyncFlush()
	for err == nil && wait {
		select {
		case <-done:
			return nil
		case <-k.gate.waiting():
			err = k.gate.ready()
		}
	}
	return err
}

func (k *pebbleKV) Ready() error {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.db == nil {
		return ErrClosed
	}
	return k.gate.ready()
}

// Clear deletes every file but the lock and opens an empty index.
func (k *pebbleKV) Clear() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	// What closing says of a damaged index does not matter any more.
	if err := k.shut(); err != nil {
		k.logger.Debug("close the old index", slog.Any("cause", err))
	}
	entries, err := os.ReadDir(k.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == "LOCK" {
			continue
		}
		if err := os.RemoveAll(filepath.Join(k.dir, e.Name())); err != nil {
			return err
		}
	}
	return k.open()
}

func (k *pebbleKV) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.db == nil {
		return ErrClosed
	}
	return errors.Join(k.shut(), k.lock.Close())
}

// pebbleLogger keeps pebble's chatter out of the program's log.
type pebbleLogger struct {
	log  *slog.Logger
	gate *gate
}

func (pebbleLogger) Infof(string, ...any) {}

func (l pebbleLogger) Errorf(format string, args ...any) {
	level := slog.LevelWarn
	if !l.gate.used() { // whoever opens or closes is told
		level = slog.LevelDebug
	}
	l.log.Log(context.Background(), level, "index", slog.String("text", fmt.Sprintf(format, args...)))
}

// Fatalf is called for a manifest that cannot be written. The gate lets that
// happen only while the index opens or closes; pebble returns the error then. Any
// other call is a mistake of pebble's, after which it must not go on.
func (l pebbleLogger) Fatalf(format string, args ...any) {
	if l.gate.used() {
		panic("index: " + fmt.Sprintf(format, args...))
	}
	l.Errorf(format, args...)
}
