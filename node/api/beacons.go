package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"lightcone/memo"
	"lightcone/node"
)

// LateDefault is the policy of a space that has none of its own.
const LateDefault = "default"

// Beacons is what a node knows of the beacons of a space.
type Beacons struct {
	Beacons []Beacon `json:"beacons" doc:"That pinged, ascending by id"`
	Authors float64  `json:"authors" doc:"Estimated number of authors in the last 24 hours"`
	Target  float64  `json:"target" doc:"Pings per second that all beacons together are to write while there is news"`
	Rate    float64  `json:"rate" doc:"Pings per second that attach here, measured"`
	Chance  float64  `json:"chance" doc:"Probability of a ping of this node in the next second, given news"`
	Silent  bool     `json:"silent,omitempty" doc:"This node writes no pings"`
	Stable  Stable   `json:"stable"`
	Late    Late     `json:"late"`
	Lag     Lag      `json:"lag" doc:"How far this node is behind what its peers said they have"`
}

// Beacon is one beacon, by its last ping that attached here.
type Beacon struct {
	ID     string    `json:"id" doc:"Peer id"`
	Self   bool      `json:"self,omitempty" doc:"It is this node"`
	Ping   Head      `json:"ping" doc:"Its last ping"`
	Time   time.Time `json:"time" doc:"When that was written, by the beacon's clock"`
	Age    float64   `json:"ageSeconds" doc:"How long ago that is, by this node's clock"`
	Refs   int       `json:"refs" doc:"Pings of others that it refers to"`
	Claim  *Head     `json:"claim,omitempty" doc:"The ping with its latest claim that is known here; absent: none is"`
	Behind uint64    `json:"behind" doc:"Memos here that were not in that claim"`
}

// Stable is the stability cut.
type Stable struct {
	Memos  uint64     `json:"memos" doc:"That everybody on the roster had when it last claimed"`
	Time   *time.Time `json:"time,omitempty" doc:"Of the oldest claim"`
	Roster int        `json:"roster" doc:"Beacons that claimed in the last 24 hours, this node included"`
	Known  int        `json:"known" doc:"Of which the claim is known; with fewer than all nothing is stable"`
	Cut    []Head     `json:"cut" doc:"The last memo of each author in it"`
}

// Late is about memos that came although they are older than what everybody had.
type Late struct {
	Policy string     `json:"policy" enum:"accept,quarantine" doc:"What becomes of them here"`
	Memos  uint64     `json:"memos" doc:"That attached since the node started"`
	Last   []Head     `json:"last" doc:"Some of them, the newest last"`
	Held   []HeldLate `json:"held" doc:"That are held back, ascending by author"`
}

// HeldLate is what is held back of one author.
type HeldLate struct {
	Author string `json:"author"`
	First  uint64 `json:"first" doc:"Seq of the first memo"`
	Last   Head   `json:"last"`
	Memos  uint64 `json:"memos"`
	Bytes  int    `json:"bytes"`
}

// NewLatePolicy says what becomes of late memos in a space, on this node.
type NewLatePolicy struct {
	Policy string `json:"policy" enum:"accept,quarantine,default" doc:"default: as the node was told for all spaces"`
}

// ToRelease names the authors whose late memos are to attach.
type ToRelease struct {
	Authors []string `json:"authors,omitempty" maxItems:"1000" doc:"Their ids; none: all"`
}

// Released says how many late memos attached.
type Released struct {
	Memos int `json:"memos" doc:"Those that they depend on among them"`
}

func (s *service) registerBeacons(api huma.API) {
	huma.Register(api, operation(http.MethodGet, "/v1/spaces/{space}/beacons", "beacons",
		"Who pings, how often, what everybody has, and how far this node is behind"), s.beacons)
	huma.Register(api, operation(http.MethodPut, "/v1/spaces/{space}/late", "setLate",
		"Accept late memos, or hold them back in quarantine"), s.setLate)
	huma.Register(api, operation(http.MethodPost, "/v1/spaces/{space}/late/release", "releaseLate",
		"Attach late memos that are held back"), s.releaseLate)
}

