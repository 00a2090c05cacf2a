package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	causal "lightcone/context"
	"lightcone/memo"
	"lightcone/merge"
	"lightcone/store"
)

// plainHeads is how many heads a token of a whole context has at most in place of
// a root: with so many it stays below 200 characters, and any peer can decide it
// without having the root.
const plainHeads = 5

// maxOwnFold bounds the memos that a session folds unasked, and so what a read may
// have to do besides.
const maxOwnFold = 4096

// foldPolicy says when the context of a session is written with fewer heads.
var foldPolicy = causal.DefaultPolicy()

// Fold writes the context of the session down with fewer loose heads: all of its
// tail, or as much as p.Part allows, becomes part of its root, which is kept for
// the retention window. The session has seen the same before and after: what it
// reads and which causes its writes name stays, also of a transaction under way.
// It reads the memos of the tail; of more than 65,536 the error is
// ErrContextUnavailable. An exact session is folded as it is.
func (x *Session) Fold(ctx context.Context, p causal.Policy) error {
	if x.read.Mode == Exact {
		return nil
	}
	x.rebase()
	x.mu.Lock()
	b, due := p.Due(causal.Asked, len(x.qc.Loose), 0)
	x.mu.Unlock()
	if !due {
		return nil
	}
	return x.fold(ctx, b, maxExactWalk)
}

// trim keeps the context of the session small. Beyond the loose heads that the
// policy names the session goes over to the newest root here, as far as it has
// seen all of that. It folds its own tail when it must: beyond MaxLoose heads; and
// where that cannot be done, it gathers its heads in a memo.
func (x *Session) trim(ctx context.Context) {
	loose := func() int {
		x.mu.Lock()
		defer x.mu.Unlock()
		return len(x.qc.Loose)
	}
	if _, due := foldPolicy.Due(causal.Grown, loose(), 0); !due || x.read.Mode == Exact {
		return
	}
	x.rebase()
	if _, due := foldPolicy.Due(causal.Grown, loose(), 0); due {
		x.space.hasten()
	}
	if loose() <= causal.MaxLoose || x.fold(ctx, causal.Budget{}, maxOwnFold) == nil {
		return
	}
	if err := x.gather(ctx); err != nil {
		x.space.node.log.Warn("cannot make the context of a session smaller now", "err", err)
	}
}

