package node

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"lightcone/memo"
	"lightcone/p2p/gossip"
)

// spaceReply answers calls that make or join a space.
type spaceReply struct {
	space *Space
	err   error
}

// createSpace is the call behind CreateSpace.
type createSpace struct {
	name   string
	policy Policy
	reply  chan spaceReply
}

func (c *createSpace) do(o *owner) {
	s, err := o.createSpace(c.name, c.policy)
	c.reply <- spaceReply{s, err}
}

func (o *owner) createSpace(name string, p Policy) (*Space, error) {
	if err := checkSpaceName(name); err != nil {
		return nil, err
	}
	if o.state.find(name) != nil {
		return nil, fmt.Errorf("create space: %w: %q; pick another name", ErrSpaceExists, name)
	}
	g, err := memo.New(memo.Memo{
		Author: o.n.id, Seq: 1, Time: memo.Next(uint64(o.n.opts.Now().UnixMilli())),
		Body: &memo.Genesis{
			Name: name, RootKeys: []memo.Author{o.n.id}, Rights: p.Rights, Trust: p.Trust,
			W: memo.DefaultW, M: memo.DefaultM, D: memo.DefaultD, Rho: memo.DefaultRho,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("create space: %w", err)
	}
	id := g.SpaceID()
	if o.state.find(id.String()) != nil {
		return nil, fmt.Errorf("create space: %w: the same name in the same millisecond", ErrSpaceExists)
	}
	if err := o.ready(); err != nil {
		return nil, fmt.Errorf("create space: %w", err)
	}
	o.n.store.AddSpace(id)
	seal := memo.Sign(o.n.key, id, g.Head())
	placed, err := o.n.store.AppendOwn(Group, []*memo.Memo{g}, &seal)
	if err != nil {
		return nil, fmt.Errorf("create space: %w", classify(err))
	}
	if err := o.project(placed); err != nil {
		return nil, err
	}
	var secret gossip.Secret
	rand.Read(secret[:]) // never fails
	return o.adopt(id, name, secret, nil)
}

// adopt records a space in the state file and registers it everywhere.
func (o *owner) adopt(id memo.SpaceID, name string, secret gossip.Secret, peers []joinPeer) (*Space, error) {
	s, known := o.state.find(id.String()), o.state.Spaces
	if s == nil {
		s = &spaceState{ID: id.String(), Name: o.state.freeName(name)}
		o.state.Spaces = append(o.state.Spaces, s)
	}
	s.Secret = secret[:]
	for _, p := range peers {
		if p.ID != o.n.id {
			s.know(p.ID, p.Addrs)
		}
	}
	if err := o.state.save(o.n.dir); err != nil {
		o.state.Spaces = known
		return nil, classify(err)
	}
	o.n.store.AddSpace(id)
	o.publish(o.n.view.Load().lsn)
	return o.register(id, s), nil
}

func checkSpaceName(name string) error {
	if name == "" || len(name) > memo.MaxSpaceName || !utf8.ValidString(name) {
		return fmt.Errorf("%w: a space's name has 1 to %d bytes of UTF-8, got %q", memo.ErrInvalid, memo.MaxSpaceName, name)
	}
	return nil
}

// Ticket makes an invitation into s. Only a node with a network can, since a
// ticket names where its issuer is reached.
func (n *Node) Ticket(s *Space, o TicketOptions) (Ticket, error) {
	if o.Expires < 0 || o.Uses < 0 || o.Uses > maxTicketUses {
		return Ticket{}, fmt.Errorf("%w: a ticket with expiry %v and %d uses", memo.ErrInvalid, o.Expires, o.Uses)
	}
	if o.Expires == 0 {
		o.Expires = DefaultTicketExpiry
	}
	if o.Uses == 0 {
		o.Uses = DefaultTicketUses
	}
	c := &issueTicket{space: s, opts: o, reply: make(chan ticketReply, 1)}
	r, err := await(context.Background(), n, c, c.reply)
	if err != nil {
		return Ticket{}, err
	}
	return r.ticket, r.err
}

type ticketReply struct {
	ticket Ticket
	err    error
}

type issueTicket struct {
	space *Space
	opts  TicketOptions
	reply chan ticketReply
}

func (c *issueTicket) do(o *owner) {
	t, err := o.issue(c.space, c.opts)
	c.reply <- ticketReply{t, err}
}

func (o *owner) issue(s *Space, opts TicketOptions) (Ticket, error) {
	net := o.n.net.Load()
	if net == nil {
		return Ticket{}, ErrNoNetwork
	}
	now := o.n.opts.Now()
	expires := now.Add(opts.Expires).Truncate(time.Second)
	if err := o.mayIssue(s, opts.Scope); err != nil {
		return Ticket{}, err
	}
	if !expirable(expires) {
		return Ticket{}, fmt.Errorf("%w: a ticket that expires on %s; pick a date within this century", memo.ErrInvalid, expires.Format(time.DateOnly))
	}
	st := o.state.find(s.id.String())
	st.Tickets = slices.DeleteFunc(st.Tickets, func(t *ticketState) bool { return now.After(t.Expires) })
	if len(st.Tickets) >= maxTickets {
		return Ticket{}, fmt.Errorf("%w: %d tickets are open, the limit is %d; let some expire", memo.ErrTooLarge, len(st.Tickets), maxTickets)
	}
	t := newTicket(gossip.Secret(st.Secret), Ticket{
		Space: s.id, Name: s.name, Issuer: o.n.id, Addrs: net.Addrs(), Expires: expires, Uses: opts.Uses, Scope: opts.Scope,
	})
	st.Tickets = append(st.Tickets, &ticketState{Nonce: t.Nonce, Expires: t.Expires, Uses: t.Uses, Scope: t.Scope.String()})
	return t, o.state.save(o.n.dir)
}

// mayIssue returns an error unless a ticket of that scope into s keeps its promise.
func (o *owner) mayIssue(s *Space, scope Scope) error {
	r := o.n.view.Load().store.Rights(s.id)
	switch {
	case r == nil && scope != ScopeWrite:
		return fmt.Errorf("%w: space %q is open, whoever reads it may write: there is no ticket to %s; create a space of members for that",
			memo.ErrInvalid, s.name, scope)
	case r == nil || scope == ScopeRead:
		return nil
	}
	if _, may := r.MayGrant(o.n.id); !may {
		return fmt.Errorf("%w: this node, %s, may not grant in space %q, so its ticket cannot; issue one with scope read, or ask %s for one",
			ErrNotPermitted, o.n.id, s.name, granters(r))
	}
	return nil
}

// Join enters the space of a ticket: its issuer checks the ticket and hands over
// the space's secret and peers; then Join waits until the genesis is here. The
// rest arrives in the background.
func (n *Node) Join(ctx context.Context, t Ticket) (*Space, error) {
	if st, err := n.Status(ctx); err != nil || st.WritesRefused != nil { // the ticket would be used for nothing
		return nil, fmt.Errorf("join: %w", errors.Join(err, st.WritesRefused))
	}
	net := n.net.Load()
	if net == nil {
		return nil, ErrNoNetwork
	}
	if t.Issuer == n.id {
		return nil, fmt.Errorf("join: this node issued the ticket itself; use it on another one")
	}
	if n.opts.Now().After(t.Expires) {
		return nil, fmt.Errorf("join: %w (on %s)", ErrTicketExpired, t.Expires.Format(time.DateTime))
	}
	req, err := newJoinRequest(t, n.id, net.Addrs())
	if err != nil {
		return nil, fmt.Errorf("join: %w", err)
	}
	answer, err := net.Ask(ctx, t.Issuer, t.Addrs, req)
	if err != nil {
		return nil, fmt.Errorf("join: %w", joinFailure(err, t))
	}
	rep, err := readJoinReply(answer, t)
	if err != nil {
		return nil, fmt.Errorf("join: answer of %s: %w", t.Issuer, err)
	}
	rep.Peers = append(rep.Peers, joinPeer{ID: t.Issuer, Addrs: t.Addrs})
	c := &enterSpace{ticket: t, reply: make(chan spaceReply, 1), joinReply: rep}
	r, err := await(ctx, n, c, c.reply)
	if err = errors.Join(err, r.err); err != nil {
		return nil, fmt.Errorf("join: %w", err)
	}
	if t.Version == 1 { // it promises no grant
		t.Scope = ScopeRead
	}
	return r.space, r.space.awaitWelcome(ctx, t.Scope)
}

// joinFailure tells a refusal of the issuer from a peer that cannot be reached.
func joinFailure(err error, t Ticket) error {
	var refused *gossip.RemoteError
	if errors.As(err, &refused) {
		return fmt.Errorf("%w by %s: %s", ErrTicketRefused, t.Issuer, refused.Text)
	}
	return fmt.Errorf("%w: %s at %v: %w; is it running, and are its addresses reachable from here?", ErrNoRoute, t.Issuer, t.Addrs, err)
}

type enterSpace struct {
	ticket Ticket
	joinReply
	reply chan spaceReply
}

func (c *enterSpace) do(o *owner) {
	name := c.Name
	if checkSpaceName(name) != nil {
		name = "joined"
	}
	s, err := o.adopt(c.Space, name, c.Secret, c.Peers)
	if err == nil {
		o.pin(c.Space, c.ticket.Issuer, c.ticket.Addrs)
	}
	c.reply <- spaceReply{s, err}
}

// Answer decides a join request of a peer; it satisfies p2p.Core. The text of
// the error goes back to the asker.
func (n *Node) Answer(ctx context.Context, from gossip.Peer, request []byte) ([]byte, error) {
	req, err := readJoinRequest(request)
	if err != nil {
		return nil, fmt.Errorf("request does not decode: %w", err)
	}
	c := &answerJoin{from: from, req: req, reply: make(chan answer, 1)}
	a, err := await(ctx, n, c, c.reply)
	if err != nil {
		return nil, err
	}
	return a.data, a.err
}

type answer struct {
	data []byte
	err  error
}

type answerJoin struct {
	from  PeerID
	req   asked
	reply chan answer
}

func (c *answerJoin) do(o *owner) {
	data, err := o.answerJoin(c.from, c.req)
	c.reply <- answer{data, err}
}

// errNotOurTicket is all a stranger learns about a ticket that is not ours.
var errNotOurTicket = errors.New("it was not issued here or was changed on its way; ask for a new one")

func (o *owner) answerJoin(from PeerID, req asked) ([]byte, error) {
	t := req.ticket
	s, issued := o.state.issued(t)
	if s == nil || t.Issuer != o.n.id {
		return nil, errNotOurTicket
	}
	t.Space, _ = memo.ParseSpaceID(s.ID) // loadState checked it
	want := joinProof(t.key(gossip.Secret(s.Secret)), from, o.n.id)
	if !hmac.Equal(want[:], req.proof[:]) {
		return nil, errNotOurTicket
	}
	if o.n.opts.Now().After(t.Expires) {
		return nil, ErrTicketExpired
	}
	if err := issued.usable(from); err != nil {
		return nil, err
	}
	if err := o.welcome(t, from); err != nil {
		return nil, err
	}
	issued.use(from)
	rep := joinReply{Space: t.Space, Name: s.Name, Secret: gossip.Secret(s.Secret), Peers: s.introduce(from, o.n.chance)}
	s.know(from, req.addrs[:min(len(req.addrs), maxTicketAddrs)])
	if err := o.state.save(o.n.dir); err != nil {
		return nil, errors.New("the issuer cannot record the use of the ticket; try again later")
	}
	o.core.Know(o.n.opts.Now(), t.Space, from)
	if t.Version == 1 {
		return memo.Marshal(joinReply1{Secret: rep.Secret, Peers: rep.Peers})
	}
	return memo.Marshal(rep)
}

// welcome writes the grant that a ticket promises to who joins with it.
func (o *owner) welcome(t Ticket, joiner PeerID) error {
	c := &rule{space: o.coldOf(t.Space).space, grant: true, author: joiner, done: make(chan written, 1)}
	standing := o.n.view.Load().standing(t.Space, joiner)
	switch {
	case standing == StandingRevoked:
		return errors.New("the key of this node was revoked in the space; start with a new directory")
	case standing == StandingOpen || t.Version == 1 || t.Scope == ScopeRead:
		return nil
	case t.Scope == ScopeGrant:
		c.role = memo.Granter
	}
	c.do(o)
	if r := <-c.done; r.err != nil {
		return fmt.Errorf("the issuer cannot write the grant: %w", r.err)
	}
	return nil
}

// issued returns the ticket that this node issued, and its space: of version 1 the one
// that it names.
func (st *state) issued(t Ticket) (*spaceState, *ticketState) {
	for _, s := range st.Spaces {
		if t.Version == 1 && s.ID != t.Space.String() {
			continue
		}
		for _, k := range s.Tickets {
			if k.Nonce == t.Nonce {
				return s, k
			}
		}
	}
	return nil, nil
}

// usable returns an error if a ticket is used up. The same peer may come again: its
// first answer may have been lost.
func (t *ticketState) usable(by PeerID) error {
	if !slices.Contains(t.UsedBy, by.String()) && len(t.UsedBy) >= t.Uses {
		return fmt.Errorf("it was used %d of %d times; ask for a new one", len(t.UsedBy), t.Uses)
	}
	return nil
}

// use counts one use.
func (t *ticketState) use(by PeerID) {
	if !slices.Contains(t.UsedBy, by.String()) {
		t.UsedBy = append(t.UsedBy, by.String())
	}
}
