package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go test -json ./... | skips ALLOWED.txt")
		os.Exit(2)
	}
	allowed, err := os.ReadFile(os.Args[1])
	if err == nil {
		err = run(os.Stdin, os.Stdout, parseAllowed(string(allowed)))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "skips:", err)
		os.Exit(1)
	}
}

// errNotAllowed means that a test was skipped which the list does not name.
var errNotAllowed = errors.New("a test was skipped that is not on the list: install what it needs, or allow it with a reason")

// event is one line of `go test -json` (go doc test2json).
type event struct {
	Action, Package, Test, Output string
}

// test names a test of a package; its Name is empty for the package itself.
type test struct{ Package, Name string }

// skip is a test that did not run, and what it said of it.
type skip struct {
	test
	reason string
}

// parseAllowed reads the list: a package and a test on each line, # comments.
func parseAllowed(text string) map[test]bool {
	allowed := map[test]bool{}
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		if words := strings.Fields(line); len(words) == 2 {
			allowed[test{words[0], words[1]}] = true
		}
	}
	return allowed
}

// run copies the results from r to w and judges the skips among them.
func run(r io.Reader, w io.Writer, allowed map[test]bool) error {
	skips, err := results(r, w)
	if err != nil {
		return fmt.Errorf("reading the output of go test -json: %w", err)
	}
	fmt.Fprintf(w, "\n%d skipped\n", len(skips))
	for _, s := range skips {
		verdict := "allowed"
		if !allowed[s.test] {
			verdict, err = "NOT ALLOWED", errNotAllowed
		}
		fmt.Fprintf(w, "  %s %s: %s [%s]\n", s.Package, s.Name, s.reason, verdict)
	}
	return err
}

// results prints what go test without -v prints, the output of what failed and
// one closing line a package, and returns the skipped tests in their order.
func results(r io.Reader, w io.Writer) ([]skip, error) {
	var skips []skip
	said := map[test]string{} // of what still runs
	for dec := json.NewDecoder(r); ; {
		var e event
		if err := dec.Decode(&e); errors.Is(err, io.EOF) {
			return skips, nil
		} else if err != nil {
			return nil, err
		}
		t := test{e.Package, e.Test}
		switch e.Action {
		case "build-output":
			fmt.Fprint(w, e.Output)
		case "output":
			if !strings.HasPrefix(e.Output, "=== ") {
				said[t] += e.Output
			}
			continue
		case "fail":
			fmt.Fprint(w, said[t])
		case "skip", "pass":
			if e.Test == "" {
				fmt.Fprint(w, lastLine(said[t]))
			} else if e.Action == "skip" {
				skips = append(skips, skip{t, reason(said[t])})
			}
		default:
			continue
		}
		delete(said, t)
	}
}

// lastLine is a package's closing line: "ok …" or "? … [no test files]".
func lastLine(output string) string {
	return output[strings.LastIndex(strings.TrimSuffix(output, "\n"), "\n")+1:]
}

// reason is what a skipped test logged, on one line.
func reason(output string) string {
	var words []string
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "--- SKIP") {
			words = append(words, line)
		}
	}
	if len(words) == 0 {
		return "no reason given"
	}
	return strings.Join(words, " ")
}
