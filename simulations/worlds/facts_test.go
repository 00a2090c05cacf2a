package worlds

import (
	"testing"

	"lightcone/simulations/report"
	"lightcone/simulations/scenario"
)

// namedFacts are those of a run. Who asks for one that is not there ends the test: under
// another name it would be 0, and pass where little is wanted.
type namedFacts struct {
	t  *testing.T
	by map[string]report.Fact
}

// factsOf returns the facts of a result, whose names differ.
func factsOf(t *testing.T, r *report.Result) namedFacts {
	t.Helper()
	out := namedFacts{t, map[string]report.Fact{}}
	for _, f := range r.Facts {
		if _, twice := out.by[f.Name]; twice {
			t.Fatalf("two facts %q", f.Name)
		}
		out.by[f.Name] = f
	}
	return out
}

// of returns a fact.
func (f namedFacts) of(name string) float64 {
	f.t.Helper()
	one, ok := f.by[name]
	if !ok {
		f.t.Fatalf("no fact %q", name)
	}
	return one.Value
}

// theory returns what theory says of a fact.
func (f namedFacts) theory(name string) float64 {
	f.t.Helper()
	f.of(name)
	if f.by[name].Theory == nil {
		f.t.Fatalf("no theory of %q", name)
	}
	return *f.by[name].Theory
}

// has reports whether there is a fact.
func (f namedFacts) has(name string) bool {
	_, ok := f.by[name]
	return ok
}

// play runs a scenario and returns its result and facts.
func play(t *testing.T, file string, workers int) (*report.Result, namedFacts) {
	t.Helper()
	s, err := scenario.Parse([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	r := &report.Result{}
	if err := Run(t.Context(), s, Options{Workers: workers}, r); err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Facts {
		t.Logf("%-40s %12.3f %s", f.Name, f.Value, f.Unit)
	}
	return r, factsOf(t, r)
}

// playBoth runs a scenario with one worker and with two, which shows in nothing of its
// result.
func playBoth(t *testing.T, file string) (*report.Result, namedFacts) {
	t.Helper()
	one, got := play(t, file, 1)
	if two, _ := play(t, file, 2); one.Hash != two.Hash {
		t.Errorf("one worker makes %s, two %s", one.Hash, two.Hash)
	}
	return one, got
}
