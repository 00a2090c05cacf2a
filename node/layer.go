package node

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	causal "lightcone/context"
	"lightcone/memo"
	"lightcone/merge"
	"lightcone/projection"
	"lightcone/store"
)

// This file is the reading side of a layer. How one comes and goes is in cold.go.

// layer is the state of a space that a peer vouches for, above what the memos held
// here say. It is immutable; changed is closed when there is a newer one, or none.
// Nothing of it ever gets into the log, the projection, own roots or own memos.
type layer struct {
	peer   PeerID // who vouches for it; zero: there is no layer
	since  time.Time
	lead   uint64  // how many memos the peer was ahead then
	id     memo.ID // of the root; zero until the peer named it
	root   merge.Root
	vector memo.Vector // what it covers
	blocks int         // that came
	sealed bool        // the vector is here, with a seal for all it has beyond our cut
	ready  bool        // rows may be shown
	whole  bool        // and all of them are here
	told   *told       // rows that were shown on the peer's word

	changed chan struct{}
}

// told are keys of rows that a reader was shown on a peer's word: at most maxTold.
type told struct {
	mu   sync.Mutex
	keys map[string]struct{}
}

// maxTold bounds the rows that are compared with their memos when these come before
// the peer's state is whole.
const maxTold = 1 << 12

func (t *told) add(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.keys) < maxTold {
		t.keys[key] = struct{}{}
	}
}

// all returns the keys, ascending.
func (t *told) all() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Sorted(maps.Keys(t.keys))
}

// errNoLayer reports that the layer that was read is gone: the memos came, or the
// peer lied. What is asked again is answered without it.
var errNoLayer = errors.New("the peer's state that was read is gone; ask again")

// maxNamedMissing bounds the memos that an answer names because a layer covers them.
const maxNamedMissing = 24

// vouching returns the layer of s if it may say more than v.
func (s *Space) vouching(v *view) *layer {
	l := s.layer.Load()
	if l.peer == (PeerID{}) || l.sealed && v.store.All(s.id).CoversAll(l.vector) {
		return nil
	}
	return l
}

// with returns v's cut with what l covers.
func (l *layer) with(space memo.SpaceID, v *view) causal.Cut {
	cut := v.store.All(space).Clone()
	cut.Join(l.vector)
	return causal.NewCut(cut)
}

// vouched reads rows joined with those of a layer.
type vouched struct {
	*layer
	space  *Space
	own    *moment
	at     *projection.At
	wait   context.Context // until when blocks are waited for
	strict bool            // rows that do not come in time are an error
}

// seen is a row as a source shows it.
type seen struct {
	state  merge.Row
	by     PeerID // who vouches for what no memo held here says; zero if there is none
	behind *BehindError
}

// get reads one row of a layer and joins own, what the memos held here say.
func (v *vouched) get(own merge.Row, topic, row string) (seen, error) {
	said, err := v.row(topic, row)
	if errors.Is(err, context.DeadlineExceeded) {
		behind := v.layer.behind(v.space.id, v.own.view, v.space.node.opts.Now())
		if v.strict {
			return seen{}, behind
		}
		return seen{state: own, behind: behind}, nil
	}
	if err != nil {
		return seen{}, err
	}
	return v.join(own, said, topic, row)
}

// row reads a row of the layer, waiting for its blocks.
func (v *vouched) row(topic, row string) (merge.Row, error) {
	for asked := false; ; asked = true {
		now := v.space.layer.Load() // before the look, so that nothing that comes is missed
		state, _, err := v.at.Get(v.space.id, topic, row)
		if err == nil || !errors.Is(err, store.ErrNoBlock) {
			return state, err
		}
		if now.id != v.id || now.whole {
			return merge.Row{}, errNoLayer
		}
		if !asked {
			c := askPrefer{v.space.id, v.id, merge.RowKey(topic, row)}
			if err := v.space.node.submit(v.wait, c); err != nil {
				return merge.Row{}, err
			}
		}
		if err := v.space.layerAfter(v.wait, now); err != nil {
			return merge.Row{}, err
		}
	}
}

