package walfs_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"lightcone/walfs"
	"lightcone/walfs/walfstest"
)

// model is a log beside the slice of records it must be equal to.
type model struct {
	disk    *walfstest.Disk
	log     *walfs.Log
	clock   clock
	want    []walfs.Entry // by LSN, from 1
	durable int           // how many of them were promised
	readers []*modelReader
	made    int
}

// modelReader is a reader and the index in want of what it returns next.
type modelReader struct {
	*walfs.Reader
	next int
}

// entry draws where the model has a record; false if there is none.
func (m *model) entry(rt *rapid.T) (walfs.Entry, bool) {
	if len(m.want) == 0 {
		return walfs.Entry{}, false
	}
	return m.want[rapid.IntRange(0, len(m.want)-1).Draw(rt, "record")], true
}

func (m *model) open(rt *rapid.T) {
	o := options(m.disk)
	m.clock.pending = nil
	o.AfterFunc = m.clock.AfterFunc
	o.SegmentSize = rapid.SampledFrom([]int64{4096, 8192, 40960}).Draw(rt, "segment size")
	l, err := walfs.Open(crashDir, o)
	if err != nil {
		rt.Fatal(err)
	}
	m.log, m.durable = l, len(m.want)
}

// leave ends with the readers of a log that was closed.
func (m *model) leave(rt *rapid.T) {
	for _, r := range m.readers {
		if _, err := r.Next(); !errors.Is(err, walfs.ErrClosed) {
			rt.Fatalf("Next on a closed log: %v", err)
		}
		if err := r.Close(); err != nil {
			rt.Fatal(err)
		}
	}
	m.readers = nil
}

func (m *model) reopen(rt *rapid.T) {
	if err := m.log.Close(); err != nil {
		rt.Fatal(err)
	}
	m.leave(rt)
	m.open(rt)
}

// kill goes on with what a killed process left; the old log is closed on the disk
// it has for itself from now on.
func (m *model) kill(rt *rapid.T) {
	old := m.log
	m.disk = m.disk.Kill()
	old.Close()
	m.leave(rt)
	m.open(rt)
}

// cut loses power: what was not promised may be gone, from the end.
func (m *model) cut(rt *rapid.T) {
	old := m.log
	m.disk = m.disk.PowerCut(func(n int) int { return rapid.IntRange(0, n-1).Draw(rt, "luck") })
	old.Close()
	m.leave(rt)
	promised := m.durable
	m.open(rt)
	if last := int(m.log.Last()); last < promised || last > len(m.want) {
		rt.Fatalf("%d records after a power cut, %d were promised and %d appended", last, promised, len(m.want))
	}
	m.want = m.want[:m.log.Last()]
	m.durable = len(m.want)
}

func (m *model) append(rt *rapid.T) {
	lengths := rapid.SliceOfN(rapid.IntRange(0, 3900), 0, 6).Draw(rt, "lengths")
	d := rapid.SampledFrom(durabilities).Draw(rt, "durability")
	recs := make([]walfs.Record, len(lengths))
	for i, n := range lengths {
		m.made++
		text := fmt.Sprintf("%0*d", n, m.made)
		recs[i] = walfs.Record{Kind: walfs.Kind(1 + m.made%200), Data: []byte(text)}
	}
	placed, err := m.log.Append(d, recs...)
	if err != nil || len(placed) != len(recs) {
		rt.Fatalf("append: %d of %d placed, %v", len(placed), len(recs), err)
	}
	for i, r := range recs {
		if want := walfs.LSN(len(m.want) + 1); placed[i].LSN != want || placed[i].Pos.Segment != placed[0].Pos.Segment {
			rt.Fatalf("record %d of a batch placed at %+v, want LSN %d and one segment", i, placed[i], want)
		}
		m.want = append(m.want, walfs.Entry{LSN: placed[i].LSN, Pos: placed[i].Pos, Kind: r.Kind, Data: r.Data})
	}
	if (d == walfs.Group || d == walfs.Each) && len(recs) > 0 {
		m.durable = len(m.want)
	}
}

func (m *model) sync(rt *rapid.T) {
	if err := m.log.Sync(); err != nil {
		rt.Fatal(err)
	}
	m.durable = len(m.want)
}

// tick lets the intervals pass.
func (m *model) tick(rt *rapid.T) {
	owed := len(m.clock.pending) > 0
	m.clock.tick()
	if owed && int(m.log.Durable()) != len(m.want) {
		rt.Fatalf("the interval has passed, and %d of %d records are durable", m.log.Durable(), len(m.want))
	}
	m.durable = int(m.log.Durable())
}

