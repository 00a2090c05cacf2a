package simulations

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lightcone/simulations/report"
	"lightcone/simulations/scenario"
	"lightcone/simulations/worlds"
)

// brief has each scenario that comes along last moments: small, and yet with something
// of all that happens in it.
var brief = map[string][]string{
	"beacons":        {"peers=50", "until=20s"},
	"churn":          {"peers=200", "until=12s", "network.churn.up=5s", "network.churn.down=5s"},
	"consolidation":  {"peers=16", "until=16s", "consolidation.rounds=1"},
	"context":        {"peers=300", "context.memos=900", "context.policy=never"},
	"editing":        {"peers=50"},
	"flood":          {"peers=300", "until=3s"},
	"funnel":         {"peers=60", "until=8s", "funnel.write=4s", "funnel.writers=20"},
	"funnel-million": {"peers=60", "until=8s", "funnel.write=4s"},
	"hot":            {"peers=60", "until=8s", "hot.write=4s"},
	"hot-million":    {"peers=60", "until=8s", "hot.write=4s"},
	"late":           {"peers=8", "until=25s", "late.join=5s", "late.memos=100"},
	"liars":          {"peers=16", "until=30s", "liars.memos=50"},
	"partition":      {"peers=16", "until=30s", "partition.memos=50"},
	"push":           {"peers=300"},
	"rounds":         {"peers=300", "until=12s"},
}

// constant is one of the product's, and another value that it might have had.
type constant struct{ file, was, is string }

// constants are those that the test changes, one at a time.
var constants = []constant{
	{"p2p/gossip/core.go", "antiEntropy = 10 * time.Second", "antiEntropy = 11 * time.Second"},
	{"p2p/gossip/hearing.go", "rateOver = 4", "rateOver = 5"},
	{"p2p/gossip/trickle.go", "announceSlot = 300 * time.Millisecond", "announceSlot = 400 * time.Millisecond"},
	{"beacon/emitter.go", "rateWindow = 10 * time.Second", "rateWindow = 11 * time.Second"},
	{"context/context.go", "MaxLoose = 256", "MaxLoose = 255"},
}

// pkg is the package of a constant.
func (c constant) pkg() string { return filepath.Dir(c.file) }

// name is that of a constant as the table of docs/simulations/cores.md has it.
func (c constant) name() string {
	was, is := strings.Split(c.was, " = "), strings.Split(c.is, " = ")
	text := fmt.Sprintf("`%s`: `%s` %s → %s", c.pkg(), strings.Split(was[0], ",")[0], was[1], is[1])
	return strings.NewReplacer(" * time.Second", " s", " * time.Millisecond", " ms").Replace(text)
}

// printHashes says to this test's own program, built anew, to print the hashes of brief.
const printHashes = "LIGHTCONE_PRINT_HASHES"

