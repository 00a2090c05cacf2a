package api

import (
	"context"
	"net/http"
	"os"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"lightcone/node"
)

// Status is what a node knows about itself and its peers.
type Status struct {
	ID            string        `json:"id" doc:"Peer id"`
	Dir           string        `json:"dir"`
	PID           int           `json:"pid"`
	Online        bool          `json:"online" doc:"A network is attached"`
	Addrs         []string      `json:"addrs" doc:"Multiaddrs this peer can be reached at"`
	Peers         []PeerStatus  `json:"peers" doc:"Connected peers"`
	Spaces        []SpaceStatus `json:"spaces"`
	WritesRefused string        `json:"writesRefused,omitempty" doc:"Why writes are refused; reads go on. Absent while they are accepted"`
	LogBytes      int64         `json:"logBytes" doc:"Bytes of the write-ahead log"`
	Pending       int           `json:"pending" doc:"Runs that wait for their causes"`
	Adopted       int64         `json:"adopted" doc:"States joined on a peer's word since the start"`
	Refused       int64         `json:"refused" doc:"Runs that broke a rule"`
	Invalid       int64         `json:"invalid" doc:"Messages that did not decode or verify"`
	Traffic       Traffic       `json:"traffic"`
	Recon         Recon         `json:"recon"`
	Roots         Roots         `json:"roots"`
	Hearing       Hearing       `json:"hearing"`
}

// PeerStatus is a connected peer.
type PeerStatus struct {
	ID         string    `json:"id"`
	Addrs      []string  `json:"addrs" doc:"Where the other ends of the connections are"`
	Transports []string  `json:"transports" doc:"Of the connections: quic, tcp, ws, wss; of the first leg where a relay is in between"`
	RTT        float64   `json:"rttMs" doc:"Round trip in milliseconds, a moving average; 0 when not measured"`
	Relayed    bool      `json:"relayed" doc:"All connections run through relays"`
	Since      time.Time `json:"since" doc:"When the oldest of the connections was made"`
	Pinned     bool      `json:"pinned" doc:"Kept connected: named by an operator, or who issued our ticket"`
	Score      float64   `json:"score" doc:"0 or less: what the peer was blamed for, half forgotten every few minutes"`
}

// SpaceStatus is a space with its peers.
type SpaceStatus struct {
	Space
	Chance  float64        `json:"chance" doc:"That a memo which is published is heard; below 1 while more are than this node takes in"`
	Members []MemberStatus `json:"members"`
	Writers []Member       `json:"writers,omitempty" doc:"Of a space of members: who may write, and who was revoked"`
	Layer   *LayerStatus   `json:"layer,omitempty" doc:"A peer's state, which is shown with its name until the memos behind it are here"`
	Liars   []string       `json:"liars,omitempty" doc:"Peers that vouched for a state that was false: nothing is taken of them"`
	Proofs  []Proof        `json:"proofs,omitempty" doc:"That peers signed false states, a row each; what was adopted of these stays"`
	Doubted []string       `json:"doubted,omitempty" doc:"Peers of whom nothing is adopted for a while: something did not fit that is no proof"`
	Forks   []ForkStatus   `json:"forks,omitempty" doc:"Authors who wrote two memos for one place of their chains"`

	AsksHead bool   `json:"asksHead,omitempty" doc:"Behind a crash writes wait up to 2 s for peers to say how far they have this node's memos"`
	Regained uint64 `json:"regained,omitempty" doc:"This node's memos that came from peers since the start, because its log had lost them"`
}

// LayerStatus is the state of a space that a peer vouches for.
type LayerStatus struct {
	Peer    string    `json:"peer"`
	Since   time.Time `json:"since" doc:"When it was begun to be fetched"`
	Memos   uint64    `json:"memos" doc:"That it covers; 0 until that is known"`
	Missing uint64    `json:"missing" doc:"Of them, not here"`
	Blocks  int       `json:"blocks" doc:"Of it that came"`
	Ready   bool      `json:"ready" doc:"Rows that came are shown"`
	Whole   bool      `json:"whole" doc:"All rows are here"`
}

