package projection

import (
	"encoding/binary"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"lightcone/memo"
)

// check reads every row of an existing file, before anything is written to it,
// and returns its tally. made is false when a crash came between the making of
// the file and its first commit.
func (f *file) check(size int64) (made bool, held tally, err error) {
	if err := f.open(bbolt.Options{ReadOnly: true}); err != nil {
		return false, tally{}, err
	}
	err = f.guard(func() error {
		return f.bolt.View(func(tx *bbolt.Tx) error {
			if tx.Size() > size {
				return f.corrupt(fmt.Errorf("%d bytes of %d are left", size, tx.Size()))
			}
			if first, _ := tx.Cursor().First(); first == nil {
				return nil
			}
			made = true
			if held, err = f.checkMeta(tx.Bucket(metaBucket)); err != nil {
				return err
			}
			return f.checkRows(tx, held)
		})
	})
	return made, held, errors.Join(err, f.bolt.Close())
}

func (f *file) checkMeta(meta *bbolt.Bucket) (tally, error) {
	if meta == nil {
		return tally{}, f.corrupt("no meta bucket")
	}
	version := meta.Get(versionKey)
	if len(version) != 8 {
		return tally{}, f.corrupt("no version in the meta bucket")
	}
	if v := binary.BigEndian.Uint64(version); v != formatVersion {
		return tally{}, fmt.Errorf("%s: %w: it has %d, this program reads %d", f.path, ErrVersion, v, formatVersion)
	}
	body, err := unseal(string(metaBucket), tallyKey, meta.Get(tallyKey))
	if err != nil {
		return tally{}, f.corrupt(err)
	}
	held, err := parseTally(body)
	if err != nil {
		return tally{}, f.corrupt(err)
	}
	return held, nil
}

// checkRows verifies that all rows are there, none is altered, and a look-up
// finds each, which the pages above it decide.
func (f *file) checkRows(tx *bbolt.Tx, want tally) error {
	found := tally{lsn: want.lsn}
	err := tx.ForEach(func(name []byte, bucket *bbolt.Bucket) error {
		switch {
		case string(name) == string(metaBucket):
			return nil
		case bucket == nil || len(name) != len(memo.SpaceID{}):
			return f.corrupt(fmt.Errorf("%q is no space's bucket", name))
		}
		last := ""
		return bucket.ForEach(func(k, v []byte) error {
			if _, _, err := unsealRow(string(name), k, v); err != nil {
				return f.corrupt(err)
			}
			if got := bucket.Get(k); string(k) <= last || len(got) != len(v) || &got[0] != &v[0] {
				return f.corrupt(fmt.Errorf("key %q is out of order", k))
			}
			last = string(k)
			found.add(v)
			return nil
		})
	})
	if err == nil && found != want {
		return f.corrupt(fmt.Errorf("it holds %d rows of %d, or others", found.rows, want.rows))
	}
	return err
}
