package node

import (
	"context"
	"fmt"
	"strings"

	"lightcone/memo"
	"lightcone/p2p/gossip"
	"lightcone/store"
)

// This file is who may write into a space of members, and what follows from it here:
// grants, revocations, the joins that keep what a revocation came too late for, and
// that revoked peers are served no more.

// Member is an author that may write into a space, or might once.
type Member = store.Member

// The standings of a node in a space.
const (
	StandingOpen    = "open"    // everybody writes
	StandingReader  = "reader"  // nobody granted it anything
	StandingWriter  = "writer"  //
	StandingGranter = "granter" // it may grant, and revoke whom it granted
	StandingRoot    = "root"    // its key is one of the genesis
	StandingRevoked = "revoked" //
)

// maxAsked bounds the members that a refusal names as those to ask.
const maxAsked = 3

// Members returns who may write, root keys first; nil in an open space.
func (s *Space) Members() (list []Member) {
	if r := s.node.view.Load().store.Rights(s.id); r != nil {
		for m := range r.Members() {
			list = append(list, m)
		}
	}
	return list
}

// standing says what an author may do in a space of v.
func (v *view) standing(id memo.SpaceID, a memo.Author) string {
	r := v.store.Rights(id)
	if r == nil {
		return StandingOpen
	}
	m, known := r.Of(a)
	switch {
	case m.Root:
		return StandingRoot
	case !known:
		return StandingReader
	case m.Revoked:
		return StandingRevoked
	case m.Role == memo.Granter:
		return StandingGranter
	}
	return StandingWriter
}

// mayWrite returns an error unless this node may write into s.
func (o *owner) mayWrite(s *Space) error {
	v := o.n.view.Load()
	switch v.standing(s.id, o.n.id) {
	case StandingReader:
		return fmt.Errorf("%w: space %q is written by its members, and this node, %s, only reads it; ask %s for a grant: lightcone grant %s",
			ErrNotPermitted, s.name, o.n.id, granters(v.store.Rights(s.id)), o.n.id)
	case StandingRevoked:
		return fmt.Errorf("%w: this node, %s, was revoked in space %q; for good: start with a new directory, and ask %s for a grant to its key",
			ErrNotPermitted, o.n.id, s.name, granters(v.store.Rights(s.id)))
	}
	return nil
}

// granters names some of those who may grant.
func granters(r *store.Rights) string {
	var names []string
	for m := range r.Members() {
		if m.Role == memo.Granter && !m.Revoked && len(names) < maxAsked {
			names = append(names, m.Author.String())
		}
	}
	return strings.Join(names, " or ")
}

// Grant lets an author write into s, and grant in turn if the role is
// memo.Granter. It is for root keys and granters; others get ErrNotPermitted. An
// author that may do that already is granted nothing anew: the receipt has no ID then.
func (s *Space) Grant(ctx context.Context, a memo.Author, role memo.Role) (Receipt, error) {
	return s.rule(ctx, &rule{space: s, grant: true, author: a, role: role})
}

// Revoke makes the memos of an author that this node holds its last good ones. Later
// ones attach only where somebody who is not revoked built on them before he knew. It
// is for root keys, and for granters whom they granted. It is for good.
func (s *Space) Revoke(ctx context.Context, a memo.Author) (Receipt, error) {
	return s.rule(ctx, &rule{space: s, author: a})
}

func (s *Space) rule(ctx context.Context, c *rule) (Receipt, error) {
	if err := s.awaitOwnHead(ctx); err != nil {
		return Receipt{Outcome: NotCommitted}, err
	}
	c.done = make(chan written, 1)
	r, err := await(ctx, s.node, c, c.done)
	if err != nil {
		return Receipt{Outcome: Unknown}, err
	}
	head, err := r.result()
	if err != nil {
		return Receipt{Outcome: NotCommitted}, err
	}
	if head.ID.IsZero() {
		return Receipt{Outcome: NotCommitted}, nil
	}
	x := s.Session()
	x.saw(head)
	return Receipt{ID: head.ID, Token: x.Token(), Outcome: Committed}, nil
}

// rule is a grant or a revocation on its way to the owner.
type rule struct {
	space  *Space
	grant  bool
	author memo.Author
	role   memo.Role
	done   chan written
}

