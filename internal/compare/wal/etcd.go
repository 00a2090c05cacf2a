package main

import (
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/etcd/server/v3/storage/wal/walpb"
	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"
)

// etcdSegment is etcd's own size of a segment, in bytes.
const etcdSegment = 64 * 1000 * 1000

// etcdLog is etcd's log: one Save of all entries that are ready.
type etcdLog struct {
	*wal.WAL
	dir   string
	last  uint64 // index of the last entry
	batch []raftpb.Entry
}

func openEtcd(dir string, o logOptions) (recordLog, error) {
	wal.SegmentSizeBytes = etcdSegment
	if o.segment != 0 {
		wal.SegmentSizeBytes = o.segment
	}
	l := &etcdLog{dir: dir}
	var err error
	if wal.Exist(dir) {
		// What was there must be read before the log takes anything new.
		if l.WAL, err = wal.Open(zap.NewNop(), dir, walpb.Snapshot{}); err == nil {
			var entries []raftpb.Entry
			_, _, entries, err = l.ReadAll()
			l.last = uint64(len(entries))
		}
	} else {
		l.WAL, err = wal.Create(zap.NewNop(), dir, nil)
	}
	if err != nil {
		return nil, err
	}
	if !o.synced {
		l.SetUnsafeNoFsync() // Save still writes what it was given
	}
	return l, nil
}

func (l *etcdLog) store(recs ...[]byte) error {
	l.batch = l.batch[:0]
	for _, r := range recs {
		l.last++
		l.batch = append(l.batch, raftpb.Entry{Term: 1, Index: l.last, Data: r})
	}
	return l.Save(raftpb.HardState{}, l.batch)
}

// scan reads the log from the disk as etcd does when it starts: all entries, at
// once. While it runs, etcd keeps them in memory and reads nothing.
func (l *etcdLog) scan(visit func([]byte) error) error {
	r, err := wal.OpenForRead(zap.NewNop(), l.dir, walpb.Snapshot{})
	if err != nil {
		return err
	}
	_, _, entries, err := r.ReadAll() // it closes the files
	for i := range entries {
		if err == nil {
			err = visit(entries[i].Data)
		}
	}
	return err
}

func (l *etcdLog) close() error { return l.Close() }
