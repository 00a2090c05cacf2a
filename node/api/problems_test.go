package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	causal "lightcone/context"
	"lightcone/memo"
	"lightcone/node"
)

func TestProblemOf(t *testing.T) {
	tests := []struct {
		err    error
		name   string
		status int
		cause  string
		fix    string
	}{
		{
			fmt.Errorf("t/r: %w", node.ErrNotFound), NotFound, http.StatusNotFound,
			"t/r: not found", "list what is there with `lightcone scan`",
		},
		{ // the fix stands in the middle of the text
			fmt.Errorf("%w: %q", node.ErrNoSpace, "x"), NoSpace, http.StatusNotFound,
			`no such space here: "x"`, "create it or join it with a ticket",
		},
		{ // the fix stands at the end of the text
			fmt.Errorf("%w: 5000 rows, the limit is 4096; split it", memo.ErrTooLarge), TooLarge, http.StatusRequestEntityTooLarge,
			"too large: 5000 rows, the limit is 4096", "split it",
		},
		{
			&node.LockedError{Dir: "/d", PID: 7, Command: "lightcone up"}, Locked, http.StatusLocked,
			"directory is in use: /d is held by process 7 (lightcone up)", "stop it, or use another --dir",
		},
		{node.ErrTicketRefused, TicketRefused, http.StatusForbidden, "ticket refused", ""},
		{causal.ErrBadToken, Invalid, http.StatusUnprocessableEntity, "not a context token", "pass it exactly as it was returned"},
		{errors.New("disk on fire"), Internal, http.StatusInternalServerError, "disk on fire", ""},
		{
			fmt.Errorf("%w: EOF", ErrUnknownOutcome), Unknown, http.StatusGatewayTimeout,
			"outcome unknown: the write was sent and no answer came: EOF", "read the rows before you repeat it",
		},
	}
	for _, tt := range tests {
		p := ProblemOf(tt.err)
		got := []any{p.Name(), p.Status, p.Cause, p.Fix}
		if diff := cmp.Diff([]any{tt.name, tt.status, tt.cause, tt.fix}, got); diff != "" {
			t.Errorf("%v: - wanted + got:\n%s", tt.err, diff)
		}
		if again := ProblemOf(fmt.Errorf("wrapped: %w", p)); again != p {
			t.Errorf("a problem does not stay itself: %v", again)
		}
	}
}

// A stale answer says what is missing as far as it is known, and comes through
// JSON unharmed.
func TestStaleProblem(t *testing.T) {
	author := memo.Author{1, 2, 3, 31: 9}
	e := &node.BehindError{
		Missing: []memo.Head{
			{Author: author, Seq: 5, ID: memo.Sum([]byte("known"))},
			{Author: memo.Author{0xab, 7: 1}, Seq: 2, ID: memo.ID{0xcd}},
		},
		Holders: []node.PeerID{author}, Lag: node.Lag{Memos: 3},
	}
	data, err := json.Marshal(ProblemOf(fmt.Errorf("get: %w", e)))
	if err != nil {
		t.Fatal(err)
	}
	var got Problem
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	want := &Behind{
		Missing: []Head{
			{Author: author.String(), Seq: 5, Digest: memo.Sum([]byte("known")).String()},
			{Author: "ab00000000000001", Seq: 2, Digest: "cd00000000000000"},
		},
		Holders: []string{author.String()}, Lag: Lag{Memos: 3},
	}
	if diff := cmp.Diff(want, got.Behind); diff != "" {
		t.Errorf("- wanted + got:\n%s", diff)
	}
	if got.Name() != Stale || got.Status != http.StatusPreconditionFailed {
		t.Errorf("got %s, status %d", got.Type, got.Status)
	}
}