func (c *rule) do(o *owner) {
	w, err := o.ruling(c)
	if err != nil || w == nil {
		c.done <- written{err: err}
		return
	}
	w.done = c.done
	o.commit(w)
	o.expel(c.space)
}

// ruling returns the write that c asks for; nil when all is as it asks for already.
func (o *owner) ruling(c *rule) (*write, error) {
	v := o.n.view.Load()
	r := v.store.Rights(c.space.id)
	if r == nil {
		return nil, fmt.Errorf("%w: space %q is open: whoever has a ticket may write; create one of members with `lightcone space create --rights members`",
			memo.ErrInvalid, c.space.name)
	}
	if !c.grant {
		return c.revocation(v, r, o.n.id)
	}
	m, known := r.Of(c.author)
	names, may := r.MayGrant(o.n.id)
	switch {
	case !may:
		return nil, fmt.Errorf("%w: this node, %s, may not grant in space %q; ask %s", ErrNotPermitted, o.n.id, c.space.name, granters(r))
	case m.Revoked:
		return nil, fmt.Errorf("%w: %s was revoked in space %q; that is for good, it needs a new key", ErrNotPermitted, c.author, c.space.name)
	case known && m.Role >= c.role:
		return nil, nil
	}
	w := &write{space: c.space, body: &memo.Grant{Author: c.author, Role: c.role}}
	if names.Seq > 0 {
		w.first = []memo.Head{names}
	}
	return w, nil
}

func (c *rule) revocation(v *view, r *store.Rights, self memo.Author) (*write, error) {
	m, _ := r.Of(c.author)
	switch {
	case m.Root:
		return nil, fmt.Errorf("%w: %s is a root key of space %q, which nobody revokes; create another space", ErrNotPermitted, c.author, c.space.name)
	case m.Revoked:
		return nil, nil
	case !r.MayRevoke(self, c.author):
		return nil, fmt.Errorf("%w: this node, %s, did not grant %s in space %q, or somebody nearer to a root key did; ask %s",
			ErrNotPermitted, self, c.author, c.space.name, granters(r))
	}
	last, _ := v.store.Vector(c.space.id).Get(c.author)
	return &write{space: c.space, body: &memo.Revoke{Author: c.author, Seq: last.Seq, ID: last.ID}}, nil
}

// keepBeyond writes a join in every space where memos are attached that lie beyond a
// revocation, unless the own chain names them already: so everybody attaches them. A
// node that may not write cannot, and has them alone.
func (o *owner) keepBeyond() {
	for _, s := range o.n.allSpaces() {
		heads := o.n.view.Load().store.Beyond(s.id, o.n.id)
		if len(heads) == 0 || !s.volunteers() || o.mayWrite(s) != nil || o.ready() != nil || len(unobserved(o.observed(s), heads)) == 0 {
			continue
		}
		w := &write{space: s, deps: heads, done: make(chan written, 1)}
		o.commit(w)
		if r := <-w.done; r.err != nil {
			o.n.log.Warn("cannot keep what a revocation came too late for; it is tried again", "space", s.id, "err", r.err)
		}
	}
}

// expel ends what goes on with peers whose key was revoked in s.
func (o *owner) expel(s *Space) {
	r := o.n.view.Load().store.Rights(s.id)
	if r == nil {
		return
	}
	for m := range r.Revoked() {
		if m.Author == o.n.id {
			continue
		}
		o.n.dismiss(s.id, m.Author)
		if st := o.state.find(s.id.String()); st != nil && st.forget(m.Author) {
			o.save()
		}
		o.step(gossip.Expel{Space: s.id, Peer: m.Author})
	}
}

// revoked reports whether a peer's key was revoked in a space.
func (n *Node) revoked(id memo.SpaceID, p PeerID) bool {
	r := n.view.Load().store.Rights(id)
	if r == nil {
		return false
	}
	m, _ := r.Of(p)
	return m.Revoked
}

// dismiss forgets that a peer takes part in a space.
func (n *Node) dismiss(id memo.SpaceID, p PeerID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if s := n.spaces[id]; s != nil {
		delete(s.admitted, p)
	}
}
