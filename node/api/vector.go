package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// Vector is all that a node has attached of a space: the newest memo of each
// author, and with it all that the author wrote before. Of two nodes it tells which
// memos the one has and the other lacks.
type Vector struct {
	Authors int    `json:"authors" doc:"How many there are; heads lists at most 65536"`
	Heads   []Head `json:"heads"   doc:"The newest memo of each author, by author"`
}

func (s *service) registerVector(api huma.API) {
	huma.Register(api, operation(http.MethodGet, "/v1/spaces/{space}/vector", "vector", "The newest memo attached here of each author"), s.vector)
}

func (s *service) vector(_ context.Context, in *InSpace) (*reply[Vector], error) {
	sp, err := s.node.OpenSpace(in.Space)
	if err != nil {
		return nil, ProblemOf(err)
	}
	v := sp.Vector()
	out := Vector{Authors: v.Len(), Heads: make([]Head, 0, min(v.Len(), maxVector))}
	for m := range v.All() {
		if len(out.Heads) == maxVector {
			break
		}
		out.Heads = append(out.Heads, headOf(m.Head))
	}
	return &reply[Vector]{out}, nil
}

// Vector returns what the node has attached of a space.
func (c *Client) Vector(ctx context.Context, space string) (v Vector, err error) {
	return v, c.call(ctx, http.MethodGet, spacePath(space, "vector"), nil, nil, &v)
}
