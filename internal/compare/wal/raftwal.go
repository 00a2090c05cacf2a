package main

import (
	"os"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftwal "github.com/hashicorp/raft-wal"
	raftfs "github.com/hashicorp/raft-wal/fs"
	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
)

// raftPoll is how often a follower of raft-wal asks for the last index: the log
// wakes nobody.
const raftPoll = time.Millisecond

// raftLog is hashicorp's raft-wal: one StoreLogs of all entries that wait.
type raftLog struct {
	*raftwal.WAL
	last uint64
}

func openRaft(dir string, o logOptions) (recordLog, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	size := raftwal.DefaultSegmentSize
	if o.segment != 0 {
		size = int(o.segment)
	}
	var files types.VFS = raftfs.New()
	if !o.synced {
		files = unsyncedFS{raftfs.New()}
	}
	w, err := raftwal.Open(dir, raftwal.WithLogger(hclog.NewNullLogger()), raftwal.WithSegmentSize(size),
		raftwal.WithSegmentFiler(segment.NewFiler(dir, files)))
	if err != nil {
		return nil, err
	}
	last, err := w.LastIndex()
	return &raftLog{w, last}, err
}

// unsyncedFS leaves the syncs out: raft-wal has no durability below that.
type unsyncedFS struct{ *raftfs.FS }

type unsyncedFile struct{ types.WritableFile }

func (unsyncedFile) Sync() error { return nil }

func (f unsyncedFS) Create(dir, name string, size uint64) (types.WritableFile, error) {
	w, err := f.FS.Create(dir, name, size)
	return unsyncedFile{w}, err
}

func (f unsyncedFS) OpenWriter(dir, name string) (types.WritableFile, error) {
	w, err := f.FS.OpenWriter(dir, name)
	return unsyncedFile{w}, err
}

func (l *raftLog) store(recs ...[]byte) error {
	logs, batch := make([]raft.Log, len(recs)), make([]*raft.Log, len(recs))
	for i, r := range recs {
		l.last++
		logs[i] = raft.Log{Index: l.last, Term: 1, Data: r}
		batch[i] = &logs[i]
	}
	return l.StoreLogs(batch)
}

func (l *raftLog) scan(visit func([]byte) error) error {
	last, err := l.LastIndex()
	var entry raft.Log
	for i := uint64(1); i <= last && err == nil; i++ {
		if err = l.GetLog(i, &entry); err == nil {
			err = visit(entry.Data)
		}
	}
	return err
}

func (l *raftLog) at(i int) ([]byte, error) {
	var entry raft.Log
	err := l.GetLog(uint64(i)+1, &entry)
	return entry.Data, err
}

// follow asks for what is new every raftPoll.
func (l *raftLog) follow(visit func([]byte) error) error {
	var entry raft.Log
	for next := uint64(1); ; time.Sleep(raftPoll) {
		last, err := l.LastIndex()
		for ; next <= last && err == nil; next++ {
			if err = l.GetLog(next, &entry); err == nil {
				err = visit(entry.Data)
			}
		}
		if err != nil {
			return err
		}
	}
}

func (l *raftLog) close() error { return l.Close() }
