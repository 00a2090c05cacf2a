package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"lightcone/memo"
	"lightcone/node"
)

// RightsMembers is who may write into a space, other than by default.
const RightsMembers = "members"

// Roles of a grant.
const (
	RoleWriter  = "writer"
	RoleGranter = "granter"
)

// NewGrant lets a peer write.
type NewGrant struct {
	Peer string `json:"peer" minLength:"1" doc:"Its id"`
	Role string `json:"role,omitempty" enum:"writer,granter" doc:"granter: it may grant as well, and revoke whom it granted"`
}

// NewRevocation takes a grant back, for good.
type NewRevocation struct {
	Peer string `json:"peer" minLength:"1" doc:"Its id"`
}

// Ruled is what became of a grant or revocation.
type Ruled struct {
	ID   string `json:"id,omitempty" doc:"CID of the memo. Absent when all was as asked already"`
	Peer string `json:"peer"`
}

// Member is an author that may write into a space, or might once.
type Member struct {
	Peer     string `json:"peer"`
	Role     string `json:"role" doc:"root, granter, writer or revoked"`
	LastGood uint64 `json:"lastGood,omitempty" doc:"Of one revoked: the last memo that needs nobody else's"`
}

// OpenTicket is a ticket that this node issued and that may still be used.
type OpenTicket struct {
	ID      string    `json:"id" doc:"No secret: it names the ticket here"`
	Scope   string    `json:"scope"`
	Expires time.Time `json:"expires"`
	Uses    int       `json:"uses"`
	UsedBy  []string  `json:"usedBy" doc:"Peers that joined with it"`
}

func (s *service) registerRights(api huma.API) {
	grant := operation(http.MethodPost, "/v1/spaces/{space}/grants", "grant", "Let a peer write into a space of members")
	grant.DefaultStatus = http.StatusCreated
	huma.Register(api, grant, s.grant)
	revoke := operation(http.MethodPost, "/v1/spaces/{space}/revocations", "revoke", "Take a peer's grant back, for good")
	revoke.DefaultStatus = http.StatusCreated
	huma.Register(api, revoke, s.revoke)
	huma.Register(api, operation(http.MethodGet, "/v1/spaces/{space}/members", "members", "Who may write into a space of members"), s.members)
	huma.Register(api, operation(http.MethodGet, "/v1/spaces/{space}/tickets", "tickets", "The tickets of this node that may still be used"), s.tickets)
	huma.Register(api, operation(http.MethodDelete, "/v1/spaces/{space}/tickets/{ticket}", "withdraw", "Make a ticket worthless"), s.withdraw)
}

func (s *service) grant(ctx context.Context, in *struct {
	InSpace
	Body NewGrant
},
) (*reply[Ruled], error) {
	role := memo.Writer
	if in.Body.Role == RoleGranter {
		role = memo.Granter
	}
	return s.rule(in.Space, in.Body.Peer, func(sp *node.Space, p memo.Author) (node.Receipt, error) {
		return sp.Grant(ctx, p, role)
	})
}

func (s *service) revoke(ctx context.Context, in *struct {
	InSpace
	Body NewRevocation
},
) (*reply[Ruled], error) {
	return s.rule(in.Space, in.Body.Peer, func(sp *node.Space, p memo.Author) (node.Receipt, error) {
		return sp.Revoke(ctx, p)
	})
}

func (s *service) rule(space, peer string, f func(*node.Space, memo.Author) (node.Receipt, error)) (*reply[Ruled], error) {
	sp, err := s.node.OpenSpace(space)
	if err != nil {
		return nil, ProblemOf(err)
	}
	p, err := memo.ParseAuthor(peer)
	if err != nil {
		return nil, ProblemOf(err)
	}
	r, err := f(sp, p)
	if err != nil {
		return nil, ProblemOf(err)
	}
	out := Ruled{Peer: p.String()}
	if !r.ID.IsZero() {
		out.ID = r.ID.String()
	}
	return &reply[Ruled]{out}, nil
}

func (s *service) members(_ context.Context, in *struct{ InSpace }) (*reply[[]Member], error) {
	sp, err := s.node.OpenSpace(in.Space)
	if err != nil {
		return nil, ProblemOf(err)
	}
	return &reply[[]Member]{membersOf(sp.Members())}, nil
}

func membersOf(list []node.Member) []Member {
	out := []Member{}
	for _, m := range list {
		one := Member{Peer: m.Author.String(), Role: m.Role.String()}
		switch {
		case m.Root:
			one.Role = node.StandingRoot
		case m.Revoked:
			one.Role, one.LastGood = node.StandingRevoked, m.LastGood
		}
		out = append(out, one)
	}
	return out
}

func (s *service) tickets(ctx context.Context, in *struct{ InSpace }) (*reply[[]OpenTicket], error) {
	sp, err := s.node.OpenSpace(in.Space)
	if err != nil {
		return nil, ProblemOf(err)
	}
	list, err := sp.Tickets(ctx)
	if err != nil {
		return nil, ProblemOf(err)
	}
	out := []OpenTicket{}
	for _, t := range list {
		out = append(out, OpenTicket{ID: t.ID, Scope: t.Scope.String(), Expires: t.Expires, Uses: t.Uses, UsedBy: orEmpty(t.UsedBy)})
	}
	return &reply[[]OpenTicket]{out}, nil
}

func (s *service) withdraw(ctx context.Context, in *struct {
	InSpace
	Ticket string `path:"ticket" maxLength:"16" doc:"Its id"`
},
) (*none, error) {
	sp, err := s.node.OpenSpace(in.Space)
	if err == nil {
		err = sp.Withdraw(ctx, in.Ticket)
	}
	if err != nil {
		return nil, ProblemOf(err)
	}
	return nil, nil
}

// Grant lets a peer write into the space.
func (c *Client) Grant(ctx context.Context, space string, g NewGrant) (r Ruled, err error) {
	return r, c.call(ctx, http.MethodPost, spacePath(space, "grants"), nil, g, &r)
}

// Revoke takes a peer's grant back.
func (c *Client) Revoke(ctx context.Context, space, peer string) (r Ruled, err error) {
	return r, c.call(ctx, http.MethodPost, spacePath(space, "revocations"), nil, NewRevocation{Peer: peer}, &r)
}

// Members lists who may write into the space.
func (c *Client) Members(ctx context.Context, space string) (list []Member, err error) {
	return list, c.call(ctx, http.MethodGet, spacePath(space, "members"), nil, nil, &list)
}

// Tickets lists the tickets of the node that may still be used.
func (c *Client) Tickets(ctx context.Context, space string) (list []OpenTicket, err error) {
	return list, c.call(ctx, http.MethodGet, spacePath(space, "tickets"), nil, nil, &list)
}

// Withdraw makes a ticket worthless.
func (c *Client) Withdraw(ctx context.Context, space, id string) error {
	return c.call(ctx, http.MethodDelete, spacePath(space, "tickets/"+id), nil, nil, nil)
}
