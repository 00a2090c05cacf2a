package api

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"lightcone/memo"
	"lightcone/node"
)

// Proof says of a peer that it signed a root with a row that the memos of its cut do not make.
type Proof struct {
	ID      string    `json:"id" doc:"Digest of the evidence"`
	Peer    string    `json:"peer" doc:"Who signed. Nothing of its states is adopted any more; what was stays"`
	Root    string    `json:"root"`
	Topic   string    `json:"topic"`
	Row     Name      `json:"row" doc:"Write it anew to mend it"`
	Memo    Head      `json:"memo" doc:"What was said of it is forged, or what it did was left out"`
	Omitted bool      `json:"omitted" doc:"It was left out"`
	Found   time.Time `json:"found" doc:"When it was kept here"`
}

// Evidence is a proof that anyone can check.
type Evidence struct {
	Evidence []byte `json:"evidence" doc:"Base64 of what gossip.DecodeEvidence reads"`
}

// Pardoned says how many proofs against a peer were forgotten.
type Pardoned struct {
	Proofs int `json:"proofs"`
}

func (s *service) registerProofs(api huma.API) {
	huma.Register(api, operation(http.MethodGet, "/v1/proofs/{proof}", "evidence", "The evidence that a peer signed a false state"), s.evidence)
	accuse := operation(http.MethodPost, "/v1/spaces/{space}/proofs", "accuse", "Keep evidence that was found elsewhere, after checking it")
	accuse.DefaultStatus = http.StatusCreated
	huma.Register(api, accuse, s.accuse)
	huma.Register(api, operation(http.MethodDelete, "/v1/spaces/{space}/liars/{peer}", "pardon",
		"Forget the proofs against a peer: its states are adopted again"), s.pardon)
}

func (s *service) evidence(_ context.Context, in *struct {
	Proof string `path:"proof" maxLength:"128" doc:"Its id"`
},
) (*reply[Evidence], error) {
	id, err := memo.ParseID(in.Proof)
	if err != nil {
		return nil, ProblemOf(err)
	}
	data, err := s.node.Evidence(id)
	if err != nil {
		return nil, ProblemOf(err)
	}
	return &reply[Evidence]{Evidence{data}}, nil
}

func (s *service) accuse(ctx context.Context, in *struct {
	InSpace
	Body Evidence
},
) (*reply[Proof], error) {
	sp, err := s.node.OpenSpace(in.Space)
	if err != nil {
		return nil, ProblemOf(err)
	}
	p, err := sp.Accuse(ctx, in.Body.Evidence)
	if err != nil {
		return nil, ProblemOf(err)
	}
	return &reply[Proof]{proofOf(p)}, nil
}

func (s *service) pardon(ctx context.Context, in *struct {
	InSpace
	Peer string `path:"peer" maxLength:"128" doc:"Its id"`
},
) (*reply[Pardoned], error) {
	sp, err := s.node.OpenSpace(in.Space)
	if err != nil {
		return nil, ProblemOf(err)
	}
	p, err := memo.ParseAuthor(in.Peer)
	if err != nil {
		return nil, ProblemOf(err)
	}
	n, err := sp.Pardon(ctx, p)
	if err != nil {
		return nil, ProblemOf(err)
	}
	return &reply[Pardoned]{Pardoned{n}}, nil
}

func proofOf(p node.Proof) Proof {
	return Proof{
		ID: p.ID.String(), Peer: p.Peer.String(), Root: p.Root.String(), Topic: p.Topic, Row: Name(p.Row), Memo: headOf(p.Memo),
		Omitted: p.Omitted, Found: p.Found,
	}
}

func proofsOf(proofs []node.Proof) (out []Proof) {
	for _, p := range proofs {
		out = append(out, proofOf(p))
	}
	return out
}

// Evidence returns the evidence of a proof.
func (c *Client) Evidence(ctx context.Context, id string) (e Evidence, err error) {
	return e, c.call(ctx, http.MethodGet, "/v1/proofs/"+url.PathEscape(id), nil, nil, &e)
}

// Accuse has the node keep evidence that was found elsewhere.
func (c *Client) Accuse(ctx context.Context, space string, e Evidence) (p Proof, err error) {
	return p, c.call(ctx, http.MethodPost, spacePath(space, "proofs"), nil, e, &p)
}

// Pardon has the node forget the proofs against a peer.
func (c *Client) Pardon(ctx context.Context, space, peer string) (p Pardoned, err error) {
	return p, c.call(ctx, http.MethodDelete, spacePath(space, "liars/"+url.PathEscape(peer)), nil, nil, &p)
}
