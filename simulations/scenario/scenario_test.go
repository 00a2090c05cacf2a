package scenario

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestBadFiles: what is wrong with a file is said with its line.
func TestBadFiles(t *testing.T) {
	for _, c := range []struct{ file, want string }{
		{"", `world = ""; give one of flood`},
		{"world = \"flod\"\n", `world = "flod"; give one of flood`},
		{"world = \"flood\"\npers = 3\n", `line 2: there is no "pers"`},
		{"world = \"flood\"\n[flood]\nmessage = 3\n", `line 3: there is no "flood.message"`},
		{"world = \"flood\"\npeers = \"many\"\n", "line 2"},
		{"world = \"flood\"\npeers = 0\n", "0 peers; give from 1"},
		{"world = \"flood\"\nuntil = \"soon\"\n", `"soon" is no duration`},
		{"world = \"flood\"\nuntil = \"-1s\"\n", "negative"},
		{"world = \"flood\"\nuntil = \"0s\"\n", "until = 0"},
		{"world = \"flood\"\n[network]\nloss = 2\n", "a loss of 2; it is a probability"},
		{"world = \"flood\"\n[mesh]\ndegree = 1\n", "degrees of 1, 2 to 4"},
		{"world = \"flood\"\n[flood]\nspread = \"pull\"\n", `[flood]: spread = "pull"`},
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
	s.Sweep["flood.fanuot"] = []any{1}
	if _, err := s.Runs(); err == nil || !strings.Contains(err.Error(), "flood.fanuot") {
		t.Errorf("a sweep of what does not exist: %v", err)
	}
}
