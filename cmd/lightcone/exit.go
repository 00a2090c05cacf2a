package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"lightcone/node/api"
)

// Exit codes. They are part of the command line's interface.
const (
	exitOK           = 0
	exitFailed       = 1 // the message says cause and fix
	exitUsage        = 2 // wrong use
	exitNotFound     = 3
	exitStale        = 4 // the context is not covered
	exitNoNode       = 5 // no node, locked, or not reachable
	exitDamaged      = 6 // damaged data found
	exitNotPermitted = 7
	exitUnknown      = 8 // outcome unknown: timed out after sending
)

// codes maps the names of problems to exit codes; any other is exitFailed.
var codes = map[string]int{
	api.NotFound:      exitNotFound,
	api.Stale:         exitStale,
	api.NoNode:        exitNoNode,
	api.Unreachable:   exitNoNode,
	api.Locked:        exitNoNode,
	api.Damaged:       exitDamaged,
	api.Closed:        exitNoNode,
	api.TicketExpired: exitNotPermitted,
	api.TicketRefused: exitNotPermitted,
	api.NotPermitted:  exitNotPermitted,
	api.Unauthorized:  exitNotPermitted,
	api.Forbidden:     exitNotPermitted,
	api.Unknown:       exitUnknown,
	api.BadCursor:     exitUsage,
}

// usageError reports a command that was written wrongly.
type usageError struct{ error }

func (e *usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

func exitCode(err error) int {
	var usage *usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		return exitUsage
	}
	if code, ok := codes[api.ProblemOf(err).Name()]; ok {
		return code
	}
	return exitFailed
}

// explain tells why a command failed and what to do about it.
func (a *app) explain(err error) {
	p := api.ProblemOf(err)
	var usage *usageError
	if errors.As(err, &usage) {
		cause, fix, ok := strings.Cut(err.Error(), "; ")
		if !ok {
			fix = "see `lightcone help`"
		}
		p = api.NewProblem(http.StatusBadRequest, "usage", cause, fix)
	}
	if a.json {
		json.NewEncoder(a.stderr).Encode(map[string]any{"error": p})
		return
	}
	fmt.Fprintf(a.stderr, "lightcone: %s\n", p.Cause)
	if p.Behind != nil {
		for _, h := range p.Missing {
			fmt.Fprintf(a.stderr, "  missing: %s #%d %s\n", h.Author, h.Seq, h.Digest)
		}
		for _, id := range p.Holders {
			fmt.Fprintf(a.stderr, "  may have them: %s\n", id)
		}
	}
	if p.Fix != "" {
		fmt.Fprintf(a.stderr, "  fix: %s\n", p.Fix)
	}
}
