package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// patience ends a test that a patch made endless, which counts as red.
const patience = "120s"

func main() {
	run := flag.String("run", "", "only patches whose name matches this `regexp`")
	table := flag.Bool("table", false, "print the table of docs/threats.md")
	flag.Parse()
	if err := work(*run, *table); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

func work(run string, table bool) error {
	patches, err := load(run)
	if err != nil {
		return err
	}
	if table {
		return printTable(patches)
	}
	if err := check(patches); err != nil {
		return err
	}
	red := 0
	for _, p := range patches {
		verdict, took, err := p.try()
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		if verdict == "red" {
			red++
		}
		fmt.Printf("%-6s %5.1f s  %s\n", verdict, took.Seconds(), p.name)
	}
	fmt.Printf("%d of %d red\n", red, len(patches))
	if red < len(patches) {
		return fmt.Errorf("%d defences are missed by nobody", len(patches)-red)
	}
	return nil
}

// load reads the patches whose names match, all for "".
func load(run string) ([]patch, error) {
	names, err := regexp.Compile(run)
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob("internal/mutate/testdata/*.txt")
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no patches: run it in the root of the repository (%w)", err)
	}
	var patches []patch
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		some, err := parse(string(data))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f, err)
		}
		for _, p := range some {
			if names.MatchString(p.name) {
				patches = append(patches, p)
			}
		}
	}
	return patches, nil
}

// check applies every patch, and runs their tests as the tree is: those have to pass.
func check(patches []patch) error {
	var packages []string
	tests := map[string][]string{}
	for _, p := range patches {
		if _, err := p.apply(); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		if tests[p.pkg] == nil {
			packages = append(packages, p.pkg)
		}
		tests[p.pkg] = append(tests[p.pkg], p.test)
	}
	for _, pkg := range packages {
		names := strings.Join(tests[pkg], "|")
		out, err := goTest(pkg, names, "-v")
		if err != nil {
			return fmt.Errorf("tests of %s fail without a patch: %w\n%s", pkg, err, out)
		}
		for _, name := range strings.Split(names, "|") {
			if !strings.Contains(out, "--- PASS: "+name+" ") {
				return fmt.Errorf("no %s ran in %s", name, pkg)
			}
		}
	}
	return nil
}

// goTest runs tests of one package; the flags come before it.
func goTest(pkg, run string, flags ...string) (string, error) {
	args := append([]string{"test", "-vet=off", "-timeout=" + patience, "-run=^(" + run + ")$"}, flags...)
	out, err := exec.Command("go", append(args, pkg)...).CombinedOutput()
	return string(out), err
}

// try runs the patch's test with the patch.
func (p *patch) try() (verdict string, took time.Duration, err error) {
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return "", 0, err
	}
	defer os.RemoveAll(dir)
	files, err := p.apply()
	if err != nil {
		return "", 0, err
	}
	var overlay struct{ Replace map[string]string }
	overlay.Replace = map[string]string{}
	for name, text := range files {
		original, err := filepath.Abs(name)
		if err != nil {
			return "", 0, err
		}
		patched := filepath.Join(dir, strings.ReplaceAll(name, "/", "_"))
		overlay.Replace[original] = patched
		if err := os.WriteFile(patched, []byte(text), 0o600); err != nil {
			return "", 0, err
		}
	}
	data, err := json.Marshal(overlay)
	if err != nil {
		return "", 0, err
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, data, 0o600); err != nil {
		return "", 0, err
	}
	start := time.Now()
	out, err := goTest(p.pkg, p.test, "-count=1", "-failfast", "-overlay="+list)
	took = time.Since(start)
	switch {
	case strings.Contains(out, "no tests to run") || strings.Contains(out, "[build failed]") || strings.Contains(out, "[setup failed]"):
		fmt.Print(out)
		return "broken", took, nil
	case err == nil:
		return "green", took, nil
	}
	return "red", took, nil
}
