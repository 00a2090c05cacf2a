package walfs_test

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"lightcone/walfs"
	"lightcone/walfs/walfstest"
)

// isSyncWrapper knows the functions every sync of the log goes through: who called
// them is the site, not they.
func isSyncWrapper(function string) bool {
	return strings.HasSuffix(function, "(*Log).sync") || strings.HasSuffix(function, "(*Log).syncAside") ||
		strings.Contains(function, "(*Log).syncDir")
}

// syncSite is the place in the log's code that asked for the sync under way:
// "append.go:145 (*Log).seal". Empty if none of it is on the stack.
func syncSite() string {
	var pcs [32]uintptr
	n := runtime.Callers(2, pcs[:])
	if site, known := syncSites.Load(pcs); known {
		return site.(string)
	}
	site := siteOf(runtime.CallersFrames(pcs[:n]))
	syncSites.Store(pcs, site)
	return site
}

// syncSites keeps what a stack says: reading it is dear, and there are few.
var syncSites sync.Map // [32]uintptr → string

func siteOf(frames *runtime.Frames) string {
	const pkg = "lightcone/walfs."
	for more := true; more; {
		var f runtime.Frame
		f, more = frames.Next()
		name, ours := strings.CutPrefix(f.Function, pkg)
		if ours && !isSyncWrapper(name) {
			return fmt.Sprintf("%s:%d %s", filepath.Base(f.File), f.Line, name)
		}
	}
	return ""
}

// lying puts a disk before which syncs asked for at one site do nothing and say
// that they did. It tells seen of every site.
func lying(site string, seen func(site string)) func(walfs.FS) walfs.FS {
	return func(fs walfs.FS) walfs.FS {
		return walfstest.Faults{FS: fs, Decide: func(c walfstest.Call) walfstest.Fate {
			if c.Op != walfstest.Sync && c.Op != walfstest.SyncDir {
				return walfstest.Fate{}
			}
			at := syncSite()
			seen(at)
			return walfstest.Fate{Lie: at == site}
		}}
	}
}

// forSpeed is the one sync no promise needs: it writes the next segment out while
// the active one fills, so that the sync in prepare, which is needed, is short.
const forSpeed = "prepareAhead"

// TestEverySyncIsNeeded makes each call of Sync and SyncDir in the log's code a lie
// in turn: some sequence of steps must then break a promise. It fails for a sync
// that nobody needs, and for an enumeration that cannot see what it is good for.
func TestEverySyncIsNeeded(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine, left out by -short")
	}
	var mu sync.Mutex
	calls := map[string]int{}
	e := newEnumeration(lying("nowhere", func(site string) {
		mu.Lock()
		defer mu.Unlock()
		calls[site]++
	}))
	e.all(sequences(2), func(steps []step) int { return len(steps) + 1 })
	if err := errors.Join(e.broken...); err != nil {
		t.Fatal(err)
	}
	sites := slices.Sorted(maps.Keys(calls))
	if len(sites) < 10 || sites[0] == "" {
		t.Fatalf("the log syncs at %q: the test no longer finds its call sites", sites)
	}
	var results sync.Map
	inParallel(sites, func(site string) { results.Store(site, catch(t, site)) })
	for _, site := range sites {
		r, _ := results.Load(site)
		speed := strings.Contains(site, forSpeed)
		switch caught := r.(caught); {
		case caught.by == nil && speed:
			t.Logf("%-40s only for speed: nothing in %d crash states needs it", site, caught.after)
		case speed:
			t.Errorf("%s: said to be only for speed, yet %v", site, caught.by)
		case caught.by == nil:
			t.Errorf("%s: a lie breaks nothing in %d crash states", site, caught.after)
		default:
			said, _, _ := strings.Cut(caught.by.Error(), "\n")
			t.Logf("%-40s caught by %q after %d states: %s", site, namesOf(caught.steps), caught.after, said)
		}
	}
}

// caught is the broken promise that gave a lie away, nil if none did.
type caught struct {
	by    error
	steps []step
	after int // crash states
}

// longer are sequences that show what no shorter one does: Prune's own syncs matter
// where it deletes two segments.
var longer = []string{"large,large,prune"}

// catch returns the first promise a lie at site breaks.
func catch(t *testing.T, site string) caught {
	e := newEnumeration(lying(site, func(string) {}))
	e.thorough = func(seed uint64) bool { return seed%2 == 0 }
	depth := 2
	if strings.Contains(site, forSpeed) {
		depth = 1 // nothing ends this search
	}
	all := sequences(depth)
	for _, names := range longer {
		all = slices.Insert(all, 1, stepsNamed(t, names))
	}
	for _, steps := range all {
		if err := e.run(steps, len(steps)); err != nil {
			return caught{err, steps, e.states}
		}
	}
	return caught{after: e.states}
}
