package worlds

import (
	"maps"
	"slices"
	"testing"

	"lightcone/merge"
	"lightcone/simulations/scenario"
)

const smallDay = "world = \"editing\"\npeers = 48\nuntil = \"24h\"\nevery = \"1h\"\n"

// TestEditing: those who answer each other collide, and with bad clocks a register would
// keep the earlier edit; one person alone does not, however undecided, but from a device
// that is cut off. Where news is slow there are more collisions. Workers do not show.
func TestEditing(t *testing.T) {
	const blind, o = "written without knowing of another of the row", "back to back: of these, a register would keep the earlier one"
	const online = "[editing]\nbouts = 6\nrows = 20\noffline = 0.0\n"
	_, got := playBoth(t, smallDay+online)
	if got.of("indecision: "+blind) > 1 || got.of("back to back: "+blind) < 2 || got.of("back to back: concurrent values seen, times a memo") == 0 {
		t.Errorf("%v %% of the edits of the undecided collided, %v %% of those back to back", got.of("indecision: "+blind), got.of("back to back: "+blind))
	}
	if n := got.of("concurrent values of a row, most"); n > 3 {
		t.Errorf("a row has %v concurrent values", n)
	}
	if got.of(o) != 0 {
		t.Errorf("%v %% of the collisions went to the earlier edit with exact clocks", got.of(o))
	}
	_, bad := play(t, smallDay+"[network]\ndrift = 0.0001\n"+online, 1)
	if bad.of(o) == 0 {
		t.Error("bad clocks changed nothing")
	}
	if _, slow := play(t, smallDay+online+"reach = \"2s\"\n", 1); slow.of(blind) < 2*got.of(blind) || slow.of("to another device p50") < 4*got.of("to another device p50") {
		t.Errorf("%v %% of the edits collide where news takes 2 s, %v %% where it takes 200 ms", slow.of(blind), got.of(blind))
	}
	_, away := play(t, smallDay+"[editing]\nbouts = 6\nrows = 20\noffline = 0.5\n", 1)
	for _, b := range []string{"daily rhythm", "indecision", "swoop and tweak"} {
		if away.of(b+": "+blind) < 2*got.of(b+": "+blind)+1 || away.of(b+": merges with what was concurrent, a memo") <= got.of(b+": merges with what was concurrent, a memo") {
			t.Errorf("%s: %v %% of the edits collide where devices are cut off, %v %% where they are not", b, away.of(b+": "+blind), got.of(b+": "+blind))
		}
	}
	for _, b := range behaviourNames {
		if folds, heads := got.of(b+": folds"), got.of(b+": loose heads, most"); folds == 0 || heads > 8 || got.of(b+": bytes of blocks a byte of edits and device") == 0 {
			t.Errorf("%s: %v folds, %v loose heads", b, folds, heads)
		}
	}
}

// TestTeamAgrees: whatever was lost, late, merged and folded, in whatever order, the
// devices of a team that have met hold the same memos; and what each joined row by row is
// what the root has that they all fold.
func TestTeamAgrees(t *testing.T) {
	s, err := scenario.Parse([]byte(smallDay + "[network]\nloss = 0.2\n[editing]\nbouts = 12\nrows = 8\noffline = 0.5\n"))
	if err != nil {
		t.Fatal(err)
	}
	for what := range behaviours {
		m, err := newTeam(s, what, 0, 6, what)
		if err == nil {
			err = m.run()
		}
		if err != nil {
			t.Fatal(err)
		}
		if m.seen.roots != 1 || m.seen.unequal != 0 || m.seen.memos < 50 || m.seen.met == 0 {
			t.Errorf("%s: %d memos, %d contexts, %d roots, %d devices lack something", behaviourNames[what], m.seen.memos, m.seen.met, m.seen.roots, m.seen.unequal)
		}
		for _, d := range m.devices {
			root, err := merge.DecodeRoot(m.blocks.m[d.qc.Root])
			if err != nil {
				t.Fatal(err)
			}
			state, err := merge.BuildState(m.trees().Params, rowsOf(d), nil)
			if err != nil || state != root.State || len(d.orphans) > 0 {
				t.Errorf("%s: device %d joined %s, the root has %s, %d memos wait: %v", behaviourNames[what], d.n, state, root.State, len(d.orphans), err)
			}
		}
	}
}

// rowsOf yields what a device joined.
func rowsOf(d *device) func(yield func(merge.KeyedRow, error) bool) {
	return func(yield func(merge.KeyedRow, error) bool) {
		for _, key := range slices.Sorted(maps.Keys(d.rows)) {
			state, err := d.rows[key].Encode()
			if !yield(merge.KeyedRow{Key: key, State: state}, err) {
				return
			}
		}
	}
}
