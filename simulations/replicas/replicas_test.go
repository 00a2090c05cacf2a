package replicas

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"
)

// How many worlds a test makes; the environment may ask for more.
const (
	fewSeeds  = 80 // unless REPLICAS says how many
	sameSeeds = 8  // of which the trace is made twice
)

// kept are seeds that failed once. A failing seed is appended.
var kept = filepath.Join("testdata", "seeds")

// scratch is a directory for one world. Replicas sync their lists of peers: memory, where
// there is a file system of it, saves the disk that work.
func scratch(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "replicas")
	if err != nil {
		return t.TempDir()
	}
	return dir
}

// again is the line that runs the world of a seed once more.
func again(seed uint64) string {
	return fmt.Sprintf("REPLICAS_SEED=%d go test -run TestSeed -v ./simulations/replicas", seed)
}

// world runs the world of a seed.
func world(t *testing.T, seed uint64, tell func(string)) (r Result) {
	t.Helper()
	cryptotest.SetGlobalRandom(t, seed)
	// One thread: goroutines of a replica that wake together then run in one order.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	dir := scratch(t)
	defer os.RemoveAll(dir)
	// A panic of a node ends the process: its trace shows the label of its goroutine.
	t.Setenv("GODEBUG", "tracebacklabels=1")
	pprof.Do(t.Context(), pprof.Labels("again", again(seed)), func(context.Context) {
		synctest.Test(t, func(*testing.T) { r = Run(seed, dir, tell) })
	})
	return r
}

// TestWorlds makes new worlds, and those that failed before.
func TestWorlds(t *testing.T) {
	n, err := strconv.Atoi(cmpOr(os.Getenv("REPLICAS"), strconv.Itoa(fewSeeds)))
	if err != nil {
		t.Fatalf("REPLICAS is the number of worlds: %v", err)
	}
	first, err := strconv.ParseUint(cmpOr(os.Getenv("REPLICAS_FROM"), "1"), 10, 64)
	if err != nil {
		t.Fatalf("REPLICAS_FROM is the first seed: %v", err)
	}
	seeds := keptSeeds(t)
	for i := range uint64(n) {
		seeds = append(seeds, first+i)
	}
	begun, sum, least, kinds := time.Now(), Result{Faults: map[string]int{}}, 1<<30, map[string]int{}
	for _, seed := range seeds {
		r := world(t, seed, nil)
		if r.Err != nil {
			t.Errorf("seed %d: %v\nagain: %s", seed, r.Err, again(seed))
			if failfast() {
				return
			}
			keep(t, seed)
			continue
		}
		for kind, n := range r.Faults {
			sum.Faults[kind] += n
		}
		least = min(least, r.Struck())
		kinds[r.Kind]++
		sum.Adopted += r.Adopted
		sum.Replicas, sum.Events, sum.Acked, sum.Reads = sum.Replicas+r.Replicas, sum.Events+r.Events, sum.Acked+r.Acked, sum.Reads+r.Reads
	}
	t.Logf("%d worlds in %v: %d replicas, %d events, %d writes acknowledged, %d reads", len(seeds), time.Since(begun).Round(time.Millisecond), sum.Replicas, sum.Events, sum.Acked, sum.Reads)
	t.Logf("%v, %d states adopted", kinds, sum.Adopted)
	for _, kind := range slices.Sorted(maps.Keys(sum.Faults)) {
		t.Logf("%7d × %s", sum.Faults[kind], kind)
	}
	if least < leastFaults {
		t.Errorf("a world had %d faults, want %d at least", least, leastFaults)
	}
}

// TestSameSeedSameTrace: a failure that cannot be had again is of little use.
func TestSameSeedSameTrace(t *testing.T) {
	traces, n := map[[32]byte]uint64{}, uint64(sameSeeds)
	if k, err := strconv.ParseUint(os.Getenv("REPLICAS_TWICE"), 10, 64); err == nil {
		n = k
	}
	for seed := range n {
		var first, second []string
		a := world(t, seed+1, func(s string) { first = append(first, s) })
		b := world(t, seed+1, func(s string) { second = append(second, s) })
		if a.Trace != b.Trace {
			i := 0
			for i < min(len(first), len(second)) && first[i] == second[i] {
				i++
			}
			t.Errorf("seed %d: two traces, %d and %d lines; they part at line %d:\n%s\n%s", seed+1, len(first), len(second), i, at(first, i), at(second, i))
		}
		if other, ok := traces[a.Trace]; ok {
			t.Errorf("seeds %d and %d have one trace", other, seed+1)
		}
		traces[a.Trace] = seed + 1
	}
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "(the end)"
}

// TestSeed shows the trace of the seed that REPLICAS_SEED names, of the first otherwise.
func TestSeed(t *testing.T) {
	seed, err := strconv.ParseUint(cmpOr(os.Getenv("REPLICAS_SEED"), "1"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	r := world(t, seed, func(line string) {
		if os.Getenv("REPLICAS_SEED") != "" {
			fmt.Println(line)
		}
	})
	if r.Err != nil {
		t.Error(r.Err)
	}
	t.Logf("seed %d: %s, %d replicas, %d faults, trace %x", seed, r.Kind, r.Replicas, r.Struck(), r.Trace)
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// keptSeeds reads the seeds that failed before, one a line, with what was wrong behind it.
func keptSeeds(t *testing.T) (seeds []uint64) {
	t.Helper()
	f, err := os.Open(kept)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		text, _, _ := strings.Cut(lines.Text(), "#")
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", kept, err)
		}
		seeds = append(seeds, seed)
	}
	return seeds
}

// failfast: the first failure ends the test, and its seed is not kept. So a bug that is
// planted on purpose leaves no trace.
func failfast() bool { return flag.Lookup("test.failfast").Value.String() == "true" }

// keep appends a seed, unless it is there.
func keep(t *testing.T, seed uint64) {
	t.Helper()
	if slices.Contains(keptSeeds(t), seed) {
		return
	}
	f, err := os.OpenFile(kept, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fmt.Fprintf(f, "%d\n", seed)
}
