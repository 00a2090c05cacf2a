package projection

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"sync"
	"syscall"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"lightcone/merge"
)

// fileMode keeps rows from other users of the machine.
const fileMode = 0o600

// ErrCorrupt reports a file that is damaged. Nothing is lost by deleting it.
var ErrCorrupt = errors.New("projection file is damaged: delete it and it is rebuilt from the log")

// ErrVersion reports a file of another format. Nothing is lost by deleting it.
var ErrVersion = errors.New("projection file has another format version: delete it and it is rebuilt from the log")

// ErrLocked reports a file that another process has open.
var ErrLocked = errors.New("projection file is in use by another process: stop that one, or use another directory")

// file is the bbolt file and the read transactions open on it.
type file struct {
	path string
	bolt *bbolt.DB // nil: there is no file, and nothing in it
	held tally     // of the last commit; used by who commits

	mu    sync.Mutex
	bases map[*base]struct{} // those not yet closed
}

// openFile checks and opens the file at path, or makes one.
func openFile(path string) (f *file, err error) {
	f = &file{path: path, bases: map[*base]struct{}{}}
	made := false
	if info, err := os.Stat(path); err == nil && info.Size() > 0 {
		if made, f.held, err = f.check(info.Size()); err != nil {
			return nil, err
		}
	}
	// The freelist is stored, though bbolt could work it out anew: it does that in
	// a goroutine of its own, whose faults on a damaged page nobody can catch.
	if err := f.open(bbolt.Options{
		InitialMmapSize: MaxFileBytes, MaxSize: MaxFileBytes, FreelistType: bbolt.FreelistMapType,
	}); err != nil {
		return nil, err
	}
	f.bolt.AllocSize = growBytes
	if !made {
		if err := f.commit(newTree(), 0); err != nil {
			return nil, errors.Join(err, f.bolt.Close())
		}
	}
	return f, nil
}

// open opens the file with bbolt and tells its failures apart. If bbolt panics on
// a damaged freelist, its memory map and so its lock on that inode stay for the
// life of the process; a file made after deleting that one is free of them.
func (f *file) open(o bbolt.Options) error {
	o.Timeout, o.NoStatistics = lockTimeout, true
	return f.guard(func() (err error) {
		f.bolt, err = bbolt.Open(f.path, fileMode, &o)
		var pathErr *fs.PathError
		var errno syscall.Errno
		switch {
		case err == nil:
			return nil
		case errors.Is(err, berrors.ErrTimeout):
			return fmt.Errorf("open %s: %w", f.path, ErrLocked)
		case errors.As(err, &pathErr) || errors.As(err, &errno):
			return fmt.Errorf("open projection %s: %w", f.path, err)
		default:
			return f.corrupt(err)
		}
	})
}

// close ends every base, whoever still uses it, and closes the file.
func (f *file) close() error {
	f.mu.Lock()
	open := f.bases
	f.bases = nil
	f.mu.Unlock()
	for b := range open {
		b.close()
	}
	if f.bolt == nil {
		return nil
	}
	if err := f.bolt.Close(); err != nil {
		return fmt.Errorf("close projection %s: %w", f.path, err)
	}
	return nil
}

// begin opens the base of the last commit. Only who commits may call it.
func (f *file) begin() (*base, error) {
	tx, err := f.bolt.Begin(false)
	if err != nil {
		return nil, fmt.Errorf("read projection %s: %w", f.path, err)
	}
	b := &base{lsn: f.held.lsn, file: f, tx: tx}
	b.refs.Store(1)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bases[b] = struct{}{}
	return b, nil
}

func (f *file) forget(b *base) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.bases, b)
}

// commit writes rows and the LSN they reach in one transaction, synced.
func (f *file) commit(rows *tree, lsn uint64) error {
	next := f.held
	next.lsn = lsn
	err := f.guard(func() error {
		return f.bolt.Update(func(tx *bbolt.Tx) error {
			if err := putRows(tx, rows, &next); err != nil {
				return err
			}
			meta, err := tx.CreateBucketIfNotExists(metaBucket)
			if err != nil {
				return err
			}
			if err := meta.Put(versionKey, binary.BigEndian.AppendUint64(nil, formatVersion)); err != nil {
				return err
			}
			return meta.Put(tallyKey, seal(string(metaBucket), tallyKey, next.body()))
		})
	})
	if err != nil {
		return fmt.Errorf("write projection %s: %w", f.path, err)
	}
	f.held = next
	return nil
}

// putRows writes rows, which are sorted by space and then by key.
func putRows(tx *bbolt.Tx, rows *tree, t *tally) (err error) {
	var bucket *bbolt.Bucket
	var last string // the space of bucket
	rows.Scan(func(it item) bool {
		space, rowKey := splitTableKey(it.key)
		if space != last {
			if bucket, err = tx.CreateBucketIfNotExists([]byte(space)); err != nil {
				return false
			}
			last, bucket.FillPercent = space, fillPercent
		}
		err = putRow(bucket, space, []byte(rowKey), it.row, t)
		return err == nil
	})
	return err
}

func putRow(bucket *bbolt.Bucket, space string, key []byte, row *merge.Row, t *tally) error {
	body, err := rowBody(row)
	if err != nil {
		return err
	}
	if old := bucket.Get(key); old != nil {
		t.remove(old)
	}
	value := seal(space, key, body)
	t.add(value)
	return bucket.Put(key, value)
}

func (f *file) corrupt(cause any) error {
	if err, ok := cause.(error); ok {
		return fmt.Errorf("%s: %w: %w", f.path, ErrCorrupt, err)
	}
	return fmt.Errorf("%s: %w: %v", f.path, ErrCorrupt, cause)
}

// guard runs fn, which calls bbolt, and turns what a damaged file makes of that
// into ErrCorrupt: bbolt panics on pages that make no sense, and memory mapped
// beyond the end of a file faults.
func (f *file) guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = f.corrupt(r)
		}
	}()
	return fn()
}