// MemberStatus says what a peer of a space is known to have.
type MemberStatus struct {
	Peer      string `json:"peer"`
	Connected bool   `json:"connected"`
	Ahead     uint64 `json:"ahead" doc:"Memos the peer is known to have that are not here"`
	Lacks     uint64 `json:"lacks" doc:"Memos here that the peer is not known to have"`

	AheadSince *time.Time `json:"aheadSince,omitempty" doc:"Since when there are such memos, absent while there are none"`
	LacksSince *time.Time `json:"lacksSince,omitempty" doc:"Since when there are such memos, absent while there are none"`
}

// Traffic counts bytes on the wire since the start.
type Traffic struct {
	Sent     int64 `json:"sent"`
	Received int64 `json:"received"`
	Dropped  int64 `json:"dropped" doc:"Messages lost to full queues"`
}

// Recon counts reconciliation sessions since the start.
type Recon struct {
	Sessions  int `json:"sessions"`
	Equal     int `json:"equal" doc:"Found both sides equal at once"`
	Failed    int `json:"failed"`
	Refused   int `json:"refused" doc:"With peers that do not know the space"`
	RunsSent  int `json:"runsSent"`
	BytesSent int `json:"bytesSent"`
}

// Roots counts announcements of roots since the start.
type Roots struct {
	Announced  int `json:"announced" doc:"Published here"`
	Suppressed int `json:"suppressed" doc:"Roots made here that needed none: one as good was heard"`
	Heard      int `json:"heard" doc:"Announcements by peers"`
	News       int `json:"news" doc:"Of these, of roots not known and cuts not held"`
	Dropped    int `json:"dropped" doc:"Of these, above the rate a peer may have, or before the first memo of the space was here"`
	Alarms     int `json:"alarms" doc:"Of these, of a cut folded here but with another state: the peer computes wrongly, or this node does"`
}

// Hearing tells what the node takes in of the memos that are published, in units: a memo
// attached, a row merged and a block decoded are one each.
type Hearing struct {
	Budget   int     `json:"budget" doc:"Units a second that are taken in at most; 0 while nothing bounds it"`
	Capacity float64 `json:"capacity" doc:"Memos attached in a busy second, lately; 0 until measured"`
	Backlog  int     `json:"backlog" doc:"Messages that wait"`
	Spent    int     `json:"spent" doc:"Units since the start"`
	Heard    int     `json:"heard" doc:"Memos heard"`
	PassedBy int     `json:"passedBy" doc:"Memos not heard; recon or a merged root brings them. They are the sum of what follows"`
	Coin     int     `json:"coin" doc:"Because more are offered than can be attached"`
	Over     int     `json:"overBudget" doc:"Because the budget of the second was spent"`
	Gap      int     `json:"gap" doc:"Because memos before them are not here"`
	Roots    int     `json:"rootsPassedBy" doc:"Announced roots that are news and were not merged: more came than can be"`
}

// Health says that the process answers.
type Health struct {
	PID int `json:"pid"`
}

func (s *service) registerStatus(api huma.API) {
	huma.Register(api, operation(http.MethodGet, "/v1/status", "status", "What the node knows about itself and its peers"), s.status)
	huma.Register(api, operation(http.MethodGet, "/healthz", "healthz", "The process answers"), s.health)
	huma.Register(api, operation(http.MethodGet, "/readyz", "readyz", "The node answers, with or without peers"), s.ready)
	stop := operation(http.MethodPost, "/v1/stop", "stop", "Stop the node")
	stop.DefaultStatus = http.StatusAccepted
	huma.Register(api, stop, s.stop)
}

// none is the input of an operation without parameters.
type none struct{}

// reply is an output that has a body and no context.
type reply[T any] struct{ Body T }

func (s *service) status(ctx context.Context, _ *none) (*reply[Status], error) {
	st, err := s.node.Status(ctx)
	if err != nil {
		return nil, ProblemOf(err)
	}
	out := statusOf(st)
	return &reply[Status]{out}, nil
}

