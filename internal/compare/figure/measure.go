package figure

import (
	"errors"
	"os"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// CPUTime is the time this process has used, of users and system.
func CPUTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // the arguments are constants
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Profiled runs f and writes its CPU profile to the named file; "" does not.
func Profiled(name string, f func() error) error {
	if name == "" {
		return f()
	}
	out, err := os.Create(name)
	if err != nil {
		return err
	}
	defer out.Close()
	if err := pprof.StartCPUProfile(out); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	return f()
}

// BareCost is what the system calls under a write cost, without a database.
type BareCost struct {
	Write    float64 `json:"write_us"`     // median of a write(2) , µs
	Datasync float64 `json:"fdatasync_us"` // median of the fdatasync(2) after one, µs
}

// MeasureBare takes the costs for writes of size bytes to a file under root that
// grows with them.
func MeasureBare(root string, size int) (BareCost, error) {
	const writes, syncs = 10_000, 200
	f, err := os.CreateTemp(root, "compare-bare-")
	if err != nil {
		return BareCost{}, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	v := make([]byte, size)
	var fault error
	write := func() { _, err := f.Write(v); fault = errors.Join(fault, err) }
	c := BareCost{Write: median(writes, func() {}, write)}
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

// Version returns the version of a module in this program.
func Version(module string) string {
	info, _ := debug.ReadBuildInfo()
	for _, m := range info.Deps {
		if m.Path == module {
			return m.Version
		}
	}
	return "of unknown version"
}
