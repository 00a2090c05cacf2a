package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"time"

	"lightcone/internal/compare/figure"
	"lightcone/p2p/gossip"
)

// result is what one case measured on one side.
type result struct {
	Case    string          `json:"case"`
	Side    string          `json:"side"`
	Metrics []figure.Metric `json:"metrics"`

	copies int // keys held, summed over replicas
}

func (r result) find(name string) (figure.Metric, bool) {
	i := slices.IndexFunc(r.Metrics, func(m figure.Metric) bool { return m.Name == name })
	if i < 0 {
		return figure.Metric{}, false
	}
	return r.Metrics[i], true
}

func (r *result) add(m ...figure.Metric) { r.Metrics = append(r.Metrics, m...) }

// lead puts what a case is about before what it cost.
func (r *result) lead(m ...figure.Metric) { r.Metrics = append(m, r.Metrics...) }

// meter is what the counters said when a measurement began.
type meter struct {
	start  time.Time
	cpu    time.Duration
	sent   int64
	topics gossip.TopicTraffic
}

func begin(s swarm) meter {
	runtime.GC() // of what came before
	return meter{cpu: figure.CPUTime(), sent: s.sent(), topics: s.topics(), start: time.Now()}
}

// end returns a result with what was used since begin to write keys and to
// bring arrived of them, summed over the receivers, to others. CPU is that of
// all replicas; it is divided by the keys that a replica holds on average.
func (m meter) end(s swarm, written, arrived int) result {
	cpu, sent := figure.CPUTime()-m.cpu, s.sent()-m.sent
	replicas := 1 + len(s.receivers())
	r := result{copies: written + arrived}
	r.add(
		figure.Metric{
			Name: "wire per key and receiver", Unit: "B",
			Value: float64(sent) / float64(max(arrived, 1)), Better: figure.Lower,
		},
		figure.Metric{
			Name: "CPU per key, all replicas", Unit: "µs",
			Value: float64(cpu.Microseconds()) * float64(replicas) / float64(r.copies), Better: figure.Lower,
		},
	)
	r.add(gossiped(m.topics, s.topics(), arrived)...)
	return r
}

// gossiped says in how many copies the messages of topics came between two
// counts, and what that and the control around it took. Copies that came back to
// the writer count for the receivers.
func gossiped(before, after gossip.TopicTraffic, arrived int) []figure.Metric {
	messages, copies := float64(after.Messages-before.Messages), float64(after.Copies-before.Copies)
	if messages == 0 {
		return nil
	}
	copyBytes := float64(after.CopyBytes - before.CopyBytes)
	control := float64(after.Bytes-before.Bytes) - copyBytes
	return []figure.Metric{
		{Name: "gossip: messages per key", Value: messages / float64(arrived)},
		{Name: "gossip: copies per message and receiver", Value: copies / messages, Better: figure.Lower},
		{Name: "gossip: bytes per copy", Unit: "B", Value: copyBytes / copies, Better: figure.Lower},
		{Name: "gossip: control per key and receiver", Unit: "B", Value: control / float64(arrived), Better: figure.Lower},
		{Name: "gossip: IHAVE ids per message", Value: float64(after.IHave-before.IHave) / messages},
		{Name: "gossip: IWANT ids per message", Value: float64(after.IWant-before.IWant) / messages},
		{Name: "gossip: IDONTWANT ids per message", Value: float64(after.IDontWant-before.IDontWant) / messages},
		{Name: "gossip: grafts", Value: float64(after.Grafts - before.Grafts)},
		{Name: "gossip: prunes", Value: float64(after.Prunes - before.Prunes)},
	}
}

// addDisk adds what a closed swarm left in dir.
func (r *result) addDisk(s swarm, dir string) error {
	used, err := s.disk()
	if err != nil {
		return err
	}
	_, allocated, err := size(dir)
	r.add(
		figure.Metric{Name: "disk per key and replica", Unit: "B", Value: float64(used) / float64(r.copies), Better: figure.Lower},
		figure.Metric{Name: "with preallocation", Unit: "B", Value: float64(allocated) / float64(r.copies)},
	)
	return err
}

// size walks a file or directory. used counts no holes and no space that is
// allocated beyond the end of a file; allocated is what the file system gave.
func size(path string) (used, allocated int64, err error) {
	err = filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed meanwhile
		}
		if err != nil {
			return err
		}
		blocks := info.Sys().(*syscall.Stat_t).Blocks * 512
		used, allocated = used+min(info.Size(), blocks), allocated+blocks
		return nil
	})
	return used, allocated, err
}

// percentile picks from ascending delays, of which the longest missing ones have
// not ended.
func percentile(delays []time.Duration, p, missing int) figure.Metric {
	i := min(len(delays)*p/100, len(delays)-1)
	return figure.Metric{
		Name: fmt.Sprintf("visible elsewhere, p%d", p), Unit: "ms", Better: figure.Lower,
		Value: float64(delays[i].Microseconds()) / 1000,
		Bound: figure.AtLeast(i >= len(delays)-missing),
	}
}
