package api

import (
	"context"
	"fmt"
	"time"

	causal "lightcone/context"
	"lightcone/memo"
	"lightcone/node"
)

// Asked is what every read may say about its context. It is exported for huma,
// which does not look into embedded types that are not.
type Asked struct {
	Context string `query:"context" doc:"Context tokens, with commas between them: the answer shows no less than they name"`
	At      string `query:"at" doc:"Context token: mode=exact with it as the context, the state of precisely that cut"`
	Header  string `header:"Lightcone-Context" doc:"Context tokens, with commas between them, or several such headers: joined with all others of the request"`
	Mode    string `query:"mode" enum:"at-least,local,exact" default:"at-least" doc:"What the answer owes to the context"`
	Wait    string `query:"wait" doc:"How long to wait for the context, as 2s or 0" example:"2s"`
	Vouched bool   `query:"vouched" doc:"With mode=at-least: rows may be what a peer vouches for until their memos are here, as with mode=local; they say so"`
	Stale   string `query:"stale" enum:"error,return" default:"error" doc:"What to do when waiting was in vain"`
}

var modes = map[string]node.Mode{"": node.AtLeast, "at-least": node.AtLeast, "local": node.Local, "exact": node.Exact}

// ranging starts a session for the rows that query selects.
func (s *service) ranging(ctx context.Context, space string, a Asked, query func() (node.Query, error)) (*node.Session, node.Query, error) {
	x, err := s.session(ctx, space, a)
	if err != nil {
		return nil, node.Query{}, ProblemOf(err)
	}
	q, err := query()
	if err != nil {
		return nil, node.Query{}, ProblemOf(err)
	}
	return x, q, nil
}

// refused is the answer to a read that failed. That a row is not there is
// knowledge too: its token goes along.
func refused(err error, x *node.Session) error {
	p := ProblemOf(err)
	if p.Name() == NotFound {
		p.Token = x.Token().String()
	}
	return p
}

// session starts a session of the space as asked for.
func (s *service) session(ctx context.Context, space string, a Asked) (*node.Session, error) {
	texts := split(a.Context, a.At, a.Header)
	carried := carriedBy(ctx)
	carried.asked = texts
	sp, err := s.node.OpenSpace(space)
	if err != nil {
		return nil, err
	}
	r := node.Read{Mode: modes[a.Mode], Vouched: a.Vouched}
	if a.At != "" {
		r.Mode = node.Exact
	}
	if a.Stale == "return" {
		r.Stale = node.StaleReturn
	}
	if r.Wait, err = duration(a.Wait); err != nil {
		return nil, err
	}
	if a.Wait != "" && r.Wait == 0 {
		r.Wait = -1 // not at all; 0 would be the default
	}
	r.Wait = min(r.Wait, MaxWait)
	x := sp.Session(r)
	for _, text := range texts {
		t, err := causal.ParseToken(text)
		if err != nil {
			return nil, err
		}
		x.Take(t)
	}
	carried.session = x
	return x, nil
}

// duration reads a length of time that is not negative; "" is 0.
func duration(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%w: %q is no length of time; write it as 90s, 5m or 24h", memo.ErrInvalid, text)
	}
	return d, nil
}

// known is an output with a body and the context it carries.
type known[T any] struct {
	Context string `header:"Lightcone-Context"`
	Body    T
}
