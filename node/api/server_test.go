package api_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	causal "lightcone/context"
	"lightcone/memo"
	"lightcone/node"
	"lightcone/node/api"
)

const token = "0123456789abcdef"

// serve opens a node with the space "default" and its API.
func serve(t *testing.T, o api.Options) (*node.Node, string) {
	t.Helper()
	n, err := node.Open(t.TempDir(), node.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	if _, err := n.CreateSpace("default", node.Policy{}); err != nil {
		t.Fatal(err)
	}
	o.Token = token
	h, err := api.New(n, o)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return n, srv.URL
}

// request sends a request and returns status and body.
func request(t *testing.T, method, url, body string, header map[string]string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	for k, v := range header {
		if k == "Host" {
			req.Host = v
		}
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(data)
}

// Who has no token, comes under another name, or from a page of another origin
// gets nothing.
func TestGuard(t *testing.T) {
	_, url := serve(t, api.Options{})
	tests := []struct {
		name   string
		path   string
		header map[string]string
		want   int
	}{
		{"token", "/v1/status", nil, http.StatusOK},
		{"no token", "/v1/status", map[string]string{"Authorization": ""}, http.StatusUnauthorized},
		{"wrong token", "/v1/status", map[string]string{"Authorization": "Bearer " + token + "0"}, http.StatusUnauthorized},
		{"wrong scheme", "/v1/status", map[string]string{"Authorization": "Basic " + token}, http.StatusUnauthorized},
		{"probe without token", "/healthz", map[string]string{"Authorization": ""}, http.StatusOK},
		{"ready without token", "/readyz", map[string]string{"Authorization": ""}, http.StatusOK},
		{"description without token", "/openapi.json", map[string]string{"Authorization": ""}, http.StatusOK},
		{"localhost", "/v1/status", map[string]string{"Host": "localhost:80"}, http.StatusOK},
		{"another name", "/v1/status", map[string]string{"Host": "evil.example"}, http.StatusForbidden},
		{"probe by another name", "/healthz", map[string]string{"Host": "evil.example"}, http.StatusForbidden},
		{"another origin", "/v1/status", map[string]string{"Origin": "http://evil.example"}, http.StatusForbidden},
		{"no origin", "/v1/status", map[string]string{"Origin": "null"}, http.StatusForbidden},
		{"own origin", "/v1/status", map[string]string{"Origin": url}, http.StatusOK},
		{"cross-site", "/v1/status", map[string]string{"Sec-Fetch-Site": "cross-site"}, http.StatusForbidden},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, body := request(t, http.MethodGet, url+tt.path, "", tt.header); got != tt.want {
				t.Errorf("status %d, want %d: %s", got, tt.want, body)
			}
		})
	}
}

// Requests that break a rule say which one, as problems.
func TestBadRequests(t *testing.T) {
	_, url := serve(t, api.Options{})
	const update, row = "/v1/spaces/default/update", "/v1/spaces/default/row?topic=t&row=r"
	tests := []struct {
		name, method, path, body string
		want                     string
		status                   int
	}{
		{"misspelt member", "POST", update, `{"edits":[{"topic":"t","row":"r","felds":{}}]}`, api.Invalid, 422},
		{"no edits", "POST", update, `{"edits":[]}`, api.Invalid, 422},
		{"nothing to do", "POST", update, `{"edits":[{"topic":"t","row":"r"}]}`, api.Invalid, 422},
		{"no topic", "POST", update, `{"edits":[{"topic":"","row":"r","fields":{"a":1}}]}`, api.Invalid, 422},
		{"bad value", "POST", update, `{"edits":[{"topic":"t","row":"r","fields":{"a":[]}}]}`, api.Invalid, 422},
		{"two values", "POST", update, `{"edits":[]} {}`, api.Invalid, 422},
		{"large value", "POST", update, `{"edits":[{"topic":"t","row":"r","fields":{"a":"` + strings.Repeat("x", 1<<20) + `"}}]}`, api.TooLarge, 413},
		{"large body", "POST", update, `{"context":"` + strings.Repeat("x", api.MaxBody) + `"}`, api.TooLarge, 413},
		{"bad token", "GET", row + "&context=nonsense", "", api.Invalid, 422},
		{"bad wait", "GET", row + "&wait=soon", "", api.Invalid, 422},
		{"bad mode", "GET", row + "&mode=sometimes", "", api.Invalid, 422},
		{"exact", "GET", row + "&mode=exact", "", api.ContextUnavailable, 409},
		{"bad token to read at", "GET", row + "&at=nonsense", "", api.Invalid, 422},
		{"misspelt parameter", "GET", row + "&fild=x", "", api.Invalid, 422},
		{"no such row", "GET", row, "", api.NotFound, 404},
		{"no such space", "GET", "/v1/spaces/nowhere/digest", "", api.NoSpace, 404},
		{"space again", "POST", "/v1/spaces", `{"name":"default"}`, api.SpaceExists, 409},
		{"ticket without network", "POST", "/v1/spaces/default/tickets", `{}`, api.Unreachable, 503},
		{"bad ticket", "POST", "/v1/join", `{"ticket":"x"}`, api.BadTicket, 422},
		{"block without network", "POST", "/v1/peers/block", `{}`, api.Unreachable, 503},
		{"no such peer", "POST", "/v1/peers/block", `{"peers":["x"]}`, api.Invalid, 422},
		{"stop where that is not offered", "POST", "/v1/stop", "", api.Unsupported, 501},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, body := request(t, tt.method, url+tt.path, tt.body, map[string]string{"Content-Type": "application/json"})
			var p api.Problem
			if err := json.Unmarshal([]byte(body), &p); err != nil {
				t.Fatalf("%s: %v", body, err)
			}
			if status != tt.status || p.Status != status || p.Name() != tt.want || p.Cause == "" {
				t.Errorf("status %d, want %d %s: %+v", status, tt.status, tt.want, p)
			}
		})
	}
}

