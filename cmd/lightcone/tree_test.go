package main

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// commands returns every command that runs, those that cobra adds among them.
func commands() []*cobra.Command {
	root := new(app).newRootCommand()
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	var out []*cobra.Command
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Runnable() && c.CommandPath() != "lightcone help" { // which takes any words and answers
			out = append(out, c)
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
	return out
}

// Every command says what it does, takes --json, knows its arguments, and answers
// wrong use with cause and fix, in words and in JSON.
func TestCommandTree(t *testing.T) {
	seen := 0
	for _, c := range commands() {
		seen++
		path := strings.Fields(c.CommandPath())[1:]
		t.Run(strings.Join(path, " "), func(t *testing.T) {
			if c.Short == "" || strings.HasSuffix(c.Short, ".") || len(c.Short) > 100 {
				t.Errorf("Short is %q, want one line of words", c.Short)
			}
			if c.InheritedFlags().Lookup("json") == nil {
				t.Error("it takes no --json")
			}
			if c.Args == nil {
				t.Fatal("Args is not set, so anything is accepted")
			}
			wrongUse(t, append(path, "--no-such-flag"), "unknown flag: --no-such-flag")
			wrongUse(t, append(path, wrongArgs(t, c)...), "")
		})
	}
	if seen < 20 {
		t.Errorf("%d commands found, the walk is broken", seen)
	}
}

// wrongArgs returns arguments that c must refuse: none, or too many.
func wrongArgs(t *testing.T, c *cobra.Command) []string {
	for _, args := range [][]string{nil, slices.Repeat([]string{"x"}, 50)} {
		if c.Args(c, args) != nil {
			return args
		}
	}
	t.Fatal("it takes any number of arguments")
	return nil
}

// wrongUse runs a command that must refuse its arguments.
func wrongUse(t *testing.T, args []string, cause string) {
	t.Helper()
	var out, errs bytes.Buffer
	if code := run(args, nil, &out, &errs); code != exitUsage || out.Len() > 0 {
		t.Errorf("%q: exit status %d, want %d\n%s%s", args, code, exitUsage, &out, &errs)
	}
	if !strings.HasPrefix(errs.String(), "lightcone: "+cause) || !strings.Contains(errs.String(), "\n  fix: ") {
		t.Errorf("%q: no cause and fix in\n%s", args, &errs)
	}
	errs.Reset()
	code := run(append([]string{"--json"}, args...), nil, &out, &errs)
	var said struct {
		Error struct{ Type, Cause, Fix string }
	}
	if err := json.Unmarshal(errs.Bytes(), &said); err != nil || code != exitUsage || out.Len() > 0 {
		t.Fatalf("%q with --json: exit status %d, %v\n%s%s", args, code, err, &out, &errs)
	}
	if e := said.Error; e.Type != "urn:lightcone:usage" || !strings.HasPrefix(e.Cause, cause) || e.Cause == "" || e.Fix == "" {
		t.Errorf("%q with --json: %+v", args, e)
	}
}
