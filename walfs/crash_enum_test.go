package walfs_test

import (
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"

	"lightcone/walfs"
	"lightcone/walfs/walfstest"
)

var crashFlag = flag.String("crash", "",
	"the one crash state to examine, as a failure of TestCrashEnumeration prints it: steps@boundary/luck")

const (
	crashMixes = 10 // random mixes of unsynced sectors at each boundary
	// thoroughShare is how many states share one that also gets the dearer
	// checks: an append, a crash in recovery, a flipped bit.
	thoroughShare = 32
)

// enumeration crashes sequences of steps at their boundaries.
type enumeration struct {
	wrap     func(walfs.FS) walfs.FS
	thorough func(seed uint64) bool
	only     string // "boundary/luck" to examine; "" for all

	mu       sync.Mutex
	states   int                    // examined, and those
	distinct map[[2]uint64]struct{} // that nothing else had shown before
	broken   []error                // promises, first one first
}

func newEnumeration(wrap func(walfs.FS) walfs.FS) *enumeration {
	return &enumeration{
		wrap:     wrap,
		thorough: func(seed uint64) bool { return seed%thoroughShare == 0 },
		distinct: map[[2]uint64]struct{}{},
	}
}

// hashed is a number that says the same in every process.
func hashed(parts ...any) uint64 {
	h := fnv.New64a()
	fmt.Fprint(h, parts...)
	return h.Sum64()
}

// run takes the steps and crashes at every boundary from the step numbered from
// on: earlier ones belong to a shorter sequence. It returns the first broken promise.
func (e *enumeration) run(steps []step, from int) error {
	sequence, boundary, armed := namesOf(steps), 0, false
	w := &world{disk: walfstest.NewDisk(), wrap: e.wrap}
	var broken error
	w.watch = func(c walfstest.Call) {
		boundary++
		if armed && broken == nil {
			broken = e.crash(w, sequence, boundary, string(c.Op))
		}
	}
	w.disk.Watch(w.watch)
	armed = from == 0
	w.open()
	for i, s := range steps {
		if w.log == nil || w.wrong != nil {
			break
		}
		armed = armed || i+1 >= from
		s.do(w)
	}
	if err := errors.Join(append(w.errs, w.wrong)...); err != nil {
		return fmt.Errorf("%s: while open: %w", sequence, err)
	}
	armed = true
	w.watch(walfstest.Call{Op: "end"})
	w.disk.Watch(nil)
	w.log.Close()
	return broken
}

// crash examines what each kind of luck leaves at a boundary.
func (e *enumeration) crash(w *world, sequence string, boundary int, op string) error {
	hist := w.hist.clone()
	told := hashed(hist)
	seed := hashed(sequence, boundary)
	all := lucks(seed, crashMixes)
	if w.disk.Sum() == w.disk.PowerCut(walfstest.Nothing).Sum() {
		all = all[:1] // nothing is unsynced: luck has nothing to choose
	}
	for i, k := range all {
		id := fmt.Sprintf("%d/%s", boundary, k.name)
		if e.only != "" && e.only != id {
			continue
		}
		disk := k.crash(w.disk)
		if !e.count([2]uint64{disk.Sum(), told}) {
			continue
		}
		c := checker{e.wrap, e.thorough}
		if err := c.check(disk, &hist, seed+uint64(i)); err != nil {
			return fmt.Errorf("before %s: %w\n\tgo test ./walfs -run 'TestCrashEnumeration$' -crash '%s@%s'", op, err, sequence, id)
		}
	}
	return nil
}

// count counts a state and reports whether it is one nobody has seen.
func (e *enumeration) count(state [2]uint64) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.states++
	_, seen := e.distinct[state]
	e.distinct[state] = struct{}{}
	return !seen
}

// all runs many sequences on all processors and keeps what broke.
func (e *enumeration) all(sequences [][]step, from func(steps []step) int) {
	inParallel(sequences, func(steps []step) {
		if err := e.run(steps, from(steps)); err != nil {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.broken = append(e.broken, err)
		}
	})
}