// layerAfter waits until there is a newer layer than l, or none.
func (s *Space) layerAfter(ctx context.Context, l *layer) error {
	select {
	case <-l.changed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.node.quit:
		return ErrClosed
	}
}

// join puts what the peer says of a row on top of what the memos here say. What
// cannot be true is told to the owner, who drops the layer.
func (v *vouched) join(own, said merge.Row, topic, row string) (seen, error) {
	key := merge.RowKey(topic, row)
	if err := v.layer.bounds(key, said); err != nil {
		return seen{}, v.lie(err)
	}
	if own.Includes(said) {
		return seen{state: own}, nil
	}
	if v.holds(said) {
		return seen{}, v.lie(notSo(key))
	}
	v.told.add(key)
	return seen{state: merge.Join(own, said), by: v.peer}, nil
}

// bounds refuses a row that stands on memos beyond the layer's vector.
func (l *layer) bounds(key string, said merge.Row) error {
	for _, st := range said.Provenance() {
		if !l.vector.Covers(st.Author, st.Seq) {
			return lie{fmt.Errorf("row %q stands on memo %d of %s, which its root does not cover", key, st.Seq, st.Author)}
		}
	}
	return nil
}

// holds reports whether all memos that a row stands on are held here: then the own
// state of the row includes it, or it is false.
func (v *vouched) holds(said merge.Row) bool {
	digest := v.own.view.digest(v.space.id)
	for _, st := range said.Provenance() {
		if id, ok := digest(st.Author, st.Seq); !ok || id != st.ID {
			return false
		}
	}
	return true
}

// lie tells the owner that the layer is false, and the reader to ask again.
func (v *vouched) lie(err error) error {
	soon := context.WithoutCancel(v.wait) // the owner drops it at once
	if err := v.space.node.submit(soon, layerLied{v.space, v.peer, v.id, err}); err != nil {
		return err
	}
	if err := v.space.layerGone(soon, v.id); err != nil {
		return err
	}
	return fmt.Errorf("%w (peer %s vouched for a state that is false: %w)", errNoLayer, v.peer, err)
}

// layerGone waits until the layer of a root is dropped.
func (s *Space) layerGone(ctx context.Context, id memo.ID) error {
	for l := s.layer.Load(); l.id == id; l = s.layer.Load() {
		if err := s.layerAfter(ctx, l); err != nil {
			return err
		}
	}
	return nil
}

// behind says what is missing in a view while what l holds does not come.
func (l *layer) behind(space memo.SpaceID, v *view, now time.Time) *BehindError {
	e := &BehindError{Holders: []PeerID{l.peer}, Lag: Lag{Memos: l.lead}}
	if !l.sealed {
		return e
	}
	mine := v.store.All(space)
	e.Lag = lagBehind(l.vector, mine, now)
	for m := range l.vector.All() {
		if len(e.Missing) < maxNamedMissing && !mine.Covers(m.Author, m.Seq) {
			e.Missing = append(e.Missing, m.Head)
		}
	}
	return e
}

// heads returns what a session has seen with a row. Of authors whose memos are
// missing here that is the last one that the layer covers, which its author sealed:
// nobody makes a session wait for memos that were never written.
func (src *source) heads(found seen) []memo.Head {
	heads := headsOf(found.state)
	if found.by == (PeerID{}) {
		return heads
	}
	for i, h := range heads {
		if m, ok := src.vouched.vector.Get(h.Author); ok && !src.cut.Covers(h) {
			heads[i] = m.Head
		}
	}
	return heads
}

// mayVouch reports whether a session shows what peers vouch for.
func (x *Session) mayVouch() bool {
	return x.read.Mode == Local || x.read.Mode == AtLeast && x.read.Vouched
}

