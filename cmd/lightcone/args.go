package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	causal "lightcone/context"
	"lightcone/memo"
	"lightcone/node/api"
)

// splitPath takes TOPIC/ROW apart at its first slash.
func splitPath(path string) (topic, row string, err error) {
	topic, row, ok := strings.Cut(path, "/")
	if !ok {
		return "", "", usagef("%q is no TOPIC/ROW; separate topic and row by a slash, as in airports/00M", path)
	}
	if err := memo.CheckTopic(topic); err != nil {
		return "", "", usagef("%q: %w; write TOPIC/ROW, as in airports/00M", path, err)
	}
	if err := memo.CheckRow(row); err != nil {
		return "", "", usagef("%q: %w", topic, err)
	}
	return topic, row, nil
}

// assignments reads FIELD=VALUE arguments.
func assignments(args []string) (api.Fields, error) {
	fields := api.Fields{}
	for _, arg := range args {
		name, text, ok := strings.Cut(arg, "=")
		if !ok {
			return nil, usagef("%q is no FIELD=VALUE; write name=text, n:=42, or name=@file for bytes", arg)
		}
		typed := strings.HasSuffix(name, ":")
		name = strings.TrimSuffix(name, ":")
		if _, twice := fields[name]; twice {
			return nil, usagef("field %q is given twice; leave one out", name)
		}
		v, err := assigned(name, text, typed)
		if err != nil {
			return nil, err
		}
		fields[name] = v
	}
	return fields, nil
}

func assigned(name, text string, typed bool) (memo.Value, error) {
	if typed {
		return typedValue(name, text)
	}
	if path, ok := strings.CutPrefix(text, "@"); ok {
		return fileValue(name, path)
	}
	v, err := memo.Text(text)
	if err != nil {
		return v, usagef("field %q: the text is not UTF-8; store it as bytes with %s=@FILE", name, name)
	}
	return v, nil
}

// typedValue reads what follows := a number, true, false, null or "text".
func typedValue(name, text string) (memo.Value, error) {
	switch {
	case text == "null":
		return memo.Null(), nil
	case text == "true", text == "false":
		return memo.Bool(text == "true"), nil
	case strings.HasPrefix(text, `"`):
		var s string
		if json.Unmarshal([]byte(text), &s) == nil {
			return memo.Text(s)
		}
	default:
		v, err := api.ParseNumber(text)
		if err == nil {
			return v, nil
		}
	}
	return memo.Value{}, usagef(`field %q: %q is no value for :=; it takes an int64, a float64 as 1.5, true, false, null or "text"; plain text is %s=%s`,
		name, text, name, text)
}

// fileValue reads a field's bytes from a file. What cannot fit into an edit is
// refused before it is read.
func fileValue(name, path string) (memo.Value, error) {
	f, err := os.Open(path)
	if err != nil {
		return memo.Value{}, usagef("field %q: %w; text that starts with @ is written %s:=\"@…\"", name, err, name)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, memo.MaxEdit+1))
	if err != nil {
		return memo.Value{}, fmt.Errorf("field %q: %w", name, err)
	}
	if len(data) > memo.MaxEdit {
		return memo.Value{}, fmt.Errorf("field %q: %w: %s has more than %s bytes, which is what one write may hold; split it over several rows",
			name, memo.ErrTooLarge, path, comma(memo.MaxEdit))
	}
	return memo.Blob(data), nil
}

// under is what a write happens after: tokens with commas between them, and how
// long to wait for what they name, as api.Client takes both.
type under struct {
	context string
	wait    time.Duration
}

// writeFlags adds the flags of a write to cmd.
func writeFlags(cmd *cobra.Command) func() (under, error) {
	var tokens []string
	var wait time.Duration
	f := cmd.Flags()
	f.StringArrayVar(&tokens, "context", nil, "context token: write after everything it names; may be repeated")
	f.DurationVar(&wait, "wait", 2*time.Second, "how long to wait for the context")
	return func() (under, error) {
		if _, err := parseTokens(tokens...); err != nil {
			return under{}, usagef("--context: %w", err)
		}
		if wait < 0 || wait > api.MaxWait {
			return under{}, usagef("--wait %v; it is between 0 and %v", wait, api.MaxWait)
		}
		if wait == 0 {
			wait = -1 // not at all, where 0 is the node's default
		}
		return under{strings.Join(tokens, ","), wait}, nil
	}
}

// readFlags adds the flags by which a read says what it owes to a context, and
// returns how to get at them.
func readFlags(cmd *cobra.Command) func() (api.Read, error) {
	var r api.Read
	f := cmd.Flags()
	f.StringVar(&r.Context, "context", "", "context token: show no less than it names")
	f.StringVar(&r.At, "at", "", "context token: show the state of precisely that context, as --mode exact --context does")
	f.StringVar(&r.Mode, "mode", "at-least", "at-least, local or exact")
	f.DurationVar(&r.Wait, "wait", 2*time.Second, "how long to wait for the context")
	f.StringVar(&r.Stale, "stale", "error", "when waiting was in vain: error, or return an older answer")
	f.BoolVar(&r.Vouched, "vouched", false, "rows may be what a peer vouches for until their memos are here, as with --mode local")
	return func() (api.Read, error) {
		if _, err := causal.ParseToken(r.Context); err != nil {
			return r, usagef("--context: %w", err)
		}
		if _, err := causal.ParseToken(r.At); err != nil {
			return r, usagef("--at: %w", err)
		}
		if r.At != "" && (r.Mode == "local" || r.Context != "") {
			return r, usagef("--at says what to read; leave out --context and --mode")
		}
		if r.Mode != "at-least" && r.Mode != "local" && r.Mode != "exact" {
			return r, usagef("--mode %q; it is at-least, local or exact", r.Mode)
		}
		if r.Vouched && r.Mode == "exact" {
			return r, usagef("--vouched shows a peer's word, and an exact read never does; leave out one of them")
		}
		if r.Stale != "error" && r.Stale != "return" {
			return r, usagef("--stale %q; it is error or return", r.Stale)
		}
		if r.Wait < 0 || r.Wait > api.MaxWait {
			return r, usagef("--wait %v; it is between 0 and %v", r.Wait, api.MaxWait)
		}
		if r.Wait == 0 {
			r.Wait = -1 // not at all, where 0 is the node's default
		}
		return r, nil
	}
}