// inParallel calls do for each of all, in one goroutine per processor.
func inParallel[T any](all []T, do func(T)) {
	var wg sync.WaitGroup
	jobs := make(chan T)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for job := range jobs {
				do(job)
			}
		})
	}
	for _, job := range all {
		jobs <- job
	}
	close(jobs)
	wg.Wait()
}

// sequences are all sequences of at most n steps, short ones first.
func sequences(n int) [][]step {
	all := [][]step{{}}
	for done := 0; n > 0; n-- {
		longest := len(all)
		for _, s := range all[done:] {
			for _, next := range alphabet {
				all = append(all, append(slices.Clone(s), next))
			}
		}
		done = longest
	}
	return all
}

// oneIn is one in n of all. Where n is prime to the length of the alphabet, and all
// are sequences, every pair of steps that follow each other is still among them.
func oneIn[T any](n int, all []T) []T {
	var some []T
	for i := 0; i < len(all); i += n {
		some = append(some, all[i])
	}
	return some
}

// longSequences are n random sequences of steps.
func longSequences(n, steps int) [][]step {
	all := make([][]step, n)
	for i := range all {
		rng := rand.New(rand.NewPCG(uint64(i), 0))
		for range steps {
			all[i] = append(all[i], alphabet[rng.IntN(len(alphabet))])
		}
	}
	return all
}

// TestCrashEnumeration cuts the power, or kills the process, before every write,
// sync, create, allocation, rename, remove and directory sync of all sequences of
// up to two steps, a third of those of three (LIGHTCONE_LONG: all) and some long ones,
// with different luck for what was not synced; and now and then again in the recovery.
func TestCrashEnumeration(t *testing.T) {
	e := newEnumeration(asIs)
	if *crashFlag != "" {
		e.replay(t, *crashFlag)
		return
	}
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // thousands of short-lived disks
	all, random, want := sequences(2), 50, 10_000
	triples := sequences(3)[len(all):]
	switch {
	case testing.Short():
		all, random, want = sequences(1), 5, 500
	case long:
		all, want = append(all, triples...), 20_000
	default:
		all = append(all, oneIn(3, triples)...)
	}
	e.all(all, func(steps []step) int { return len(steps) })
	short := len(e.distinct)
	e.all(longSequences(random, 12), func([]step) int { return 0 })
	for i, err := range e.broken {
		if i == 10 {
			t.Fatalf("and %d more", len(e.broken)-i)
		}
		t.Error(err)
	}
	t.Logf("%d crash states, %d of them distinct, %d in %d short sequences", e.states, len(e.distinct), short, len(all))
	if len(e.distinct) < want {
		t.Fatalf("%d distinct crash states, want at least %d", len(e.distinct), want)
	}
}

// replay examines one state, thoroughly.
func (e *enumeration) replay(t *testing.T, id string) {
	names, at, ok := strings.Cut(id, "@")
	if !ok {
		t.Fatalf("-crash %s: want steps@boundary/luck", id)
	}
	steps := stepsNamed(t, names)
	e.only, e.thorough = at, func(uint64) bool { return true }
	if err := e.run(steps, 0); err != nil {
		t.Fatal(err)
	}
	if e.states == 0 {
		t.Fatalf("-crash %s: the sequence has no such boundary", id)
	}
}

// stepsNamed is the inverse of namesOf.
func stepsNamed(t *testing.T, names string) []step {
	var steps []step
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(alphabet, func(s step) bool { return s.name == name })
		if i < 0 && name != "" {
			t.Fatalf("there is no step %q", name)
		}
		if i >= 0 {
			steps = append(steps, alphabet[i])
		}
	}
	return steps
}

func namesOf(steps []step) string {
	names := make([]string, len(steps))
	for i, s := range steps {
		names[i] = s.name
	}
	return strings.Join(names, ",")
}
