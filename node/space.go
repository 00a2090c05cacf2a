package node

import (
	"context"
	"iter"
	"sync"
	"sync/atomic"

	causal "lightcone/context"
	"lightcone/memo"
	"lightcone/merge"
	"lightcone/p2p/gossip"
)

// Space is a database within a node: topics of rows of fields, replicated among
// those who share it. The verbs on Space work in a fresh session each; make a
// Session for guarantees that span several of them.
type Space struct {
	node       *Node
	id         memo.SpaceID
	name       string
	admitted   map[PeerID]bool   // guarded by node.mu; at most maxAdmitted
	rendezvous gossip.Rendezvous // guarded by node.mu
	layer      atomic.Pointer[layer]
	head       *ownHead  // nil: made or joined since the start; set before the owner runs
	kept       keptRoot  // guarded by node.mu
	rooted     sync.Once // the last root of an earlier run of the node was looked for
}

// maxAdmitted bounds the peers of a space that may take part in its topic as soon
// as they connect, the same number as the protocol remembers as members. Further
// ones prove themselves at each connection.
const maxAdmitted = 4096

// ID returns the digest of the genesis, the same on every peer.
func (s *Space) ID() memo.SpaceID { return s.id }

// Name returns what this node calls the space.
func (s *Space) Name() string { return s.name }

// Update runs f and commits what it wrote as one memo, all or nothing.
func (s *Space) Update(ctx context.Context, f func(*Tx) error) (Receipt, error) {
	return s.Session().Update(ctx, f)
}

// View runs f on one unchanging snapshot.
func (s *Space) View(ctx context.Context, f func(*Tx) error) error {
	return s.Session().View(ctx, f)
}

// Get returns a row, or ErrNotFound.
func (s *Space) Get(ctx context.Context, topic, row string) (Row, error) {
	return s.Session().Get(ctx, topic, row)
}

// Put writes fields of a row; other fields of the row stay as they are.
func (s *Space) Put(ctx context.Context, topic, row string, fields Fields) (Receipt, error) {
	return s.Session().Put(ctx, topic, row, fields)
}

// PutMulti writes fields that keep concurrent values, in place of those that this
// node shows.
func (s *Space) PutMulti(ctx context.Context, topic, row string, fields Fields) (Receipt, error) {
	return s.Session().PutMulti(ctx, topic, row, fields)
}

// Add adds n, which may be negative, to a counter.
func (s *Space) Add(ctx context.Context, topic, row, field string, n int64) (Receipt, error) {
	return s.Session().Add(ctx, topic, row, field, n)
}

// Change adds elements to a set and removes others.
func (s *Space) Change(ctx context.Context, topic, row, field string, add, remove []memo.Value) (Receipt, error) {
	return s.Session().Change(ctx, topic, row, field, add, remove)
}

// Delete removes the named fields of a row, or the whole row when none is named.
func (s *Space) Delete(ctx context.Context, topic, row string, fields ...string) (Receipt, error) {
	return s.Session().Delete(ctx, topic, row, fields...)
}

// Scan yields the rows of q in ascending order of topic and key.
func (s *Space) Scan(ctx context.Context, q Query) iter.Seq2[Row, error] {
	return s.Session().Scan(ctx, q)
}

// Context returns the context of everything attached here: the newest root that
// was folded, and the loose heads beyond it.
func (s *Space) Context() causal.Context { return s.over(s.node.view.Load().cut(s.id)) }

// over writes a cut of this node down over the newest root here, if the cut has
// all that the root covers. So sessions share roots, and their contexts are small.
func (s *Space) over(cut causal.Cut) causal.Context {
	s.rooted.Do(func() { s.node.folder.base(s, s.node.view.Load()) })
	qc := cut.Context(s.id)
	if last, ok := s.node.folder.latest(s.id); ok && cut.Vector().CoversAll(last.vector) {
		qc = qc.Over(last.id, last.vector)
	}
	return qc
}

// Digest returns the digest of the projected state, the root of its search tree:
// equal on peers that hold the same memos, whatever way they came.
func (s *Space) Digest(ctx context.Context) ([32]byte, error) { return s.Session().Digest(ctx) }

// params returns the tree parameters that the space's genesis fixed.
func (s *Space) params(v *view) merge.Params {
	p := merge.DefaultParams(s.id)
	if g, ok := v.store.Genesis(s.id); ok {
		if b, ok := g.Body.(*memo.Genesis); ok {
			p.W, p.M, p.D = int(b.W), int(b.M), int(b.D)
		}
	}
	return p
}

// awaitWelcome waits until the first memo of a joined space has arrived, and in one of
// members what the ticket promised.
func (s *Space) awaitWelcome(ctx context.Context, scope Scope) error {
	for {
		v := s.node.view.Load()
		if _, ok := v.store.Genesis(s.id); ok {
			switch v.standing(s.id, s.node.id) {
			case StandingReader:
				if scope == ScopeRead {
					return nil
				}
			case StandingWriter:
				if scope != ScopeGrant {
					return nil
				}
			default:
				return nil
			}
		}
		select {
		case <-v.changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-s.node.quit:
			return ErrClosed
		}
	}
}
