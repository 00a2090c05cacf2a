package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lightcone/memo"
	"lightcone/node"
	"lightcone/node/api"
)

// The JSON of a history and an explanation, but for ids and clocks, letter by
// letter: tools read it.
func TestHistoryAndWhyJSON(t *testing.T) {
	n, url := serve(t, api.Options{})
	s, err := n.OpenSpace("default")
	if err != nil {
		t.Fatal(err)
	}
	text, err := memo.Text("x")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []func(tx *node.Tx) error{
		func(tx *node.Tx) error {
			return errors.Join(tx.Put("t", "\xff", node.Fields{"a": memo.Null(), "b": memo.Int(1)}), tx.Add("t", "\xff", "c", -2),
				tx.Change("t", "\xff", "s", []memo.Value{text}, nil), tx.PutMulti("t", "\xff", node.Fields{"m": text}))
		},
		func(tx *node.Tx) error { return tx.Delete("t", "\xff", "b") },
		func(tx *node.Tx) error { return tx.Delete("t", "\xff") },
	} {
		if _, err := s.Update(context.Background(), f); err != nil {
			t.Fatal(err)
		}
	}
	ids := regexp.MustCompile(`"(cursor|id|author|digest|token|next)":"[^"]+"|"time":\d+`)
	get := func(path string) string {
		t.Helper()
		status, body := request(t, http.MethodGet, url+"/v1/spaces/default/"+path, "", nil)
		if status != http.StatusOK {
			t.Fatalf("%s: %d %s", path, status, body)
		}
		return ids.ReplaceAllString(body, "$1")
	}
	want := `{cursor,id,author,"seq":2,,"operations":[{"field":"a","type":"register","value":null},{"field":"b","type":"register","value":1},` +
		`{"field":"c","type":"counter","minus":2},{"field":"m","type":"multi","value":"x"},{"field":"s","type":"set","add":["x"]}],"causes":[]}
{cursor,id,author,"seq":3,,"operations":[{"field":"b","type":"register","deleted":true}],"causes":[{author,"seq":2,digest}]}
{"end":true,"edits":2,next,token}
`
	if diff := cmp.Diff(want, get("history?topic=t&row=$bytes:_w&limit=2")); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	stamp := func(seq string) string { return `{author,"seq":` + seq + `,digest,` }
	want = `{"topic":"t","key":"$bytes:_w","tombstone":` + stamp("4") + `},"fields":[{"field":"b","type":"register","rule":"row tombstone","live":false,` +
		`"from":[` + stamp("4") + `}],"lost":[` +
		stamp("2") + `,"operation":{"field":"b","type":"register","value":1},"to":` + stamp("4") + `},"order":"before"},` +
		stamp("3") + `,"operation":{"field":"b","type":"register","deleted":true},"to":` + stamp("4") + `},"order":"before"}]}],token}
`
	if diff := cmp.Diff(want, get("why?topic=t&row=$bytes:_w&field=b")); diff != "" {
		t.Errorf("why (-want +got):\n%s", diff)
	}
	for _, path := range []string{"history?topic=t&row=no", "why?topic=t&row=no", "why?topic=t&row=$bytes:_w&field=no"} {
		status, body := request(t, http.MethodGet, url+"/v1/spaces/default/"+path, "", nil)
		if status != http.StatusNotFound || !strings.Contains(body, "urn:lightcone:not-found") {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	var doc struct{ Paths map[string]any }
	if _, body := request(t, http.MethodGet, url+"/openapi.json", "", nil); json.Unmarshal([]byte(body), &doc) != nil ||
		doc.Paths["/v1/spaces/{space}/history"] == nil || doc.Paths["/v1/spaces/{space}/why"] == nil {
		t.Errorf("the OpenAPI document has %d paths, not both of these", len(doc.Paths))
	}
}
