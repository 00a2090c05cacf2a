package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"lightcone/memo"
)

// BlockRequest names peers to cut off; none means everybody.
type BlockRequest struct {
	Peers []string `json:"peers,omitempty" maxItems:"1024" doc:"Peer ids; none: everybody"`
}

func (s *service) registerPeers(api huma.API) {
	huma.Register(api, operation(http.MethodPost, "/v1/peers/block", "block", "Cut peers off with the connection gater"), s.block)
	huma.Register(api, operation(http.MethodPost, "/v1/peers/unblock", "unblock", "Undo every block"), s.unblock)
}

func (s *service) block(_ context.Context, in *struct{ Body BlockRequest }) (*none, error) {
	peers := make([]memo.Author, 0, len(in.Body.Peers))
	for _, text := range in.Body.Peers {
		p, err := memo.ParseAuthor(text)
		if err != nil {
			return nil, ProblemOf(err)
		}
		peers = append(peers, p)
	}
	if err := s.node.Block(peers...); err != nil {
		return nil, ProblemOf(err)
	}
	return nil, nil
}

func (s *service) unblock(context.Context, *none) (*none, error) {
	if err := s.node.Unblock(); err != nil {
		return nil, ProblemOf(err)
	}
	return nil, nil
}