// What is written is read, counted, scanned and deleted.
func TestRows(t *testing.T) {
	_, url := serve(t, api.Options{})
	c := api.NewClient(url, token)
	defer c.Close()
	ctx := t.Context()
	edits := []api.Edit{
		{Topic: "t", Row: "b", Fields: api.Fields{"n": memo.Int(2)}},
		{Topic: "t", Row: "\xff", Fields: api.Fields{"\xfe": memo.Blob([]byte{0})}},
		{Topic: "u", Row: "", Fields: api.Fields{"": memo.Null()}},
	}
	receipt, err := c.Update(ctx, "default", api.Update{Edits: edits})
	if err != nil || receipt.Outcome != "committed" || receipt.ID == "" || receipt.Token == "" {
		t.Fatalf("update: %+v, %v", receipt, err)
	}
	row, err := c.Row(ctx, "default", "t", "\xff", nil, api.Read{Context: receipt.Token})
	if err != nil || len(row.Provenance) != 1 || row.Provenance[0].Digest != receipt.ID {
		t.Fatalf("row: %+v, %v", row, err)
	}
	if diff := cmp.Diff(edits[1].Fields, row.Fields, cmp.AllowUnexported(memo.Value{})); diff != "" {
		t.Errorf("row, - wanted + got:\n%s", diff)
	}
	var keys []string
	end, err := c.Scan(ctx, "default", api.Query{}, api.Read{}, func(r api.Row) error {
		keys = append(keys, r.Topic+"/"+string(r.Key))
		return nil
	})
	if diff := cmp.Diff([]string{"t/b", "t/\xff", "u/"}, keys); diff != "" || err != nil || end.Rows != 3 || end.Token == "" {
		t.Errorf("scan: %+v, %v; - wanted + got:\n%s", end, err, diff)
	}
	if n, err := c.Count(ctx, "default", api.Query{Topic: "t", From: "c"}, api.Read{}); err != nil || n.Rows != 1 {
		t.Errorf("count: %+v, %v", n, err)
	}
	if _, err = c.Update(ctx, "default", api.Update{Edits: []api.Edit{
		{Topic: "t", Row: "b", Delete: true, Fields: api.Fields{"m": memo.Int(1)}},
		{Topic: "t", Row: "\xff", DeleteFields: []api.Name{"\xfe"}},
	}}); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Count(ctx, "default", api.Query{Topic: "t"}, api.Read{}); err != nil || n.Rows != 1 {
		t.Errorf("count after deleting: %+v, %v", n, err)
	}
	if row, err = c.Row(ctx, "default", "t", "b", nil, api.Read{}); err != nil || len(row.Fields) != 1 {
		t.Errorf("row that was deleted and written again: %+v, %v", row, err)
	}
}

