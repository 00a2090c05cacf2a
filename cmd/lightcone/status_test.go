package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"lightcone/node/api"
)

// Watching prints once at the start and once a tick, and ends well when it is
// interrupted, also in the middle of a question.
func TestRepeat(t *testing.T) {
	var out bytes.Buffer
	ctx, cancel := context.WithCancel(t.Context())
	tick := make(chan time.Time, 1)
	n := 0
	err := (&app{stdout: &out}).repeat(ctx, tick, func(w io.Writer) (any, error) {
		if n++; n == 3 {
			cancel()
			return nil, ctx.Err()
		}
		tick <- time.Time{}
		_, err := fmt.Fprintf(w, "state %d\n", n)
		return nil, err
	})
	if want := "state 1\n\nstate 2\n\n"; err != nil || out.String() != want {
		t.Errorf("got %q, %v, want %q", out.String(), err, want)
	}
}

// A node that goes away ends the watching with its error.
func TestRepeatFails(t *testing.T) {
	err := (&app{stdout: io.Discard}).repeat(t.Context(), nil, func(io.Writer) (any, error) { return nil, api.ErrNoAnswer })
	if !errors.Is(err, api.ErrNoAnswer) || exitCode(err) != exitNoNode {
		t.Errorf("got %v", err)
	}
}