// startReading adds a reader at a record, the beginning or the end.
func (m *model) startReading(rt *rapid.T) {
	next := rapid.IntRange(0, len(m.want)).Draw(rt, "from")
	p, err := m.log.Seek(walfs.LSN(next + 1))
	if err != nil {
		rt.Fatal(err)
	}
	if next == 0 && rapid.Bool().Draw(rt, "zero") {
		p = walfs.Position{}
	}
	r, err := m.log.Reader(p)
	if err != nil {
		rt.Fatal(err)
	}
	m.readers = append(m.readers, &modelReader{r, next})
}

// read lets a reader go on for a while.
func (m *model) read(rt *rapid.T) {
	if len(m.readers) == 0 {
		return
	}
	r := m.readers[rapid.IntRange(0, len(m.readers)-1).Draw(rt, "reader")]
	for range rapid.IntRange(1, 10).Draw(rt, "records") {
		e, err := r.Next()
		if r.next == len(m.want) {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			if waited := r.Wait(ctx); !errors.Is(err, walfs.ErrNoNewData) || !errors.Is(waited, context.Canceled) {
				rt.Fatalf("at the live end: Next %v, Wait %v", err, waited)
			}
			return
		}
		m.equal(rt, "Next", e, err, m.want[r.next])
		r.next++
	}
}

func (m *model) equal(rt *rapid.T, call string, got walfs.Entry, err error, want walfs.Entry) {
	if err != nil || got.LSN != want.LSN || got.Pos != want.Pos || got.Kind != want.Kind || string(got.Data) != string(want.Data) {
		rt.Fatalf("%s: LSN %d at %v of kind %d with %d bytes, %v; want LSN %d at %v of kind %d with %d bytes", call,
			got.LSN, got.Pos, got.Kind, len(got.Data), err, want.LSN, want.Pos, want.Kind, len(want.Data))
	}
}

func (m *model) readAt(rt *rapid.T) {
	if want, ok := m.entry(rt); ok {
		got, err := m.log.ReadAt(want.Pos)
		m.equal(rt, "ReadAt", got, err, want)
	}
}

func (m *model) seek(rt *rapid.T) {
	if want, ok := m.entry(rt); ok {
		if p, err := m.log.Seek(want.LSN); err != nil || p != want.Pos {
			rt.Fatalf("Seek(%d): %v, %v; want %v", want.LSN, p, err, want.Pos)
		}
	}
	if _, err := m.log.Seek(walfs.LSN(len(m.want) + 2)); !errors.Is(err, walfs.ErrNotFound) {
		rt.Fatalf("Seek behind the end: %v, want ErrNotFound", err)
	}
}

// refused asks for what no log does.
func (m *model) refused(rt *rapid.T) {
	_, err := m.log.Append(walfs.Group, walfs.Records("ok", strings.Repeat("x", 1<<16))...)
	if !errors.Is(err, walfs.ErrTooLarge) {
		rt.Fatalf("an oversized record: %v, want ErrTooLarge", err)
	}
}

func (m *model) check(rt *rapid.T) {
	if last, durable := int(m.log.Last()), int(m.log.Durable()); last != len(m.want) || durable < m.durable || durable > last {
		rt.Fatalf("last %d, durable %d; want %d, at least %d", last, durable, len(m.want), m.durable)
	}
}

// durabilities are those a model may append with.
var durabilities = []walfs.Durability{walfs.None, walfs.Group, walfs.Each, walfs.Interval(time.Second)}

// TestModel does random things to a log and to a slice of records.
func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &model{disk: walfstest.NewDisk()}
		m.open(rt)
		defer func() { m.log.Close() }()
		rt.Repeat(map[string]func(*rapid.T){
			"append":  m.append,
			"sync":    m.sync,
			"tick":    m.tick,
			"reopen":  m.reopen,
			"kill":    m.kill,
			"cut":     m.cut,
			"reader":  m.startReading,
			"read":    m.read,
			"readAt":  m.readAt,
			"seek":    m.seek,
			"refused": m.refused,
			"":        m.check,
		})
		all, err := readAll(m.log)
		if err != nil || len(all) != len(m.want) {
			rt.Fatalf("%d records, want %d: %v", len(all), len(m.want), err)
		}
		for i, text := range all {
			if text != string(m.want[i].Data) {
				rt.Fatalf("record %d is not what was appended", i+1)
			}
		}
	})
}
