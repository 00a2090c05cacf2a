package scenario

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// MaxRuns bounds the runs of a sweep.
const MaxRuns = 10_000

// Setting is a parameter and the value it has in one run of a sweep.
type Setting struct {
	Key   string // as in the file, tables with dots: "flood.fanout"
	Value any
}

// ParseSetting reads "key=value"; the value is as in a file, or a text without quotes.
func ParseSetting(text string) (Setting, error) {
	key, value, ok := strings.Cut(text, "=")
	if !ok || key == "" {
		return Setting{}, fmt.Errorf("%w: %q sets nothing; write KEY=VALUE", ErrScenario, text)
	}
	var parsed struct{ X any }
	if err := toml.Unmarshal([]byte("X = "+value), &parsed); err != nil {
		return Setting{key, value}, nil
	}
	return Setting{key, parsed.X}, nil
}

func (x Setting) String() string { return fmt.Sprintf("%s=%v", x.Key, x.Value) }

// With returns the scenario with some parameters set, checked as if they stood in the
// file. A sweep of such a parameter is over: it has this value.
func (s *Scenario) With(set ...Setting) (*Scenario, error) {
	data, err := s.Encode()
	if err != nil {
		return nil, err
	}
	tree := map[string]any{}
	if err := toml.Unmarshal(data, &tree); err != nil {
		return nil, err
	}
	for _, x := range set {
		at, path := tree, strings.Split(x.Key, ".")
		for _, name := range path[:len(path)-1] {
			next, ok := at[name].(map[string]any)
			if !ok {
				next = map[string]any{}
				at[name] = next
			}
			at = next
		}
		at[path[len(path)-1]] = x.Value
		if swept, ok := tree["sweep"].(map[string]any); ok {
			delete(swept, x.Key)
		}
	}
	if data, err = toml.Marshal(tree); err != nil {
		return nil, err
	}
	out, reason := parse(data)
	if reason != nil { // its line is not one of a file that anybody sees
		return nil, fmt.Errorf("%w: with %v: %s", ErrScenario, set, reason.text)
	}
	return out, nil
}

// Run is one run of a sweep.
type Run struct {
	*Scenario           // without a sweep
	Settings  []Setting // what it has of the sweep, by key
}

// Runs returns every combination of the sweep, in an order that depends on the file
// alone; of a scenario without one, itself.
func (s *Scenario) Runs() ([]Run, error) {
	base := *s
	base.Sweep = nil
	keys := slices.Sorted(maps.Keys(s.Sweep))
	total := 1
	for _, k := range keys {
		n := len(s.Sweep[k])
		if n == 0 {
			return nil, fmt.Errorf("%w: [sweep]: %s takes no value; give at least one, or leave it out", ErrScenario, k)
		}
		if total *= n; total > MaxRuns {
			return nil, fmt.Errorf("%w: [sweep]: more than %d combinations; give fewer values, or make sweeps of parts", ErrScenario, MaxRuns)
		}
	}
	runs := make([]Run, total)
	for i := range runs {
		rest := i
		var set []Setting
		for _, k := range slices.Backward(keys) { // the last key changes fastest
			values := s.Sweep[k]
			set = append(set, Setting{k, values[rest%len(values)]})
			rest /= len(values)
		}
		slices.Reverse(set)
		one, err := base.With(set...)
		if err != nil {
			return nil, err
		}
		runs[i] = Run{one, set}
	}
	return runs, nil
}
