package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"

	"lightcone/walfs"
)

// closedFile says, from Close to the next Open, with which record the log ended: an LSN
// of 8 bytes and their checksum. It lies on the log's FS. Open removes it durably before anything is
// appended, so it is there, and true, only if nothing happened since. Nothing makes it
// durable: without it the next Open takes the stop for an unclean one, which costs little.
const closedFile = "closed"

const closedSize = 8 + 4

// Clean reports whether whoever had the store open before closed it, and the log ends
// where it did then; or whether nobody had. Else a process or machine died, or the log
// is not the one that was there last: it may lack own memos that left this replica.
func (s *Store) Clean() bool { return s.clean }

// untouched reports whether there is no log in dir yet.
func untouched(files walfs.FS, dir string) (bool, error) {
	names, err := files.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	return len(names) == 0, err
}

// takeClosed reads and removes what Close left.
func (s *Store) takeClosed() error {
	name := filepath.Join(s.dir, closedFile)
	f, err := s.files.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open %s: %w", name, err)
	}
	b := make([]byte, closedSize)
	_, unread := f.ReadAt(b, 0) // too short, as after a power cut: not closed
	if err := f.Close(); err != nil {
		return fmt.Errorf("close %s: %w", name, err)
	}
	lsn := binary.BigEndian.Uint64(b)
	s.clean = unread == nil && binary.BigEndian.Uint32(b[8:]) == checksum(b[:8]) && lsn == s.log.Last()
	if err := errors.Join(s.files.Remove(name), s.files.SyncDir(s.dir)); err != nil {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	return nil
}

// leaveClosed says that the log was closed behind record last.
func (s *Store) leaveClosed(last walfs.LSN) {
	b := binary.BigEndian.AppendUint64(nil, last)
	b = binary.BigEndian.AppendUint32(b, checksum(b))
	f, err := s.files.Create(filepath.Join(s.dir, closedFile))
	if err == nil {
		_, err = f.WriteAt(b, 0)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		s.logger.Warn("cannot note that the store was closed; the next start takes this stop for a crash", slog.Any("cause", err))
	}
}
