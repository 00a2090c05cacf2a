package api_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"lightcone/memo"
	"lightcone/node/api"
)

// broken is a server that reads a request and closes the connection unanswered,
// or after some of an answer.
func broken(t *testing.T, answer string) *api.Client {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if answer != "" {
			w.Header().Set("Content-Length", "1000000")
			w.Write([]byte(answer))
			w.(http.Flusher).Flush()
		}
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(srv.Close)
	return api.NewClient(srv.URL, token)
}

var one = api.Update{Edits: []api.Edit{{Topic: "t", Row: "r", Fields: api.Fields{"a": memo.Null()}}}}

// A write that was sent and not answered may be recorded; a read is not lost.
func TestOutcomeUnknown(t *testing.T) {
	for _, answer := range []string{"", `{"id":"b`} {
		c := broken(t, answer)
		if _, err := c.Update(t.Context(), "default", one); !errors.Is(err, api.ErrUnknownOutcome) {
			t.Errorf("write after %q: %v", answer, err)
		}
		if _, err := c.Status(t.Context()); !errors.Is(err, api.ErrNoAnswer) {
			t.Errorf("read after %q: %v", answer, err)
		}
	}
}

// A write that could not be sent is not recorded.
func TestNotSent(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	srv.Close()
	_, err := api.NewClient(srv.URL, token).Update(t.Context(), "default", one)
	if !errors.Is(err, api.ErrNoAnswer) || errors.Is(err, api.ErrUnknownOutcome) {
		t.Errorf("got %v, want ErrNoAnswer", err)
	}
}

// A scan without its last line is an error, whatever came before.
func TestCutScan(t *testing.T) {
	rows := 0
	_, err := broken(t, `{"topic":"t","key":"a","fields":{}}`+"\n").Scan(t.Context(), "default", api.Query{}, api.Read{}, func(api.Row) error {
		rows++
		return nil
	})
	if !errors.Is(err, api.ErrNoAnswer) || rows != 1 {
		t.Errorf("%d rows, %v; want one and ErrNoAnswer", rows, err)
	}
}

// The error in the last line of a scan is the scan's.
func TestFailedScan(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte(`{"error":{"type":"urn:lightcone:closed","status":503,"cause":"node is closed"}}` + "\n"))
	}))
	defer srv.Close()
	var p *api.Problem
	_, err := api.NewClient(srv.URL, token).Scan(t.Context(), "default", api.Query{}, api.Read{}, func(api.Row) error { return nil })
	if !errors.As(err, &p) || p.Name() != api.Closed {
		t.Errorf("got %v", err)
	}
}

// What answers, but not as a node does, is told apart from the node's problems.
func TestStrangeServer(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	var p *api.Problem
	_, err := api.NewClient(srv.URL, token).Status(t.Context())
	if !errors.As(err, &p) || p.Name() != api.Internal || p.Status != http.StatusNotFound {
		t.Errorf("got %v", err)
	}
}
