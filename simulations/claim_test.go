package simulations

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lightcone/simulations/report"
)

// TestClaim: a report never takes the place of something else, unless it is told to, and
// is refused before the run.
func TestClaim(t *testing.T) {
	s, other := parse(t, small), parse(t, strings.Replace(small, "2s", "3s", 1))
	put := func(dir, name, text string) {
		t.Helper()
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ofVersion := func(dir, version string) {
		t.Helper()
		if err := report.Write(dir, &report.Result{Name: "n", Version: version}); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		there  func(dir string)
		refuse string // "" where it may be written
		none   bool   // the report is of no scenario
	}{
		"nothing":           {there: func(string) {}},
		"an empty one":      {there: func(dir string) { os.Mkdir(dir, 0o755) }},
		"of a file system":  {there: func(dir string) { os.MkdirAll(filepath.Join(dir, "lost+found"), 0o755); put(dir, ".hidden", "") }},
		"the same":          {there: func(dir string) { Save(dir, s); ofVersion(dir, "v1") }},
		"the same, in runs": {there: func(dir string) { Save(dir, s); ofVersion(runDir(dir, 0), "v1") }},
		"interrupted":       {there: func(dir string) { Save(dir, s); put(dir, "report.html.part", "") }},
		"a file":            {there: func(dir string) { os.WriteFile(dir, nil, 0o644) }, refuse: "is a file"},
		"of the user":       {there: func(dir string) { put(dir, "thesis.tex", "") }, refuse: "files that are of no such report"},
		"another scenario":  {there: func(dir string) { Save(dir, other) }, refuse: "the report of another scenario"},
		"the user's own":    {there: func(dir string) { put(dir, "scenario.toml", small) }, refuse: "the report of another scenario"},
		"another version":   {there: func(dir string) { Save(dir, s); ofVersion(dir, "v2") }, refuse: "of version v2, and this is v1"},
		"one run of that":   {there: func(dir string) { Save(dir, s); ofVersion(runDir(dir, 3), "v2") }, refuse: "of version v2, and this is v1"},
		"a comparison":      {there: func(dir string) { ofVersion(dir, "v1") }, refuse: "files that are of no such report", none: true},
	} {
		dir := filepath.Join(t.TempDir(), "out")
		c.there(dir)
		for _, replace := range []bool{false, true} {
			of := s
			if c.none {
				of = nil
			}
			err := Claim(dir, of, "v1", replace)
			switch {
			case c.refuse == "" || replace && name != "a file":
				if err != nil {
					t.Errorf("%s, replace %v: %v", name, replace, err)
				}
				if info, err := os.Stat(dir); err != nil || !info.IsDir() {
					t.Errorf("%s: there is no directory: %v", name, err)
				}
			case !errors.Is(err, ErrTaken) || !strings.Contains(err.Error(), c.refuse) || !strings.Contains(err.Error(), "--out"):
				t.Errorf("%s, replace %v: %v\nwant it to say %q", name, replace, err, c.refuse)
			}
		}
	}
}

// TestClaimUnwritable: where nothing can be written is found before a run, and nothing is
// left of the attempt.
func TestClaimUnwritable(t *testing.T) {
	dir := t.TempDir()
	if err := Claim(dir, nil, "v1", false); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left are %v, %v", left, err)
	}
	if err := Claim(filepath.Join("/proc", "nowhere"), nil, "v1", false); err == nil || !strings.Contains(err.Error(), "; name another with --out") {
		t.Errorf("a directory that cannot be: %v", err)
	}
}