// beginRead is begin for what only reads rows: they may be those of a layer.
func (x *Session) beginRead(ctx context.Context) (*source, *BehindError, error) {
	if !x.mayVouch() {
		return x.begin(ctx)
	}
	wait, cancel := context.WithTimeout(ctx, max(x.read.Wait, 0))
	src, behind, err := x.beginVouched(ctx, wait)
	if err != nil {
		cancel()
		return nil, nil, err
	}
	src.cancel = cancel
	return src, behind, nil
}

// beginVouched fences and takes what is to be read; wait ends what it waits for.
func (x *Session) beginVouched(ctx, wait context.Context) (*source, *BehindError, error) {
	behind, err := x.fenced(ctx, true)
	if err != nil {
		return nil, nil, err
	}
	l, err := x.space.comingLayer(wait)
	if err != nil {
		return nil, nil, err
	}
	m, err := x.space.node.moment(ctx)
	if err != nil {
		return nil, nil, err
	}
	src := &source{rows: m.snap, cut: m.view.cut(x.space.id)}
	strict := x.read.Mode == AtLeast && x.read.Stale == StaleError
	switch {
	case l == nil || l.sealed && src.cut.Vector().CoversAll(l.vector): // its memos are here
	case l.ready:
		src.vouched = newVouched(x.space, l, m, wait, strict)
	case behind == nil:
		if behind = l.behind(x.space.id, m.view, x.space.node.opts.Now()); strict {
			m.Close()
			return nil, nil, behind
		}
	}
	return src, behind, nil
}

// beginWrite is begin for a transaction that writes. It reads what memos here say, and
// is refused while the session has seen more than that: what a peer vouches for is no
// cause of a memo before its own memos are here.
func (x *Session) beginWrite(ctx context.Context) (*source, error) {
	if err := x.space.awaitOwnHead(ctx); err != nil {
		return nil, err
	}
	if len(x.Context().Missing(x.space.node.view.Load().cut(x.space.id))) > 0 {
		if err := x.await(ctx, false); err != nil {
			return nil, err
		}
	}
	src, _, err := x.begin(ctx)
	return src, err
}

// comingLayer returns the layer of s if it may say more than the memos that are here;
// one whose rows are about to come is waited for.
func (s *Space) comingLayer(wait context.Context) (*layer, error) {
	l := s.vouching(s.node.view.Load())
	for l != nil && !l.ready {
		err := s.layerAfter(wait, l)
		if errors.Is(err, context.DeadlineExceeded) {
			break
		}
		if err != nil {
			return nil, err
		}
		l = s.vouching(s.node.view.Load())
	}
	return l, nil
}

func newVouched(s *Space, l *layer, own *moment, wait context.Context, strict bool) *vouched {
	at := projection.NewAt(l.root.Params, s.node.store.Blocks(s.id), l.root.State)
	return &vouched{layer: l, space: s, own: own, wait: wait, strict: strict, at: at}
}

// vouchedFor reports whether the session's context is covered by what the node has
// and a layer vouches for. Tokens whose memos are not here stay taken.
func (x *Session) vouchedFor(v *view, l *layer) bool {
	if !x.mayVouch() || !l.ready {
		return false
	}
	cut, held := l.with(x.space.id, v), v.digest(x.space.id)
	digest := func(a memo.Author, seq uint64) (memo.ID, bool) {
		if m, _ := l.vector.Get(a); m.Seq == seq {
			return m.ID, true
		}
		return held(a, seq)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, t := range x.taken {
		if [8]byte(x.space.id[:8]) != t.Space || !t.Root.IsZero() && t.Root != l.id {
			return false // what another root covers is not known before its heads are here
		}
		for _, h := range t.Missing(cut, digest) {
			// The digest of a memo that is not here, and no head of the layer, is not
			// known: it is what its author's chain says.
			if _, known := digest(h.Known, h.Seq); !h.Conflict || known {
				return false
			}
		}
	}
	return len(x.qc.Missing(cut)) == 0
}