func TestMain(m *testing.M) {
	if os.Getenv(printHashes) == "" {
		os.Exit(m.Run())
	}
	if err := printBrief(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// printBrief writes the hashes of all scenarios of brief as JSON.
func printBrief() error {
	out := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(brief)) {
		r, err := runBrief(name, 1)
		if err != nil {
			return err
		}
		out[name] = r.Hash
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}

// runBrief runs one of them.
func runBrief(name string, workers int) (*report.Result, error) {
	data, ok := Named(name)
	if !ok {
		return nil, fmt.Errorf("no scenario %s comes along", name)
	}
	s, err := scenario.Parse(data)
	if err != nil {
		return nil, err
	}
	var set []scenario.Setting
	for _, text := range brief[name] {
		x, err := scenario.ParseSetting(text)
		if err != nil {
			return nil, err
		}
		set = append(set, x)
	}
	if s, err = s.With(set...); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	r := &report.Result{Name: name, World: s.World}
	return r, worlds.Run(context.Background(), s, worlds.Options{Workers: workers}, r)
}

// TestConstantsReachTheWorlds: another value of a constant of p2p/gossip gives every
// scenario another result hash, for what runs there is the protocol; a scenario that runs
// none says so, and has another hash by a constant of the package that it is about. The
// table of docs/simulations/cores.md says which.
func TestConstantsReachTheWorlds(t *testing.T) {
	covered := map[string]bool{}
	for name := range Library {
		if brief[name] == nil {
			t.Errorf("%s has no settings in brief that make it short", name)
		}
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	plain := hashes(t, program)
	changes := map[string][]bool{} // by scenario: of each constant
	for _, c := range constants {
		other := hashes(t, built(t, c))
		for name, hash := range plain {
			changes[name] = append(changes[name], other[name] != hash)
		}
	}
	table := header()
	for _, name := range slices.Sorted(maps.Keys(brief)) {
		r, err := runBrief(name, 2)
		if err != nil {
			t.Fatal(err)
		}
		covered[r.World] = true
		if r.Hash != plain[name] {
			t.Errorf("%s: the unchanged program gave two hashes", name)
		}
		about := "p2p/gossip"
		if ran := slices.ContainsFunc(r.Steps, func(s report.Steps) bool { return s.Package == about && !s.Model && s.Events > 0 }); ran != (r.Model == "") {
			t.Errorf("%s: p2p/gossip runs: %v, and its label is %q", name, ran, r.Model)
		}
		if r.Model != "" {
			about = label(t, r)
		}
		reached := false
		for i, c := range constants {
			reached = reached || c.pkg() == about && changes[name][i]
		}
		if !reached {
			t.Errorf("%s: no constant of %s changes its hash", name, about)
		}
		table += row(name, about, changes[name])
	}
	for world := range scenario.Worlds {
		if !covered[world] {
			t.Errorf("no scenario that comes along is of the world %s", world)
		}
	}
	page, err := os.ReadFile(filepath.Join("..", "docs", "simulations", "cores.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), table) {
		t.Errorf("docs/simulations/cores.md lacks this table, which is what was seen:\n%s", table)
	}
}

// label returns the package that a scenario without p2p/gossip is about: its label names
// it, and it ran.
func label(t *testing.T, r *report.Result) (pkg string) {
	t.Helper()
	for _, s := range r.Steps {
		if !s.Model && s.Events > 0 && strings.Contains(r.Model, "package "+s.Package) {
			return s.Package
		}
	}
	t.Errorf("%s: the label %q names no package that ran", r.Name, r.Model)
	return ""
}

// header and row make the table.
func header() string {
	top, under := "| scenario | what runs |", "|---|---|"
	for _, c := range constants {
		top, under = top+" "+c.name()+" |", under+"---|"
	}
	return top + "\n" + under + "\n"
}

func row(name, about string, changed []bool) string {
	line := fmt.Sprintf("| %s | `%s` |", name, about)
	for _, yes := range changed {
		if yes {
			line += " changed |"
		} else {
			line += " same |"
		}
	}
	return line + "\n"
}

// hashes runs a program that prints them.
func hashes(t *testing.T, program string) (out map[string]string) {
	t.Helper()
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), printHashes+"=1")
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	if err != nil {
		t.Fatalf("%s: %v\n%s", program, err, text)
	}
	return out
}

// built builds this test's program with another value of a constant.
func built(t *testing.T, c constant) (program string) {
	t.Helper()
	dir := t.TempDir()
	original, err := filepath.Abs(filepath.Join("..", c.file))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), c.was); n != 1 {
		t.Fatalf("%s has %q %d times", c.file, c.was, n)
	}
	changed, overlay := filepath.Join(dir, "changed.go"), filepath.Join(dir, "overlay.json")
	list, err := json.Marshal(map[string]any{"Replace": map[string]string{original: changed}})
	if err != nil {
		t.Fatal(err)
	}
	for file, data := range map[string][]byte{changed: []byte(strings.Replace(string(text), c.was, c.is, 1)), overlay: list} {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	program = filepath.Join(dir, "changed.test")
	if out, err := exec.Command("go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay="+overlay, "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("build with %s: %v\n%s", c.is, err, out)
	}
	return program
}
