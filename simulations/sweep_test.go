package simulations

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lightcone/simulations/report"
	"lightcone/simulations/scenario"
	"lightcone/simulations/worlds"
)

// small is a sweep of six quick runs.
const small = `world = "flood"
peers = 20
until = "2s"
[flood]
spread = "push"
[sweep]
peers = [20, 30, 40]
"flood.fanout" = [3, 4]
`

func parse(t *testing.T, text string) *scenario.Scenario {
	t.Helper()
	s, err := scenario.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sweep runs a shard and returns the numbers of the runs that it began.
func sweep(t *testing.T, s *scenario.Scenario, version string, at Shard, dir string) (began []int) {
	t.Helper()
	if err := Save(dir, s); err != nil {
		t.Fatal(err)
	}
	err := Sweep(t.Context(), s, version, at, dir, worlds.Options{}, func(i, _ int, _ scenario.Run) { began = append(began, i) })
	if err != nil {
		t.Fatal(err)
	}
	return began
}

// TestShards: shards run each combination once, into one directory or several, and
// together they are what one process makes.
func TestShards(t *testing.T) {
	s, dir := parse(t, small), t.TempDir()
	whole := filepath.Join(dir, "whole")
	if began := sweep(t, s, "v1", Shard{Of: 1}, whole); len(began) != 6 {
		t.Errorf("runs %v", began)
	}
	all, err := Gather(s, []string{whole})
	if err != nil {
		t.Fatal(err)
	}
	want := report.Join("x", "", all).Hash
	var dirs []string
	runs := 0
	for i := range 4 {
		dirs = append(dirs, filepath.Join(dir, string(rune('a'+i))))
		runs += len(sweep(t, s, "v1", Shard{i, 4}, dirs[i]))
	}
	if runs != 6 {
		t.Errorf("four shards ran %d of 6", runs)
	}
	parts, err := Gather(s, dirs)
	if err != nil {
		t.Fatal(err)
	}
	if report.Join("x", "", parts).Hash != want {
		t.Error("the shards together are another result")
	}
	if _, err := Gather(s, append(dirs, whole)); err != nil {
		t.Errorf("runs that are there twice, alike: %v", err)
	}
	if r, err := Load(dirs[3]); err != nil || len(r.Sweep) != 2 {
		t.Errorf("the scenario of a shard: %v, %v", r, err)
	}
}

// TestSweepGoesOn: what was done is not done again, unless by another version, of
// another scenario, or not wholly.
func TestSweepGoesOn(t *testing.T) {
	s, dir := parse(t, small), t.TempDir()
	one := Shard{Of: 1}
	sweep(t, s, "v1", Shard{1, 3}, dir) // runs 1 and 4
	if err := os.Remove(filepath.Join(runDir(dir, 4), report.SummaryFile)); err != nil {
		t.Fatal(err)
	}
	if began := sweep(t, s, "v1", one, dir); len(began) != 5 || began[0] != 0 || began[1] != 2 || began[3] != 4 {
		t.Errorf("after run 1 was done and 4 begun, it ran %v", began)
	}
	if began := sweep(t, s, "v1", one, dir); len(began) != 0 {
		t.Errorf("with all done it ran %v", began)
	}
	if began := sweep(t, s, "v2", one, dir); len(began) != 6 {
		t.Errorf("another version ran %v", began)
	}
	other := parse(t, strings.Replace(small, "40]", "50]", 1))
	if began := sweep(t, other, "v2", one, dir); len(began) != 2 {
		t.Errorf("with another value of three it ran %v", began)
	}
}

// TestGatherRefuses: parts that are not of one sweep are no report.
func TestGatherRefuses(t *testing.T) {
	s, dir := parse(t, small), t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	sweep(t, s, "v1", Shard{0, 2}, a)
	refuses := func(what, want string, s *scenario.Scenario, dirs ...string) {
		t.Helper()
		if _, err := Gather(s, dirs); !errors.Is(err, ErrParts) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v\nwant it to say %q", what, err, want)
		}
	}
	refuses("half of it", "3 of 6 runs are missing in "+a+", the first is run 1, [flood.fanout=3 peers=30]", s, a)
	sweep(t, s, "v2", Shard{1, 2}, b)
	refuses("two versions", "run 0 is of version v1, run 1 of v2", s, a, b)
	refuses("another scenario", "is of another scenario", parse(t, strings.Replace(small, "[20,", "[21,", 1)), a)
	refuses("no sweep", "there is nothing to merge", parse(t, "world = \"flood\"\n"), a)
	sweep(t, s, "v1", Shard{1, 2}, b)
	r, err := report.Read(runDir(a, 0))
	if err != nil {
		t.Fatal(err)
	}
	r.Hash = "of another processor"
	if err := report.Write(runDir(b, 0), r); err != nil {
		t.Fatal(err)
	}
	refuses("two results", "run 0 has two results", s, a, b)
	if _, err := Load(filepath.Join(dir, "nowhere")); !errors.Is(err, ErrParts) {
		t.Errorf("a directory that is not there: %v", err)
	}
}

// TestSettings: a parameter that is a number is one of a chart's axis, a duration in
// seconds.
func TestSettings(t *testing.T) {
	runs, err := parse(t, "world = \"flood\"\n[sweep]\nuntil = [\"250ms\"]\n\"flood.fanout\" = [3]\n\"flood.spread\" = [\"push\"]\n").Runs()
	if err != nil {
		t.Fatal(err)
	}
	three, quarter := 3.0, 0.25
	want := []report.Setting{
		{Key: "flood.fanout", Value: "3", Number: &three},
		{Key: "flood.spread", Value: "push"},
		{Key: "until", Value: "250ms", Number: &quarter, Unit: "s"},
	}
	if diff := cmp.Diff(want, settings(runs[0])); diff != "" {
		t.Errorf("other settings:\n%s", diff)
	}
}

func TestParseShard(t *testing.T) {
	for text, want := range map[string]Shard{"0/1": {0, 1}, "3/7": {3, 7}} {
		if got, err := ParseShard(text); err != nil || got != want {
			t.Errorf("%s is %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "1", "1/1", "-1/2", "0/0", "a/2", "0/2/3", "0/1000000"} {
		if _, err := ParseShard(text); !errors.Is(err, ErrShard) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
