package api_test

import (
	"testing"

	"lightcone/memo"
	"lightcone/node/api"
)

// The vector names the newest memo of each author.
func TestVector(t *testing.T) {
	n, url := serve(t, api.Options{})
	c := api.NewClient(url, token)
	defer c.Close()
	for i := range 3 {
		_, err := c.Update(t.Context(), "default", api.Update{Edits: []api.Edit{
			{Topic: "t", Row: "r", Fields: api.Fields{"a": memo.Int(int64(i))}},
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	v, err := c.Vector(t.Context(), "default")
	if err != nil || v.Authors != 1 || len(v.Heads) != 1 {
		t.Fatalf("%+v, %v", v, err)
	}
	if h := v.Heads[0]; h.Author != n.ID().String() || h.Seq < 4 || h.Digest == "" { // the genesis is the first
		t.Errorf("%+v", h)
	}
	if _, err := c.Vector(t.Context(), "other"); api.ProblemOf(err).Name() != api.NoSpace {
		t.Errorf("of a space that is not here: %v", err)
	}
}
