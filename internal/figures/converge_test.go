package figures

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"lightcone/memo"
	"lightcone/memo/memotest"
	"lightcone/merge"
	"lightcone/projection"
	"lightcone/store"
)

// What a random drawing is made of.
const (
	maxMemos  = 16
	maxCauses = 3
	maxClock  = 12 // ms: few, so that clocks are equal, or behind their causes
)

// drawings generates drawings of 3 or 4 authors who write, delete fields and
// delete rows, some of them in runs of several memos, some with wrong clocks.
func drawings() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		authors := rapid.IntRange(3, 4).Draw(t, "authors")
		lines, names := []string{"G"}, []string{"G"}
		count := make([]int, authors)
		for range rapid.IntRange(authors, maxMemos).Draw(t, "memos") {
			a := rapid.IntRange(0, authors-1).Draw(t, "author")
			letter := string(rune('A' + a))
			prev := fmt.Sprintf("%s%d", letter, count[a])
			count[a]++
			name := fmt.Sprintf("%s%d", letter, count[a])

			causes := []string{rapid.SampledFrom(names).Draw(t, "cause")}
			for range rapid.IntRange(0, maxCauses-1).Draw(t, "causes") {
				causes = append(causes, rapid.SampledFrom(names).Draw(t, "cause"))
			}
			lines = append(lines, strings.Join(causes, ", ")+" -> "+name)
			switch {
			case count[a] == 1:
			case names[len(names)-1] == prev && rapid.Bool().Draw(t, "same run"):
				lines = append(lines, prev+" => "+name) // nobody can have seen prev yet
			default:
				lines = append(lines, prev+" -> "+name)
			}
			lines = append(lines, definition(t, name))
			names = append(names, name)
		}
		return strings.Join(lines, "\n")
	})
}

// definition draws what a memo says: nothing, or edits of few rows and fields.
func definition(t *rapid.T, name string) string {
	line := name
	if rapid.IntRange(0, 3).Draw(t, "clock") == 0 {
		line += fmt.Sprintf(" at %d", rapid.IntRange(0, maxClock).Draw(t, "ms"))
	}
	var rows []string
	for _, place := range []string{"animals/10", "animals/11", "plants/10"} {
		var changes []string
		if rapid.IntRange(0, 5).Draw(t, "tombstone") == 0 {
			changes = append(changes, "!")
		}
		for _, field := range []string{"", "a", "b"} {
			switch rapid.IntRange(0, 5).Draw(t, "change") {
			case 0:
				changes = append(changes, "-"+field)
			case 1, 2:
				changes = append(changes, fmt.Sprintf("%s=%d", field, rapid.IntRange(0, 9).Draw(t, "value")))
			}
		}
		if len(changes) > 0 {
			rows = append(rows, place+" "+strings.Join(changes, " "))
		}
	}
	return line + ": " + strings.Join(rows, " ; ")
}

// TestAnyOrderGivesTheSameBytes: whatever the DAG, whatever the order, the batches
// and the duplicates in which its runs arrive, replicas have byte-equal states
// and digests, which are those of the naive interpreter; and so has a projection
// that is rebuilt from a replica's log.
func TestAnyOrderGivesTheSameBytes(t *testing.T) {
	dirs, n := t.TempDir(), 0
	rapid.Check(t, func(t *rapid.T) {
		drawing := drawings().Draw(t, "drawing")
		d := memotest.Draw(t, drawing)
		var memos []*memo.Memo
		for _, name := range d.Names() {
			memos = append(memos, d.Memo(name))
		}
		want := naive{}
		want.states, want.live = interpret(t, memos)
		want.digest = digestOf(t, d, want.states)
		for range 2 {
			n++
			dir := filepath.Join(dirs, fmt.Sprint(n))
			p := newPeer(t, d, dir)
			deliver(t, p)
			compare(t, "a replica", p, want)
			compare(t, "its projection rebuilt", rebuilt(t, p, filepath.Join(dir, "again")), want)
		}
	})
}

// deliver brings all runs of the drawing to p, shuffled, some more than once.
func deliver(t *rapid.T, p *peer) {
	names := p.d.Names()
	again := rapid.SliceOfN(rapid.SampledFrom(names), 0, len(names)).Draw(t, "again")
	order := rapid.Permutation(append(again, names...)).Draw(t, "order")
	for len(order) > 0 {
		batch := rapid.IntRange(1, len(order)).Draw(t, "batch")
		p.hears(order[:batch]...)
		order = order[batch:]
		if rapid.IntRange(0, 5).Draw(t, "flush") == 0 {
			p.must(p.proj.Flush())
		}
	}
	if runs, _ := p.store.Pending(); runs > 0 {
		t.Fatalf("everything was delivered and %d runs still wait", runs)
	}
	for _, name := range p.d.Names() {
		if !p.cut().Covers(p.d.Memo(name).Head()) {
			t.Fatalf("%s was delivered and is not attached", name)
		}
	}
}

// rebuilt is p with a projection made anew from the log, as after its file was
// deleted.
func rebuilt(t *rapid.T, p *peer, path string) *peer {
	db, err := projection.Open(path, projection.Options{})
	p.must(err)
	t.Cleanup(func() { p.must(db.Close()) })
	p.must(p.store.Replay(0, func(rec store.Record) error {
		var changes []projection.Change
		for _, m := range rec.Memos {
			changes = append(changes, changesOf(m)...)
		}
		return db.Apply(rec.LSN, changes)
	}))
	return &peer{t: t, d: p.d, store: p.store, proj: db}
}

// naive is what the naive interpreter has to say.
type naive struct {
	states map[string]string
	live   []string
	digest memo.ID
}

// compare holds a projection against the naive interpreter.
func compare(t *rapid.T, what string, p *peer, want naive) {
	if diff := cmp.Diff(want.states, p.states()); diff != "" {
		t.Fatalf("%s, - naive + got:\n%s", what, diff)
	}
	if got := p.digest(); got != want.digest {
		t.Fatalf("%s has digest %s, the naive interpreter %s", what, got, want.digest)
	}
	snap := p.snapshot()
	defer snap.Close()
	scanned := []string{}
	for it, err := range snap.Scan(p.d.Space, projection.Range{}) {
		p.must(err)
		scanned = append(scanned, merge.RowKey(it.Topic, it.Row))
	}
	if !slices.Equal(want.live, scanned) {
		t.Fatalf("%s shows rows %q, live are %q", what, scanned, want.live)
	}
}

// digestOf is the digest of a space with these states.
func digestOf(t memotest.TB, d *memotest.DAG, states map[string]string) memo.ID {
	id, err := merge.BuildState(merge.DefaultParams(d.Space), func(yield func(merge.KeyedRow, error) bool) {
		for _, key := range slices.Sorted(maps.Keys(states)) {
			if !yield(merge.KeyedRow{Key: key, State: []byte(states[key])}, nil) {
				return
			}
		}
	}, nil)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return id
}
