package scenario

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestBadFiles: what is wrong with a file is said with its line.
func TestBadFiles(t *testing.T) {
	long := func(s string) string { return "# a scenario\n\nworld = \"flood\"\nseed = 3\n" + s }
	for _, c := range []struct{ file, want string }{
		{"", `scenario: world = ""; give one of flood`},
		{"world = \"flod\"\n", `line 1: world = "flod"; give one of flood`},
		{long("until = \"100h\"\nevery = \"1s\"\nuntil = \"2h\"\n"), "line 7: key until is already defined"},
		{long("until = \"300h\"\n"), "line 5: until = 300h0m0s; say how long"},
		{long("until = \"1us\"\n"), "line 5: until = 1µs; say how long"},
		{long("every = \"10us\"\n"), "line 5: every = 10µs; the distance"},
		{long("until = \"1h\"\nevery = \"1ms\"\n"), "line 6: every = 1ms; more than 1000000 samples"},
		{long("peers = 1_000_000_000\n"), "line 5: peers = 1000000000; give from 1"},
		{long("until = \"soon\"\n"), `line 5, column 9: "soon" is no duration`},
		{long("[network]\nuplink = nan\n"), "line 6: [network]: an uplink of NaN"},
		{long("[network]\n[[network.partition]]\nfrom = \"1s\"\nto = \"2s\"\n"), "line 6: [network]: a partition with a share of 0"},
		{long("[flood]\nsize = 3\nrelay = 2.0\n"), "line 7: [flood]: relay = 2"},
		{long("flood.relay = 2.0\n"), "line 5: [flood]: relay = 2"},
		{long("flood = { relay = 2.0 }\n"), "line 5: [flood]: relay = 2"},
		{long("[beacons]\n"), "line 5: [beacons]: a table in a scenario whose world is \"flood\""},
		{"world = \"flood\"\npers = 3\n", `line 2: there is no "pers"`},
		{"world = \"flood\"\n[flood]\nmessage = 3\n", `line 3: there is no "flood.message"`},
		{"world = \"flood\"\npeers = \"many\"\n", "line 2"},
		{"world = \"flood\"\npeers = 0\n", "line 2: peers = 0; give from 1"},
		{"world = \"flood\"\nuntil = \"soon\"\n", `"soon" is no duration`},
		{"world = \"flood\"\nuntil = \"-1s\"\n", "negative"},
		{"world = \"flood\"\nuntil = \"0s\"\n", "line 2: until = 0s"},
		{"world = \"flood\"\n[network]\nloss = 2\n", "line 3: [network]: a loss of 2; it is a probability"},
		{"world = \"flood\"\n[mesh]\ndegree = 1\n", "line 3: [mesh]: degrees of 1, 2 to 4"},
		{"world = \"flood\"\n[flood]\nspread = \"pull\"\n", `[flood]: spread = "pull"`},
		{long("[flood]\nspread = \"push-pull\"\nround = \"90ms\"\n"), "line 7: [flood]: round = 90ms; give at least 100ms"},
		{long("[flood]\nspread = \"push-pull\"\nage = 300\n"), "line 7: [flood]: age = 300"},
		{long("[flood]\nspread = \"push-rounds\"\nrelay = 0.5\n"), "line 7: [flood]: relay = 0.5; in rounds everybody"},
		{long("peers = 1\n[flood]\nspread = \"push-rounds\"\n"), "[flood]: peers = 1; in rounds one calls another"},
		{long("[network.churn]\nup = \"1s\"\ndown = \"1s\"\n[flood]\nspread = \"push-pull\"\n"), "[flood]: network.churn: in rounds"},
		{"world = ", "line 1"},
		{strings.Repeat("#", MaxFile+1), "at most"},
	} {
		_, err := Parse([]byte(c.file))
		if !errors.Is(err, ErrScenario) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v\nwant it to say %q", c.file[:min(40, len(c.file))], err, c.want)
		}
	}
}

// TestRuns: a sweep is every combination, and each of them a scenario of its own that
// a file can hold.
func TestRuns(t *testing.T) {
	s, err := Parse([]byte("world = \"flood\"\n[sweep]\npeers = [10, 100]\n\"flood.fanout\" = [2, 3, 4]\n"))
	if err != nil {
		t.Fatal(err)
	}
	runs, err := s.Runs()
	if err != nil {
		t.Fatal(err)
	}
	var got [][2]int
	for _, r := range runs {
		got = append(got, [2]int{r.Flood.Fanout, r.Peers})
		data, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(data)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r.Scenario, again); diff != "" {
			t.Errorf("the file of a run is another scenario:\n%s", diff)
		}
	}
	want := [][2]int{{2, 10}, {2, 100}, {3, 10}, {3, 100}, {4, 10}, {4, 100}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("other runs:\n%s", diff)
	}
	fixed, err := s.With(Setting{"peers", 7})
	if err != nil {
		t.Fatal(err)
	}
	if runs, err := fixed.Runs(); err != nil || len(runs) != 3 || runs[2].Peers != 7 {
		t.Errorf("a sweep of which a parameter is set: %d runs, %v", len(runs), err)
	}
	s.Sweep["flood.fanuot"] = []any{1}
	if _, err := s.Runs(); err == nil || !strings.Contains(err.Error(), "flood.fanuot") {
		t.Errorf("a sweep of what does not exist: %v", err)
	}
}