// rebase goes over to the newest root here if the session has seen all that it
// covers, and has fewer loose heads then: sessions of one root share its memory.
func (x *Session) rebase() {
	last, ok := x.space.node.folder.latest(x.space.id)
	if !ok {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for m := range last.vector.All() {
		if !x.qc.Covers(m.Head) {
			return
		}
	}
	x.over(x.qc.Over(last.id, last.vector))
}

// over puts a context that holds the same, written with fewer loose heads, in the
// place of the session's. x.mu is held.
func (x *Session) over(qc causal.Context) {
	if len(qc.Loose) >= len(x.qc.Loose) {
		return
	}
	x.become(qc, x.causes())
}

// become puts a context and its causes in the place of the session's. x.mu is held.
func (x *Session) become(qc causal.Context, causes []memo.Head) {
	x.qc, x.tops = qc, nil
	if !slices.Equal(causes, headsIn(qc)) {
		x.tops = causes
	}
}

// causes returns heads that have all of the session's context in their past, one
// an author, ascending: those that a memo written now names. A fold leaves them as
// they are. They are the loose heads and, of what the root covers, tops; where
// tops is nil, the last memo of each author. x.mu is held.
func (x *Session) causes() []memo.Head {
	if x.tops == nil {
		return headsIn(x.qc)
	}
	return later(x.tops, x.qc.Loose)
}

// later returns, of each author, the later of its heads in a and b, which are
// ascending by author.
func later(a, b []memo.Head) []memo.Head {
	return causal.Context{Loose: a}.Take(causal.Context{Loose: b}).Loose
}

func headsIn(qc causal.Context) []memo.Head {
	if qc.Root.IsZero() {
		return qc.Loose
	}
	out := make([]memo.Head, 0, qc.Below.Len()+len(qc.Loose))
	for h := range qc.Heads() {
		out = append(out, h)
	}
	return out
}

// fold joins the session's tail into its root, if it has at most limit memos.
func (x *Session) fold(ctx context.Context, b causal.Budget, limit int) error {
	x.mu.Lock()
	was := x.qc
	x.mu.Unlock()
	if len(was.Loose) == 0 {
		return nil
	}
	qc, err := x.space.foldContext(ctx, was, b, limit)
	if err != nil {
		return fmt.Errorf("fold the context of a session: %w", err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	// What was learnt meanwhile stays loose. A part of the tail may leave as many heads
	// as there were: the next fold goes on from there.
	if x.qc.Root == was.Root {
		x.become(x.qc.Over(qc.Root, qc.Below), x.causes())
	}
	return nil
}

// foldContext folds a context of memos that are attached here, and pins its root.
func (s *Space) foldContext(ctx context.Context, qc causal.Context, b causal.Budget, limit int) (causal.Context, error) {
	if err := s.computed(qc.Root); err != nil {
		return causal.Context{}, err
	}
	tail, err := s.tailWithin(ctx, qc.Below, qc.Loose, limit)
	if err != nil {
		return causal.Context{}, fmt.Errorf("%w: %w", ErrContextUnavailable, err)
	}
	blocks, p := s.node.store.Blocks(s.id), s.params(s.node.view.Load())
	s.node.folder.keeping.RLock() // nothing is collected before it is pinned
	defer s.node.folder.keeping.RUnlock()
	err = blocks.Write(func(put merge.BlockPutter) (err error) {
		qc, err = qc.FoldPart(causal.Trees{Params: p, Get: blocks, Put: put}, tail.memos, b)
		return err
	})
	if err == nil && !qc.Root.IsZero() {
		err = s.node.pin(s, qc.Root, 0)
	}
	return qc, gone(err)
}

// computed returns an error unless a root, or none, may be the base of one that is
// computed here: a peer's word about a state must not become this node's.
func (s *Space) computed(root memo.ID) error {
	if root.IsZero() {
		return nil
	}
	pin, ok, err := s.node.store.Blocks(s.id).Pinned(root)
	if err == nil && (!ok || pin.Foreign) {
		err = fmt.Errorf("%w: root %s was not computed here", ErrContextUnavailable, root)
	}
	return err
}

// foldAhead has the space folded before a moment of it is taken in whole, if its
// loose heads would be too many for a context.
func (s *Space) foldAhead(ctx context.Context) {
	if len(s.Context().Loose) <= causal.MaxLoose {
		return
	}
	if _, err := s.fold(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, ErrClosed) {
		s.node.log.Warn("cannot fold a space now", "space", s.id, "err", err)
	}
}

// hasten has the space folded soon; a folder that is at work will look anyway.
func (s *Space) hasten() {
	select {
	case s.node.folder.asks <- foldAsk{s, make(chan foldReply, 1)}:
	default:
	}
}

// Token returns the session's context in short. A session that saw a moment of a
// space, or a root, as a whole names a root and the heads beyond it, unless a few
// heads say the same; any other session names heads alone, and more of them than a
// token holds are first gathered into one memo of this node. A token that was
// taken and is not covered here yet cannot be part of it: the zero Token then
// says that this node cannot vouch for the session; keep the one you have.
func (x *Session) Token() causal.Token {
	x.mu.Lock()
	open, exact := len(x.taken), x.exact
	x.mu.Unlock()
	if exact != nil && open == 0 {
		return exact.token
	}
	if open > 0 && x.settle(x.space.node.view.Load()) != nil {
		return causal.Token{}
	}
	x.mu.Lock()
	unknown := x.full || len(x.named) > 0 // roots are taken by a read
	x.mu.Unlock()
	if unknown {
		return causal.Token{}
	}
	qc, err := x.short(context.Background())
	var t causal.Token
	if err == nil {
		t, err = qc.Token(x.space.node.id)
	}
	if err != nil {
		x.space.node.log.Warn("cannot write a context down as a token", "err", err)
		return causal.Token{}
	}
	return t
}

// short returns the session's context as a token names it.
func (x *Session) short(ctx context.Context) (causal.Context, error) {
	x.trim(ctx)
	x.mu.Lock()
	heads, whole := x.causes(), x.whole
	x.mu.Unlock()
	if len(heads) <= plainHeads || !whole && len(heads) <= causal.MaxTokenHeads {
		return causal.Context{Space: x.space.id, Loose: heads}, nil
	}
	if whole {
		if qc, err := x.rooted(ctx); err == nil {
			return qc, nil
		}
	}
	err := x.gather(ctx)
	if errors.Is(err, ErrNotPermitted) { // a reader has its root
		return x.rooted(ctx)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return causal.Context{Space: x.space.id, Loose: x.causes()}, err
}

// rooted returns the session's context over a root that is kept, with few enough
// loose heads for a token.
func (x *Session) rooted(ctx context.Context) (causal.Context, error) {
	x.rebase()
	qc := x.Context()
	if qc.Root.IsZero() || len(qc.Loose) > causal.MaxTokenHeads {
		if err := x.fold(ctx, causal.Budget{}, maxOwnFold); err != nil {
			return causal.Context{}, err
		}
		qc = x.Context()
	}
	if qc.Root.IsZero() || len(qc.Loose) > causal.MaxTokenHeads {
		return causal.Context{}, causal.ErrTooManyHeads
	}
	return qc, x.space.keep(qc.Root)
}

// keep pins a root that a token is about to name, and makes sure that it is there
// after a crash. It does so for each root now and then.
func (s *Space) keep(root memo.ID) error {
	now := s.node.opts.Now()
	s.node.mu.Lock()
	done := s.kept.root == root && now.Sub(s.kept.at) < s.node.opts.Retention/keepPart
	s.node.mu.Unlock()
	if done {
		return nil
	}
	blocks := s.node.store.Blocks(s.id)
	was, _, err := blocks.Pinned(root)
	if err != nil {
		return classify(err)
	}
	pin := store.Pin{Root: root, Until: now.Add(s.node.opts.Retention), Foreign: was.Foreign}
	err = errors.Join(blocks.Pin(pin), blocks.Flush())
	if err == nil {
		s.node.mu.Lock()
		defer s.node.mu.Unlock()
		s.kept = keptRoot{root, now}
	}
	return classify(err)
}

// keepPart is how many times within the retention window a root is pinned anew
// while tokens name it.
const keepPart = 16

// keptRoot is the root that was pinned for a token last, and when.
type keptRoot struct {
	root memo.ID
	at   time.Time
}

// gather puts one memo of this node in the place of the session's causes.
func (x *Session) gather(ctx context.Context) error {
	if err := x.space.awaitOwnHead(ctx); err != nil {
		return err
	}
	x.mu.Lock()
	was, heads := x.qc, x.causes()
	x.mu.Unlock()
	head, err := x.space.write(ctx, &write{done: make(chan written, 1)}, heads)
	if err == nil {
		x.replace(head, was)
	}
	return err
}

// replace puts head in the place of a context that is in its past. What the
// session learnt since then stays.
func (x *Session) replace(head memo.Head, was causal.Context) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.qc.Root != was.Root { // it took in another root meanwhile
		x.qc = x.qc.With(head)
		return
	}
	qc := causal.Context{Space: x.space.id}.With(head)
	for _, h := range x.qc.Loose {
		if !was.Covers(h) {
			qc = qc.With(h)
		}
	}
	x.qc, x.tops, x.whole = qc, nil, false
}
