package walfs

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

const crashDir = "/log"

// history is what a scenario has handed to the log so far.
type history struct {
	submitted []string // in order, the batch under way included
	promised  int      // how many of them were acknowledged as durable
}

// world is a scenario under way on a disk that may lose power.
type world struct {
	t    *testing.T
	fs   *crashFS
	log  *Log
	hist history
	fail func(op, name string) error // for hookFS; nil: nothing fails
}

func (w *world) open() {
	o := inline(small)
	o.FS = hookFS{w.fs, func(op, name string) error {
		if w.fail == nil {
			return nil
		}
		return w.fail(op, name)
	}}
	l, err := Open(crashDir, o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.log = l
}

func (w *world) append(d Durability, n, length int) {
	at := len(w.hist.submitted)
	for i := range n {
		w.hist.submitted = append(w.hist.submitted, fmt.Sprintf("%0*d", length, at+i))
	}
	if _, err := w.log.Append(d, records(w.hist.submitted[at:]...)...); err != nil {
		w.hist.submitted = w.hist.submitted[:at] // it says nothing was appended
		return
	}
	if d == Group {
		w.hist.promised = len(w.hist.submitted)
	}
}

func (w *world) sync() {
	if err := w.log.Sync(); err != nil {
		w.t.Fatal(err)
	}
	w.hist.promised = len(w.hist.submitted)
}

func (w *world) close() {
	if err := w.log.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.hist.promised = len(w.hist.submitted)
}

// failedBatch appends a batch whose write fails half-way, and one of the same
// shape in its place.
func (w *world) failedBatch() {
	failed := false
	w.fail = func(op, _ string) error {
		if op == "write" && !failed {
			failed = true
			return errors.New("no space left")
		}
		return nil
	}
	w.append(None, 6, 200)
	w.fail = nil
	w.append(None, 1, 200)
	w.append(Group, 1, 200)
}

var scenarios = map[string]func(w *world){
	"single appends": func(w *world) {
		w.append(Group, 1, 10)
		w.append(None, 1, 700)
		w.append(Group, 1, 300)
		w.append(None, 2, 20)
	},
	"batches": func(w *world) {
		w.append(Group, 5, 100)
		w.append(Group, 3, 400)
		w.append(None, 4, 150)
	},
	"rotation": func(w *world) {
		w.append(Group, 2, 1500)
		w.append(None, 1, 1500)
		w.append(Group, 1, 600)
		w.append(None, 3, 1000)
	},
	"rotation unsynced": func(w *world) {
		for range 5 {
			w.append(None, 2, 900)
		}
		w.sync()
	},
	"large batch": func(w *world) {
		w.append(None, 1, 100)
		w.append(Group, 5, 1500)
		w.append(None, 1, 100)
	},
	"close and reopen": func(w *world) {
		w.append(None, 3, 300)
		w.close()
		w.open()
		w.append(Group, 1, 3000)
		w.append(None, 1, 500)
	},
	"killed and reopened": func(w *world) {
		w.append(Group, 1, 300)
		w.append(None, 4, 300)
		w.open() // over the same files, nothing synced
		w.hist.promised = len(w.hist.submitted)
		w.append(None, 1, 100)
	},
	"failed write": func(w *world) {
		w.append(Group, 1, 100)
		w.failedBatch()
	},
}

// TestCrashEnumeration cuts the power, or kills the process, before every write,
// sync, create, rename and remove of each scenario, with different luck for what
// was not synced, and once more before each such step of the recovery.
func TestCrashEnumeration(t *testing.T) {
	total := 0
	for name, scenario := range scenarios {
		t.Run(name, func(t *testing.T) {
			w := &world{t: t, fs: newCrashFS()}
			rng := rand.New(rand.NewPCG(1, 2))
			var crashes []crash // examined afterwards: a test must not end inside the log
			w.fs.boundary = func(op string) {
				hist := history{slices.Clone(w.hist.submitted), w.hist.promised}
				for _, d := range disks(w.fs, rng, 4) {
					crashes = append(crashes, crash{fmt.Sprintf("before %s, %s", op, d.luck), d.fs, hist})
				}
			}
			w.open()
			scenario(w)
			w.fs.boundary("the end")
			for _, c := range crashes {
				recoverFrom(t, rng, c)
			}
			total += len(crashes)
		})
	}
	t.Logf("%d crash states", total)
}

// crash is a moment of a scenario and what it left.
type crash struct {
	when string
	fs   *crashFS
	hist history
}

// disk is what a crash left, and with what luck.
type disk struct {
	luck string
	fs   *crashFS
}

func disks(c *crashFS, rng *rand.Rand, mixes int) []disk {
	all := []disk{
		{"process killed", c.kill()},
		{"nothing survives", c.powerCut(nothing)},
		{"everything written", c.powerCut(everything)},
	}
	for i := range mixes {
		all = append(all, disk{fmt.Sprintf("mix %d", i), c.powerCut(random(rng))})
	}
	return all
}

// recoverFrom opens what a crash left and holds it against the history; then
// again after a second crash, with and without records appended in between.
func recoverFrom(t *testing.T, rng *rand.Rand, c crash) {
	t.Helper()
	when, disk := c.when, c.fs
	var again []crash
	disk.boundary = func(op string) {
		for _, d := range disks(disk, rng, 1) {
			inner := fmt.Sprintf("%s; then in recovery before %s, %s", when, op, d.luck)
			again = append(again, crash{inner, d.fs, c.hist})
		}
	}
	l := reopen(t, when, disk)
	disk.boundary = nil
	found := checkRecovered(t, when, l, c.hist)
	for _, c := range again {
		checkRecovered(t, c.when, reopen(t, c.when, c.fs), c.hist)
	}

	second := reopen(t, when, disk.powerCut(nothing))
	if got := mustTexts(t, second); !slices.Equal(got, found) {
		t.Fatalf("%s: second recovery found %d records, the first %d", when, len(got), len(found))
	}
	mustAppend(t, l, Group, "after the crash")
	third := reopen(t, when, disk.powerCut(nothing))
	if got := mustTexts(t, third); !slices.Equal(got, append(found, "after the crash")) {
		t.Fatalf("%s: appended one record to %d after recovery, found %d", when, len(found), len(got))
	}
}

func reopen(t *testing.T, when string, disk *crashFS) *Log {
	t.Helper()
	o := inline(small)
	o.FS = disk
	l, err := Open(crashDir, o)
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	return l
}

// checkRecovered wants promised ⊆ recovered ⊆ submitted, in order.
func checkRecovered(t *testing.T, when string, l *Log, hist history) []string {
	t.Helper()
	found, err := texts(l)
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	if len(found) < hist.promised {
		t.Fatalf("%s: %d records were promised, %d are there", when, hist.promised, len(found))
	}
	if len(found) > len(hist.submitted) || !slices.Equal(found, hist.submitted[:len(found)]) {
		t.Fatalf("%s: recovered %s, submitted %s", when, brief(found), brief(hist.submitted))
	}
	if l.Durable() != LSN(len(found)) {
		t.Fatalf("%s: %d records recovered, %d called durable", when, len(found), l.Durable())
	}
	return found
}

func brief(all []string) string {
	short := make([]string, len(all))
	for i, s := range all {
		short[i] = fmt.Sprintf("%s(%d)", strings.TrimLeft(s, "0"), len(s))
	}
	return strings.Join(short, " ")
}

// TestForgottenWrites: after a failed sync and a kill, Open reads records from
// memory that the disk lacks and that no sync would write. It makes them durable
// all the same before it says that they are.
func TestForgottenWrites(t *testing.T) {
	fs := newCrashFS()
	l := reopen(t, "at first", fs)
	mustAppend(t, l, Group, numbered(3, 300)...)
	mustAppend(t, l, None, numbered(3, 300)...)
	fs.failSync(segmentPath(crashDir, 1))

	killed := fs.kill()
	l = reopen(t, "after a kill", killed)
	found := mustTexts(t, l)
	if len(found) != 6 || l.Durable() != 6 {
		t.Fatalf("%d records, %d durable, want 6 and 6", len(found), l.Durable())
	}
	l = reopen(t, "after a power cut", killed.powerCut(nothing))
	if got := mustTexts(t, l); !slices.Equal(got, found) {
		t.Fatalf("%d records were called durable, %d are left", len(found), len(got))
	}
}

// TestTornTailSurvivesCrashes: whenever a recovery is cut short, the torn tail is
// still in its place or already saved.
func TestTornTailSurvivesCrashes(t *testing.T) {
	const tail = "bytes somebody may want to look at"
	fs := newCrashFS()
	l := reopen(t, "at first", fs)
	mustAppend(t, l, Group, "x")
	name, end := segmentPath(crashDir, 1), l.Size()
	f, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte(tail), end); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	torn := fs.powerCut(everything)
	check := func(op string) {
		for _, d := range disks(torn, rng, 8) {
			in := strings.Contains(string(d.fs.live[name].live), tail)
			for file, n := range d.fs.live {
				in = in || strings.HasSuffix(file, tornSuffix) && string(n.live) == tail
			}
			if !in {
				t.Errorf("before %s, %s: the torn tail is lost", op, d.luck)
			}
		}
	}
	torn.boundary = check
	if l = reopen(t, "torn", torn); l.Recovery().Torn != int64(len(tail)) {
		t.Fatalf("recovery reports %+v", l.Recovery())
	}
	check("the end")
}

// TestCloseWritesMark: after Close everything lies below a durable mark, so that
// no damage to it can pass for a torn tail.
func TestCloseWritesMark(t *testing.T) {
	fs := newCrashFS()
	l := reopen(t, "at first", fs)
	mustAppend(t, l, None, "x", "y")
	end := l.Size()
	mustClose(t, l)
	b := fs.powerCut(nothing).live[segmentPath(crashDir, 1)].live
	if h, err := decodeHeader(b, int64(len(b))); err != nil || h.mark != end || h.count != 2 {
		t.Fatalf("header %+v, %v; want mark %d behind 2 records", h, err, end)
	}
}