func (s *service) health(context.Context, *none) (*reply[Health], error) {
	return &reply[Health]{Health{PID: os.Getpid()}}, nil
}

// ready asks the owner, so that a node that hangs is noticed.
func (s *service) ready(ctx context.Context, _ *none) (*reply[Health], error) {
	if _, err := s.node.Status(ctx); err != nil {
		return nil, ProblemOf(err)
	}
	return s.health(ctx, nil)
}

func (s *service) stop(context.Context, *none) (*reply[Health], error) {
	if s.opts.Stop == nil {
		return nil, NewProblem(http.StatusNotImplemented, Unsupported, "this node does not stop on request",
			"end the command that opened it")
	}
	go s.opts.Stop()
	return s.health(context.Background(), nil)
}

func statusOf(st node.Status) Status {
	out := Status{
		ID: st.ID.String(), Dir: st.Dir, PID: os.Getpid(), Online: st.Online, Addrs: orEmpty(st.Addrs),
		Peers: []PeerStatus{}, Spaces: []SpaceStatus{},
		LogBytes: st.LogBytes, Pending: st.Pending, Adopted: st.Adopted, Refused: st.Refused, Invalid: st.Invalid,
		Traffic: Traffic{Sent: st.Traffic.Sent, Received: st.Traffic.Received, Dropped: st.Traffic.Dropped},
		Recon: Recon{
			Sessions: st.Protocol.Sessions, Equal: st.Protocol.Equal, Failed: st.Protocol.Failed,
			Refused: st.Protocol.Refused, RunsSent: st.Protocol.RunsSent, BytesSent: st.Protocol.BytesSent,
		},
	}
	out.Roots = Roots(st.Protocol.Roots)
	h := st.Protocol.Hearing
	out.Hearing = Hearing{
		Budget: st.Hearing.Budget, Capacity: st.Hearing.Capacity, Backlog: st.Hearing.Backlog, Spent: st.Hearing.Spent,
		Heard: h.Heard, PassedBy: h.Coin + h.Budget + h.Gap, Coin: h.Coin, Over: h.Budget, Gap: h.Gap, Roots: h.Roots,
	}
	if st.WritesRefused != nil {
		out.WritesRefused = st.WritesRefused.Error()
	}
	for _, p := range st.Peers {
		out.Peers = append(out.Peers, PeerStatus{
			ID: p.Peer.String(), Addrs: orEmpty(p.Addrs), Transports: orEmpty(p.Transports),
			RTT: float64(p.RTT) / float64(time.Millisecond), Relayed: p.Relayed, Since: p.Since, Pinned: p.Pinned, Score: p.Score,
		})
	}
	for _, sp := range st.Spaces {
		one := SpaceStatus{Space: spaceOf(sp.SpaceInfo), Chance: sp.Chance, Members: []MemberStatus{}}
		for _, m := range sp.Members {
			one.Members = append(one.Members, MemberStatus{
				Peer: m.Peer.String(), Connected: m.Connected, Ahead: m.Ahead, Lacks: m.Lacks,
				AheadSince: orAbsent(m.AheadSince), LacksSince: orAbsent(m.LacksSince),
			})
		}
		if sp.Writers != nil {
			one.Writers = membersOf(sp.Writers)
		}
		if l := sp.Layer; l != nil {
			one.Layer = &LayerStatus{
				Peer: l.Peer.String(), Since: l.Since, Memos: l.Memos, Missing: l.Missing,
				Blocks: l.Blocks, Ready: l.Ready, Whole: l.Whole,
			}
		}
		for _, p := range sp.Liars {
			one.Liars = append(one.Liars, p.String())
		}
		for _, p := range sp.Doubted {
			one.Doubted = append(one.Doubted, p.String())
		}
		one.Proofs, one.Forks = proofsOf(sp.Proofs), forksOf(sp.Forks)
		one.AsksHead, one.Regained = sp.AsksHead, sp.Regained
		out.Spaces = append(out.Spaces, one)
	}
	return out
}

// orEmpty makes JSON say [] rather than null.
func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// orAbsent makes JSON leave a zero time out.
func orAbsent(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