// A context travels in the query, in the body and in the header, and back.
func TestContexts(t *testing.T) {
	n, url := serve(t, api.Options{})
	c := api.NewClient(url, token)
	defer c.Close()
	sp, err := n.OpenSpace("default")
	if err != nil {
		t.Fatal(err)
	}
	id, self := sp.ID(), n.ID()
	foreign := causal.Token{
		Space: [8]byte(id[:8]), Origin: [8]byte(self[:8]),
		Heads: []causal.TokenHead{{Author: [8]byte{1}, Seq: 4, Digest: [8]byte{2}}},
	}.String()
	var p *api.Problem
	_, err = c.Row(t.Context(), "default", "t", "r", nil, api.Read{Context: foreign, Wait: -1})
	if !errors.As(err, &p) || p.Name() != api.Stale || len(p.Missing) != 1 || p.Missing[0].Seq != 4 {
		t.Errorf("a context that is not covered: %v, %+v", err, p)
	}
	_, err = c.Update(t.Context(), "default", api.Update{Context: foreign, Edits: []api.Edit{
		{Topic: "t", Row: "r", Fields: api.Fields{"a": memo.Int(1)}},
	}})
	if !errors.As(err, &p) || p.Name() != api.Stale {
		t.Errorf("a write under it: %v", err)
	}
	const scan = "/v1/spaces/default/scan?topic=t&wait=0"
	status, body := request(t, http.MethodGet, url+scan, "", map[string]string{"Lightcone-Context": foreign})
	if status != http.StatusPreconditionFailed {
		t.Errorf("a scan under it by header: %d %s", status, body)
	}
	k, err := c.Context(t.Context(), "default")
	if err != nil || len(k.Heads) != 1 {
		t.Fatalf("context: %+v, %v", k, err)
	}
	if _, err = c.Row(t.Context(), "default", "t", "r", nil, api.Read{Context: k.Token}); !errors.As(err, &p) || p.Name() != api.NotFound {
		t.Errorf("a context that is covered: %v", err)
	}
}

// The control file tells other processes where the node is, while it is there.
func TestControlFile(t *testing.T) {
	n, _ := serve(t, api.Options{})
	dir := n.Dir()
	stopped := make(chan struct{})
	if _, err := api.Dial(t.Context(), dir); !errors.Is(err, api.ErrNoNode) {
		t.Errorf("before: %v", err)
	}
	srv, err := api.Listen(n, dir, api.Options{Stop: func() { close(stopped) }})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "control.json")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("control file: %v, %v", info, err)
	}
	c, err := api.Dial(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	st, err := c.Status(t.Context())
	if err != nil || st.ID != n.ID().String() || len(st.Spaces) != 1 {
		t.Errorf("status: %+v, %v", st, err)
	}
	if err := c.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	<-stopped
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("control file after Close: %v", err)
	}
	// A node that was killed leaves the file behind.
	if err := os.WriteFile(path, old, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := api.Dial(t.Context(), dir); !errors.Is(err, api.ErrNoNode) {
		t.Errorf("after: %v", err)
	}
}

// The document describes every operation, and writes need the token.
func TestOpenAPI(t *testing.T) {
	_, url := serve(t, api.Options{Version: "1.2.3"})
	_, body := request(t, http.MethodGet, url+"/openapi.json", "", nil)
	var doc struct {
		Info  struct{ Version string }
		Paths map[string]map[string]struct{ OperationID string }
	}
	if err := json.NewDecoder(bytes.NewReader([]byte(body))).Decode(&doc); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		"/v1/status", "/v1/spaces", "/v1/spaces/{space}/update", "/v1/spaces/{space}/row", "/v1/spaces/{space}/scan",
		"/v1/spaces/{space}/count", "/v1/spaces/{space}/watch", "/v1/spaces/{space}/digest", "/v1/spaces/{space}/context", "/v1/spaces/{space}/tickets", "/v1/spaces/{space}/beacons",
		"/v1/join", "/v1/compact", "/v1/peers/block", "/v1/peers/unblock", "/v1/stop", "/healthz", "/readyz",
	} {
		if len(doc.Paths[path]) == 0 {
			t.Errorf("%s is not described", path)
		}
	}
	if doc.Info.Version != "1.2.3" {
		t.Errorf("version %q", doc.Info.Version)
	}
}

// A short token is refused: Options are checked before anything is served.
func TestOptions(t *testing.T) {
	n, _ := serve(t, api.Options{})
	if _, err := api.New(n, api.Options{Token: "short"}); !errors.Is(err, api.ErrOptions) {
		t.Errorf("got %v, want ErrOptions", err)
	}
}