func (s *service) setLate(ctx context.Context, in *struct {
	InSpace
	Body NewLatePolicy
},
) (*none, error) {
	sp, err := s.node.OpenSpace(in.Space)
	if err == nil {
		p := node.LatePolicy(in.Body.Policy)
		if in.Body.Policy == LateDefault {
			p = ""
		}
		err = sp.SetLate(ctx, p)
	}
	if err != nil {
		return nil, ProblemOf(err)
	}
	return nil, nil
}

func (s *service) releaseLate(ctx context.Context, in *struct {
	InSpace
	Body ToRelease
},
) (*reply[Released], error) {
	sp, err := s.node.OpenSpace(in.Space)
	if err != nil {
		return nil, ProblemOf(err)
	}
	authors := make([]memo.Author, len(in.Body.Authors))
	for i, text := range in.Body.Authors {
		if authors[i], err = memo.ParseAuthor(text); err != nil {
			return nil, ProblemOf(err)
		}
	}
	n, err := sp.Release(ctx, authors...)
	if err != nil {
		return nil, ProblemOf(err)
	}
	return &reply[Released]{Released{n}}, nil
}

func (s *service) beacons(ctx context.Context, in *InSpace) (*reply[Beacons], error) {
	sp, err := s.node.OpenSpace(in.Space)
	if err != nil {
		return nil, ProblemOf(err)
	}
	b, err := sp.Beacons(ctx)
	if err != nil {
		return nil, ProblemOf(err)
	}
	return &reply[Beacons]{beaconsOf(b, s.node.ID(), time.Now())}, nil
}

func beaconsOf(b node.Beacons, self node.PeerID, now time.Time) Beacons {
	out := Beacons{
		Beacons: []Beacon{}, Authors: b.Authors, Target: b.Target, Rate: b.Rate, Chance: b.Chance, Silent: b.Silent, Lag: lagOf(b.Lag),
		Stable: Stable{Memos: b.Stable.Memos, Time: orAbsent(b.Stable.Time), Roster: b.Stable.Roster, Known: b.Stable.Known, Cut: []Head{}},
		Late:   Late{Policy: string(b.Late.Policy), Memos: b.Late.Memos, Last: []Head{}, Held: []HeldLate{}},
	}
	for _, one := range b.Beacons {
		p := Beacon{
			ID: one.ID.String(), Self: one.ID == self, Ping: headOf(one.Ping), Time: one.Time, Age: now.Sub(one.Time).Seconds(),
			Refs: one.Refs, Behind: one.Behind,
		}
		if one.Claim != (memo.Head{}) {
			claim := headOf(one.Claim)
			p.Claim = &claim
		}
		out.Beacons = append(out.Beacons, p)
	}
	for m := range b.Stable.Cut.All() {
		out.Stable.Cut = append(out.Stable.Cut, headOf(m.Head))
	}
	for _, h := range b.Late.Last {
		out.Late.Last = append(out.Late.Last, headOf(h))
	}
	for _, h := range b.Late.Held {
		out.Late.Held = append(out.Late.Held, HeldLate{Author: h.Author.String(), First: h.First, Last: headOf(h.Last), Memos: h.Memos, Bytes: h.Bytes})
	}
	return out
}

// Beacons returns what the node knows of the beacons of a space.
func (c *Client) Beacons(ctx context.Context, space string) (b Beacons, err error) {
	return b, c.call(ctx, http.MethodGet, spacePath(space, "beacons"), nil, nil, &b)
}

// SetLate says what becomes of late memos in a space: accept, quarantine or default.
func (c *Client) SetLate(ctx context.Context, space, policy string) error {
	return c.call(ctx, http.MethodPut, spacePath(space, "late"), nil, NewLatePolicy{policy}, nil)
}

// ReleaseLate attaches late memos that are held back, of all authors if none is named.
func (c *Client) ReleaseLate(ctx context.Context, space string, authors ...string) (r Released, err error) {
	return r, c.call(ctx, http.MethodPost, spacePath(space, "late/release"), nil, ToRelease{authors}, &r)
}
