package api_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	causal "lightcone/context"
	"lightcone/memo"
	"lightcone/node"
	"lightcone/node/api"
)

const contextHeader = "Lightcone-Context"

// exchange sends a request with context headers and returns the response, read,
// and the context it carries.
func exchange(t *testing.T, method, url, body string, contexts ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	for _, c := range contexts {
		req.Header.Add(contextHeader, c)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if strings.HasSuffix(req.URL.Path, "/watch") { // it has no end
		return resp, resp.Header.Get(contextHeader)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	if text := resp.Trailer.Get(contextHeader); text != "" {
		return resp, text
	}
	return resp, resp.Header.Get(contextHeader)
}

// foreignToken names a memo that the node does not have.
func foreignToken(t *testing.T, n *node.Node, author byte) string {
	t.Helper()
	sp, err := n.OpenSpace("default")
	if err != nil {
		t.Fatal(err)
	}
	id := sp.ID()
	return causal.Token{
		Space: [8]byte(id[:8]), Origin: [8]byte{author},
		Heads: []causal.TokenHead{{Author: [8]byte{author}, Seq: 4, Digest: [8]byte{author}}},
	}.String()
}

func parsed(t *testing.T, text string) causal.Token {
	t.Helper()
	tok, err := causal.ParseToken(text)
	if err != nil || tok.IsZero() {
		t.Fatalf("%q: %v", text, err)
	}
	return tok
}

// Every response carries a context that asks for no less than the request's, with
// what was seen besides.
func TestEveryResponseCarriesAContext(t *testing.T) {
	n, url := serve(t, api.Options{})
	const space, write = "/v1/spaces/default", `{"edits":[{"topic":"t","row":"r","fields":{"a":1}}]}`
	_, first := exchange(t, "POST", url+space+"/update", write)
	lacking := foreignToken(t, n, 7)
	for _, tt := range []struct {
		what, method, path, body string
		context                  string
		status                   int
	}{
		{"row", "GET", space + "/row?topic=t&row=r", "", "", 200},
		{"row under a context", "GET", space + "/row?topic=t&row=r", "", first, 200},
		{"row that is not there", "GET", space + "/row?topic=t&row=none", "", first, 404},
		{"row, stale", "GET", space + "/row?topic=t&row=r&wait=0", "", lacking, 412},
		{"row, stale and returned", "GET", space + "/row?topic=t&row=r&wait=0&stale=return", "", lacking, 200},
		{"row, local", "GET", space + "/row?topic=t&row=r&mode=local", "", lacking, 200},
		{"row, bad parameter", "GET", space + "/row?topic=t&row=r&wait=soon", "", first, 422},
		{"row, misspelt parameter", "GET", space + "/row?topic=t&row=r&fild=a", "", first, 422},
		{"update", "POST", space + "/update", write, first, 200},
		{"update, refused", "POST", space + "/update", `{"edits":[]}`, first, 422},
		{"update, stale", "POST", space + "/update?wait=0", write, lacking, 412},
		{"count", "GET", space + "/count?topic=t", "", first, 200},
		{"scan", "GET", space + "/scan?topic=t", "", first, 200},
		{"scan, stale", "GET", space + "/scan?topic=t&wait=0", "", lacking, 412},
		{"history", "GET", space + "/history?topic=t&row=r", "", first, 200},
		{"why", "GET", space + "/why?topic=t&row=r", "", first, 200},
		{"digest", "GET", space + "/digest", "", first, 200},
		{"context", "GET", space + "/context", "", "", 200},
		{"watch", "GET", space + "/watch", "", first, 200},
		{"no such space", "GET", "/v1/spaces/nowhere/digest", "", first, 404},
		{"no such path", "GET", "/v1/nothing", "", first, 404},
		{"status", "GET", "/v1/status", "", first, 200},
	} {
		resp, got := exchange(t, tt.method, url+tt.path, tt.body, split(tt.context)...)
		if resp.StatusCode != tt.status {
			t.Errorf("%s: status %d, want %d", tt.what, resp.StatusCode, tt.status)
			continue
		}
		if tt.context == "" {
			parsed(t, got)
			continue
		}
		if lost, err := parsed(t, tt.context).Beyond(parsed(t, got)); err != nil || len(lost) > 0 {
			t.Errorf("%s: the response's context %s is without %v of the request's (%v)", tt.what, got, lost, err)
		}
	}
}

func split(text string) []string {
	if text == "" {
		return nil
	}
	return []string{text}
}

// Several tokens, in one header or several, in the query and in the body, are all
// taken in.
func TestContextsOfOneRequestAreJoined(t *testing.T) {
	n, url := serve(t, api.Options{})
	a, b, c := foreignToken(t, n, 1), foreignToken(t, n, 2), foreignToken(t, n, 3)
	const path = "/v1/spaces/default"
	for what, send := range map[string]func() (*http.Response, string){
		"two headers": func() (*http.Response, string) {
			return exchange(t, "GET", url+path+"/row?topic=t&row=r&wait=0&context="+c, "", a, b)
		},
		"one header": func() (*http.Response, string) {
			return exchange(t, "GET", url+path+"/row?topic=t&row=r&wait=0", "", a+", "+b+","+c)
		},
		"one parameter": func() (*http.Response, string) {
			return exchange(t, "GET", url+path+"/row?topic=t&row=r&wait=0&context="+a+","+b+","+c, "")
		},
		"the body": func() (*http.Response, string) {
			return exchange(t, "POST", url+path+"/update?wait=0",
				`{"context":"`+a+`","edits":[{"topic":"t","row":"r","fields":{"a":1}}]}`, b, c)
		},
	} {
		resp, got := send()
		if resp.StatusCode != http.StatusPreconditionFailed {
			t.Errorf("%s: status %d", what, resp.StatusCode)
			continue
		}
		heads := map[byte]bool{}
		for _, h := range parsed(t, got).Heads {
			heads[h.Author[0]] = true
		}
		if len(heads) != 3 {
			t.Errorf("%s: the response names the memos of authors %v", what, heads)
		}
	}
	if resp, got := exchange(t, "GET", url+path+"/row?topic=t&row=r", "", a, "nonsense"); resp.StatusCode != 422 || got != a+", nonsense" {
		t.Errorf("with nonsense in a header: %d, context %q", resp.StatusCode, got)
	}
}

// Tokens are joined at a node that covers them, and what it has is described.
func TestJoinContexts(t *testing.T) {
	_, url := serve(t, api.Options{})
	c := api.NewClient(url, token)
	defer c.Close()
	var tokens []string
	for _, row := range []api.Name{"a", "b"} {
		if _, err := c.Update(t.Context(), "default", api.Update{Edits: []api.Edit{
			{Topic: "t", Row: row, Fields: api.Fields{"a": memo.Int(1)}},
		}}); err != nil {
			t.Fatal(err)
		}
		k, err := c.RootContext(t.Context(), "default")
		if err != nil || k.Root == "" || len(k.Heads) != 0 || len(k.Authors) != 1 {
			t.Fatalf("%+v %v", k, err)
		}
		tokens = append(tokens, k.Token)
	}
	k, err := c.JoinContexts(t.Context(), "default", api.Read{Context: strings.Join(tokens, ",")})
	if err != nil || k.Below != 3 || len(k.Heads) != 0 || k.Root != parsed(t, tokens[1]).Root.String() {
		t.Errorf("the join of two roots of one chain is %+v (%v)", k, err)
	}
	own, err := c.Context(t.Context(), "default")
	if err != nil || own.Root != k.Root || own.Below != 3 {
		t.Errorf("the node's own context is %+v (%v)", own, err)
	}
}

// The description names the header for every operation and every response.
func TestOpenAPINamesTheHeader(t *testing.T) {
	_, url := serve(t, api.Options{})
	_, body := request(t, http.MethodGet, url+"/openapi.json", "", nil)
	var doc struct {
		Paths map[string]map[string]struct {
			Parameters []struct{ Name, In string }
			Responses  map[string]struct{ Headers map[string]any }
		}
	}
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		t.Fatal(err)
	}
	taking := 0
	for path, ops := range doc.Paths {
		for method, op := range ops {
			for _, p := range op.Parameters {
				if p.Name == contextHeader && p.In == "header" {
					taking++
				}
			}
			for status, r := range op.Responses {
				if r.Headers[contextHeader] == nil {
					t.Errorf("%s %s: response %s is without the header", method, path, status)
				}
			}
		}
	}
	if taking < 9 {
		t.Errorf("%d operations take the header", taking)
	}
}
