package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"lightcone/p2p/gossip"
)

// What a metric's Value stands for when it is not simply measured.
const (
	exactly      = ""
	moreThan     = ">" // the cap came first
	extrapolated = "~"
)

// What is better of a metric. Metrics that are neither have no ratio.
const (
	lower  = -1
	higher = 1
)

// metric is one figure of a case.
type metric struct {
	Name   string  `json:"name"`
	Unit   string  `json:"unit"`
	Value  float64 `json:"value"`
	Bound  string  `json:"bound,omitempty"`
	Better int     `json:"better,omitempty"`
}

// result is what one case measured on one side.
type result struct {
	Case    string   `json:"case"`
	Side    string   `json:"side"`
	Metrics []metric `json:"metrics"`

	copies int // keys held, summed over replicas
}

func (r result) find(name string) (metric, bool) {
	i := slices.IndexFunc(r.Metrics, func(m metric) bool { return m.Name == name })
	if i < 0 {
		return metric{}, false
	}
	return r.Metrics[i], true
}

func (r *result) add(m ...metric) { r.Metrics = append(r.Metrics, m...) }

// lead puts what a case is about before what it cost.
func (r *result) lead(m ...metric) { r.Metrics = append(m, r.Metrics...) }

func atLeast(capped bool) string {
	if capped {
		return moreThan
	}
	return exactly
}

// meter is what the counters said when a measurement began.
type meter struct {
	start  time.Time
	cpu    time.Duration
	sent   int64
	topics gossip.TopicTraffic
}

func begin(s swarm) meter {
	runtime.GC() // of what came before
	return meter{cpu: cpuTime(), sent: s.sent(), topics: s.topics(), start: time.Now()}
}

// end returns a result with what was used since begin to write keys and to
// bring arrived of them, summed over the receivers, to others. CPU is that of
// all replicas; it is divided by the keys that a replica holds on average.
func (m meter) end(s swarm, written, arrived int) result {
	cpu, sent := cpuTime()-m.cpu, s.sent()-m.sent
	replicas := 1 + len(s.receivers())
	r := result{copies: written + arrived}
	r.add(
		metric{
			Name: "wire per key and receiver", Unit: "B",
			Value: float64(sent) / float64(max(arrived, 1)), Better: lower,
		},
		metric{
			Name: "CPU per key, all replicas", Unit: "µs",
			Value: float64(cpu.Microseconds()) * float64(replicas) / float64(r.copies), Better: lower,
		},
	)
	r.add(gossiped(m.topics, s.topics(), arrived)...)
	return r
}

// gossiped says in how many copies the messages of topics came between two
// counts, and what that and the control around it took. Copies that came back to
// the writer count for the receivers.
func gossiped(before, after gossip.TopicTraffic, arrived int) []metric {
	messages, copies := float64(after.Messages-before.Messages), float64(after.Copies-before.Copies)
	if messages == 0 {
		return nil
	}
	copyBytes := float64(after.CopyBytes - before.CopyBytes)
	control := float64(after.Bytes-before.Bytes) - copyBytes
	return []metric{
		{Name: "gossip: messages per key", Value: messages / float64(arrived)},
		{Name: "gossip: copies per message and receiver", Value: copies / messages, Better: lower},
		{Name: "gossip: bytes per copy", Unit: "B", Value: copyBytes / copies, Better: lower},
		{Name: "gossip: control per key and receiver", Unit: "B", Value: control / float64(arrived), Better: lower},
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
		metric{Name: "disk per key and replica", Unit: "B", Value: float64(used) / float64(r.copies), Better: lower},
		metric{Name: "with preallocation", Unit: "B", Value: float64(allocated) / float64(r.copies)},
	)
	return err
}

// cpuTime is the time this process has used, of users and system.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // the arguments are constants
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
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
func percentile(delays []time.Duration, p, missing int) metric {
	i := min(len(delays)*p/100, len(delays)-1)
	return metric{
		Name: fmt.Sprintf("visible elsewhere, p%d", p), Unit: "ms", Better: lower,
		Value: float64(delays[i].Microseconds()) / 1000,
		Bound: atLeast(i >= len(delays)-missing),
	}
}

// profiled runs f and writes its CPU profile to the named file; "" does not.
func profiled(name string, f func() (result, error)) (result, error) {
	if name == "" {
		return f()
	}
	out, err := os.Create(name)
	if err != nil {
		return result{}, err
	}
	defer out.Close()
	if err := pprof.StartCPUProfile(out); err != nil {
		return result{}, err
	}
	defer pprof.StopCPUProfile()
	return f()
}

// bareCost is what the system calls under a write cost, without a database.
type bareCost struct {
	Write    float64 `json:"write_us"`     // median of a write(2) of valueSize bytes, µs
	Datasync float64 `json:"fdatasync_us"` // median of the fdatasync(2) after one, µs
}

func measureBare(root string) (bareCost, error) {
	const writes, syncs = 10_000, 200
	f, err := os.CreateTemp(root, "compare-bare-")
	if err != nil {
		return bareCost{}, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	v := value(0)
	var fault error
	write := func() { _, err := f.Write(v); fault = errors.Join(fault, err) }
	c := bareCost{Write: median(writes, func() {}, write)}
	c.Datasync = median(syncs, write, func() { fault = errors.Join(fault, unix.Fdatasync(int(f.Fd()))) })
	return c, fault
}

// median times f n times, each after a call of before, in µs.
func median(n int, before, f func()) float64 {
	took := make([]time.Duration, n)
	for i := range took {
		before()
		start := time.Now()
		f()
		took[i] = time.Since(start)
	}
	slices.Sort(took)
	return float64(took[n/2].Nanoseconds()) / 1000
}
