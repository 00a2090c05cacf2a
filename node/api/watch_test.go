package api_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lightcone/memo"
	"lightcone/node"
	"lightcone/node/api"
)

var errEnough = errors.New("enough")

// watchKeys watches from a cursor until n changes came.
func watchKeys(t *testing.T, c *api.Client, q api.Query, from string, n int) (keys []string, cursor string) {
	t.Helper()
	cursor, err := c.Watch(t.Context(), "default", q, from, api.Read{}, func(ch api.Change) error {
		if len(keys) == n {
			return errEnough // and this change is not behind the cursor
		}
		keys = append(keys, string(ch.Key))
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		t.Fatal(err)
	}
	return keys, cursor
}

// A watch that is cut off goes on by its cursor, with and without filters, and
// ends after as many changes as were asked for.
func TestWatchResumes(t *testing.T) {
	n, url := serve(t, api.Options{})
	c := api.NewClient(url, token)
	s, _ := n.OpenSpace("default")
	var want []string
	for i := range 20 {
		key := fmt.Sprintf("k%02d", i)
		want = append(want, key)
		for _, topic := range []string{"t", "u"} {
			if _, err := s.Put(t.Context(), topic, key, node.Fields{"n": memo.Int(int64(i))}); err != nil {
				t.Fatal(err)
			}
		}
	}
	q := api.Query{Topic: "t"}
	got, cursor := watchKeys(t, c, q, api.Start, 7)
	q.Limit = 13
	rest, end := watchKeys(t, c, q, cursor, 100)
	if diff := cmp.Diff(want, append(got, rest...)); diff != "" {
		t.Error(diff)
	}
	// From the end and from now alike, what comes is what is written later. The
	// watch has begun when it tells its cursor, so the write is behind that.
	for _, from := range []string{api.Now, end} {
		req, err := http.NewRequest(http.MethodGet, url+"/v1/spaces/default/watch?topic=t&limit=1&cursor=start", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Last-Event-ID", from) // wins over the parameter
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Put(t.Context(), "t", "later", node.Fields{"f": memo.Int(1)}); err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.Header.Get("Content-Type") != "text/event-stream" ||
			!strings.Contains(string(body), `"key":"later","fields":{"f":1}}`) || !strings.Contains(string(body), "event: end\n") ||
			strings.Count(string(body), "event: change\n") != 1 {
			t.Errorf("from %s: %v\n%s", from, err, body)
		}
	}
}

// Faults are problems before the stream, and a closing server ends its watches
// with one.
func TestWatchEnds(t *testing.T) {
	n, url := serve(t, api.Options{})
	c := api.NewClient(url, token)
	none := func(api.Change) error { return nil }
	for from, want := range map[string]string{"nonsense": api.BadCursor, api.Start: api.Invalid} {
		var p *api.Problem
		_, err := c.Watch(t.Context(), "default", api.Query{Prefix: map[string]string{api.Start: "p"}[from]}, from, api.Read{}, none)
		if !errors.As(err, &p) || p.Name() != want {
			t.Errorf("from %s: %v, want %s", from, err, want)
		}
	}
	srv, err := api.Listen(n, "", api.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, _ := n.OpenSpace("default")
	if _, err := s.Put(t.Context(), "t", "k", node.Fields{"n": memo.Int(1)}); err != nil {
		t.Fatal(err)
	}
	began, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := srv.Client().Watch(context.Background(), "default", api.Query{}, api.Start, api.Read{}, func(api.Change) error {
			close(began)
			return nil
		})
		ended <- err
	}()
	<-began
	if err := srv.Close(); err != nil {
		t.Fatal(err)
	}
	var p *api.Problem
	if err := <-ended; !errors.As(err, &p) || p.Name() != api.Closed {
		t.Errorf("ended with %v", err)
	}
}

// A stream that breaks off is an error, and the cursor still says where.
func TestCutWatch(t *testing.T) {
	stream := "id: one\nevent: change\ndata: {\"cursor\":\"one\",\"topic\":\"t\",\"key\":\"k\",\"fields\":{}}\n\n:\nid: two\n\nid: three\nevent: ch"
	seen := 0
	cursor, err := broken(t, stream).Watch(t.Context(), "default", api.Query{}, api.Now, api.Read{}, func(api.Change) error {
		seen++
		return nil
	})
	if !errors.Is(err, api.ErrNoAnswer) || cursor != "two" || seen != 1 {
		t.Errorf("%d changes, cursor %q, %v", seen, cursor, err)
	}
}
