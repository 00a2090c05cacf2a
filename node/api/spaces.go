package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"lightcone/memo"
	"lightcone/node"
)

// Space is a line about a space.
type Space struct {
	ID       string `json:"id" doc:"CID of the genesis, the same on every peer"`
	Name     string `json:"name" doc:"What this node calls the space"`
	Rights   string `json:"rights" doc:"open: whoever takes part writes; members: who was granted it"`
	Standing string `json:"standing" doc:"What this node may do: open, reader, writer, granter, root, revoked"`
	Authors  int    `json:"authors"`
	Memos    uint64 `json:"memos" doc:"Attached here"`
}

// NewSpace asks for a new space.
type NewSpace struct {
	Name   string `json:"name" minLength:"1" maxLength:"64" doc:"1 to 64 bytes, unique on this node"`
	Rights string `json:"rights,omitempty" enum:"open,members" doc:"open: whoever takes part writes (default); members: only who was granted it. For good"`
	Trust  string `json:"trust,omitempty" enum:"verify,adopt" doc:"verify: only memos change what is here (default); adopt: the state that a member signs is joined in place of memos that do not come, and compact deletes their bodies. For good"`
}

// What a space trusts, other than by default.
const TrustAdopt = "adopt"

// Compacted is what a compaction did.
type Compacted struct {
	Before int64 `json:"before" doc:"Bytes of the log before it"`
	After  int64 `json:"after" doc:"And after; full segments are deleted, the last one stays"`
}

// NewTicket asks for a ticket. Zero values mean 24 hours and one use.
type NewTicket struct {
	Expires string `json:"expires,omitempty" doc:"How long it is good for, as 24h or 30m" example:"24h"`
	Uses    int    `json:"uses,omitempty" minimum:"0" doc:"How many peers may use it"`
	Scope   string `json:"scope,omitempty" enum:"read,write,grant" doc:"What who joins with it may do in a space of members; in an open one, write alone"`
}

// Ticket invites a peer into a space. Its text is a secret.
type Ticket struct {
	Ticket  string    `json:"ticket" doc:"The ticket as one word"`
	Link    string    `json:"link" doc:"The same as a link, at most 180 characters"`
	Scope   string    `json:"scope" doc:"What who joins with it may do"`
	Space   string    `json:"space"`
	Name    string    `json:"name"`
	Expires time.Time `json:"expires"`
	Uses    int       `json:"uses"`
	Addrs   []string  `json:"addrs" doc:"Where its issuer is reached"`
}

// JoinRequest asks to enter the space of a ticket.
type JoinRequest struct {
	Ticket string `json:"ticket" minLength:"1"`
}

// InSpace names the space a request is about. It is exported for huma, like Asked.
type InSpace struct {
	Space string `path:"space" maxLength:"128" doc:"Local name or id"`
}

func (s *service) registerSpaces(api huma.API) {
	create := operation(http.MethodPost, "/v1/spaces", "create-space", "Make a space")
	create.DefaultStatus = http.StatusCreated
	huma.Register(api, create, s.createSpace)
	huma.Register(api, operation(http.MethodPost, "/v1/compact", "compact",
		"Delete the bodies of memos behind a checkpoint of every space; all must be created with trust=adopt"), s.compact)
	huma.Register(api, operation(http.MethodGet, "/v1/spaces", "spaces", "The spaces of this node, by name"), s.spaces)
	ticket := operation(http.MethodPost, "/v1/spaces/{space}/tickets", "ticket", "Invite a peer into a space")
	ticket.DefaultStatus = http.StatusCreated
	huma.Register(api, ticket, s.ticket)
	huma.Register(api, operation(http.MethodPost, "/v1/join", "join", "Enter the space of a ticket"), s.join)
	huma.Register(api, operation(http.MethodGet, "/v1/spaces/{space}/digest", "digest",
		"Digest of the projected state, equal on peers that hold the same memos"), s.digest)
}

func (s *service) createSpace(_ context.Context, in *struct{ Body NewSpace }) (*reply[Space], error) {
	policy := node.Policy{}
	if in.Body.Trust == TrustAdopt {
		policy.Trust = memo.Adopt
	}
	if in.Body.Rights == RightsMembers {
		policy.Rights = memo.Members
	}
	sp, err := s.node.CreateSpace(in.Body.Name, policy)
	if err != nil {
		return nil, ProblemOf(err)
	}
	return &reply[Space]{s.describe(sp)}, nil
}

func (s *service) compact(ctx context.Context, _ *none) (*reply[Compacted], error) {
	done, err := s.node.Compact(ctx)
	if err != nil {
		return nil, ProblemOf(err)
	}
	return &reply[Compacted]{Compacted{Before: done.Before, After: done.After}}, nil
}

func (s *service) spaces(context.Context, *none) (*reply[[]Space], error) {
	out := []Space{}
	for _, info := range s.node.Spaces() {
		out = append(out, spaceOf(info))
	}
	return &reply[[]Space]{out}, nil
}

func spaceOf(info node.SpaceInfo) Space {
	out := Space{ID: info.ID.String(), Name: info.Name, Rights: "open", Standing: info.Standing, Authors: info.Authors, Memos: info.Memos}
	if info.Rights == memo.Members {
		out.Rights = RightsMembers
	}
	return out
}

// describe returns the line about one space.
func (s *service) describe(sp *node.Space) Space {
	for _, info := range s.node.Spaces() {
		if info.ID == sp.ID() {
			return spaceOf(info)
		}
	}
	return Space{ID: sp.ID().String(), Name: sp.Name()}
}

func (s *service) ticket(_ context.Context, in *struct {
	InSpace
	Body NewTicket
},
) (*reply[Ticket], error) {
	sp, err := s.node.OpenSpace(in.Space)
	if err != nil {
		return nil, ProblemOf(err)
	}
	opts := node.TicketOptions{Uses: in.Body.Uses}
	if opts.Expires, err = duration(in.Body.Expires); err != nil {
		return nil, ProblemOf(err)
	}
	if opts.Scope, err = node.ParseScope(in.Body.Scope); err != nil {
		return nil, ProblemOf(err)
	}
	t, err := s.node.Ticket(sp, opts)
	if err != nil {
		return nil, ProblemOf(err)
	}
	return &reply[Ticket]{Ticket{
		Ticket: t.String(), Link: t.Link(), Scope: t.Scope.String(), Space: t.Space.String(), Name: t.Name, Expires: t.Expires, Uses: t.Uses, Addrs: orEmpty(t.Addrs),
	}}, nil
}

func (s *service) join(ctx context.Context, in *struct{ Body JoinRequest }) (*reply[Space], error) {
	t, err := node.ParseTicket(in.Body.Ticket)
	if err != nil {
		return nil, ProblemOf(err)
	}
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	sp, err := s.node.Join(ctx, t)
	if err != nil {
		return nil, ProblemOf(err)
	}
	return &reply[Space]{s.describe(sp)}, nil
}

// Digest names a state.
type Digest struct {
	Digest string `json:"digest" doc:"CID of the root of the state's search tree"`
}

type digestInput struct {
	InSpace
	Asked
}

func (s *service) digest(ctx context.Context, in *digestInput) (*known[Digest], error) {
	x, err := s.session(ctx, in.Space, in.Asked)
	if err != nil {
		return nil, ProblemOf(err)
	}
	d, err := x.Digest(ctx)
	if err != nil {
		return nil, ProblemOf(err)
	}
	return &known[Digest]{Context: x.Token().String(), Body: Digest{memo.ID(d).String()}}, nil
}
