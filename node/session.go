package node

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	causal "lightcone/context"
	"lightcone/memo"
)

// Mode is what a read promises with regard to its session's context.
type Mode uint8

// The modes of reading.
const (
	// AtLeast answers from a view that covers the context, waiting for it.
	AtLeast Mode = iota
	// Local answers from the newest this node has, whatever the context.
	Local
	// Exact answers with the state of precisely the context's cut, the same bytes
	// on every node, or with ErrContextUnavailable. See Session.ExactToken.
	Exact
)

// StalePolicy is what an AtLeast read does when waiting was in vain.
type StalePolicy uint8

// The policies for stale reads.
const (
	StaleError  StalePolicy = iota // fail with a BehindError
	StaleReturn                    // answer, with the BehindError in Row.Behind
)

// Read says how a session reads. The zero Read is AtLeast, DefaultWait, StaleError.
type Read struct {
	Mode  Mode
	Wait  time.Duration // how long to wait for the context; negative: not at all
	Stale StalePolicy
	// Vouched lets an AtLeast read of rows be answered with what a peer vouches for, as
	// Local reads always may: see Row.VouchedBy. What the session has seen that way,
	// later reads without it, and all writes, wait for the memos of.
	Vouched bool
}

// From starts a session from a token: it has seen all that the token names.
type From causal.Token

// SessionOption is From or Read.
type SessionOption interface{ apply(x *Session) }

func (f From) apply(x *Session) { x.Take(causal.Token(f)) }
func (r Read) apply(x *Session) { x.read = r }

// Outcome is what became of a write.
type Outcome uint8

// The outcomes of a write.
const (
	Committed    Outcome = iota
	NotCommitted         // nothing was recorded
	Unknown              // it may or may not have been recorded; look before repeating
)

// Receipt is the answer to a write. Token covers the write and its past.
type Receipt struct {
	ID      memo.ID
	Token   causal.Token
	Outcome Outcome
}

// Session is a query context in use. It is safe for concurrent use; the order of
// concurrent calls is not defined.
type Session struct {
	space *Space
	read  Read

	mu    sync.Mutex
	qc    causal.Context
	taken []causal.Token // not covered here yet, hence not part of qc; at most maxTaken
	over  bool           // a token was taken that found no place there
	named []named        // roots of tokens whose heads are covered; at most maxTaken
	exact *exact         // what an Exact session reads, once it is known
}

// maxTaken bounds the tokens of a session that this node does not cover yet, each
// of up to 2 KiB. A session must not un-know one, so with more of them it refuses
// everything but local reads.
const maxTaken = 256

// Session starts a session in s, with an empty context unless From is given.
func (s *Space) Session(opts ...SessionOption) *Session {
	x := &Session{space: s, qc: causal.Context{Space: s.id}}
	for _, o := range opts {
		o.apply(x)
	}
	if x.read.Wait == 0 {
		x.read.Wait = DefaultWait
	}
	return x
}

// Take adds what the token names to the session; it is never un-known. After more
// than 256 different tokens that this node does not cover, the session answers
// with ErrTooManyTokens.
func (x *Session) Take(t causal.Token) {
	x.forget()
	if t.IsZero() || x.take(t) {
		return
	}
	x.settle(x.space.node.view.Load()) // what came meanwhile makes room
	if !x.take(t) {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.over = true
	}
}

// take keeps t if there is room for it, or it is kept already.
func (x *Session) take(t causal.Token) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	same := func(u causal.Token) bool {
		return t.Space == u.Space && t.Origin == u.Origin && t.Root == u.Root && slices.Equal(t.Heads, u.Heads)
	}
	if slices.ContainsFunc(x.taken, same) {
		return true
	}
	if len(x.taken) == maxTaken {
		return false
	}
	x.taken = append(x.taken, t)
	return true
}

func (x *Session) overfull() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.over
}

// See adds a context of this space, read from Space.Context, to the session.
func (x *Session) See(qc causal.Context) {
	x.forget()
	x.saw(qc.Loose...)
}

// Context returns what the session has seen, but for tokens that this node does
// not cover yet and for roots that were not read under.
func (x *Session) Context() causal.Context {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.qc
}

// Token returns the session's context in short. A context of more heads than a
// token holds is first gathered into one memo of this node. A token that was
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
	qc, unknown := x.qc, x.over || len(x.named) > 0 // roots are taken by a read
	x.mu.Unlock()
	if unknown {
		return causal.Token{}
	}
	if len(qc.Loose) > causal.MaxTokenHeads {
		head, err := x.space.write(context.Background(), &write{done: make(chan written, 1)}, qc.Loose)
		if err != nil {
			x.space.node.log.Warn("cannot gather a context for its token", "err", err)
			return causal.Token{}
		}
		qc = x.replace(head, qc.Loose)
	}
	t, err := qc.Token(x.space.node.id)
	if err != nil {
		return causal.Token{}
	}
	return t
}

// replace puts head in the place of causes, which are in its past. What the
// session learnt since the causes were read stays.
func (x *Session) replace(head memo.Head, causes []memo.Head) causal.Context {
	x.mu.Lock()
	defer x.mu.Unlock()
	past := causal.Context{Space: x.space.id, Loose: causes}
	qc := causal.Context{Space: x.space.id}.With(head)
	for _, h := range x.qc.Loose {
		if !past.Covers(h) {
			qc = qc.With(h)
		}
	}
	x.qc = qc
	return qc
}

func (x *Session) saw(heads ...memo.Head) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, h := range heads {
		x.qc = x.qc.With(h)
	}
}

// settle moves taken tokens that v covers into the context and returns what is
// still missing.
func (x *Session) settle(v *view) *BehindError {
	x.mu.Lock()
	defer x.mu.Unlock()
	cut := v.cut(x.space.id)
	e := &BehindError{}
	rest := x.taken[:0:0]
	for _, t := range x.taken {
		if [8]byte(x.space.id[:8]) != t.Space {
			foreign := memo.Head{ID: t.Root}
			if len(t.Heads) > 0 {
				foreign = partial(causal.MissingHead{TokenHead: t.Heads[0]})
			}
			e.Missing, e.Forked = append(e.Missing, foreign), true
			rest = append(rest, t)
			continue
		}
		digest := x.space.digests(v, t)
		if x.read.Mode != Exact { // that one is about the memos named and no others
			t = v.known(x.space.id, t, digest)
		}
		missing := t.Missing(cut, digest)
		if len(missing) == 0 {
			if qc, ok := t.Resolve(x.space.id, cut, digest); ok && x.name(t.Root, qc.Loose, t.Origin) {
				for _, h := range qc.Loose {
					x.qc = x.qc.With(h)
				}
				continue
			}
		}
		rest = append(rest, t)
		for _, h := range missing {
			e.add(h, cut)
		}
	}
	x.taken = rest
	for _, h := range x.qc.Missing(cut) { // only after the log lost unsynced writes
		e.Missing, e.Lag.Memos = append(e.Missing, h), e.Lag.Memos+1
	}
	if len(e.Missing) == 0 {
		return nil
	}
	return e
}

// add records one memo that a token names and the cut lacks.
func (e *BehindError) add(h causal.MissingHead, cut causal.Cut) {
	e.Missing = append(e.Missing, partial(h))
	e.Forked = e.Forked || h.Conflict
	have, _ := cut.Vector().Get(h.Known)
	if h.Seq > have.Seq {
		e.Lag.Memos += h.Seq - have.Seq
	}
}

// partial turns a token's head into a Head, as complete as it is known.
func partial(h causal.MissingHead) memo.Head {
	out := memo.Head{Author: h.Known, Seq: h.Seq}
	if h.Known == (memo.Author{}) {
		copy(out.Author[:], h.Author[:])
	}
	copy(out.ID[:], h.Digest[:])
	return out
}

// fence waits until this node covers the session's context. It returns nil, or a
// BehindError with Holders filled in.
func (x *Session) fence(ctx context.Context) error {
	if x.read.Mode == Local {
		return nil
	}
	return x.await(ctx, false)
}

// await waits until this node covers the session's context, or with vouched until
// this node and a layer together do.
func (x *Session) await(ctx context.Context, vouched bool) error {
	if x.overfull() {
		return ErrTooManyTokens
	}
	l, v := x.space.layer.Load(), x.space.node.view.Load()
	behind := x.settle(v)
	if behind == nil {
		return nil
	}
	timeout := time.NewTimer(max(x.read.Wait, 0))
	defer timeout.Stop()
	again := time.NewTicker(wantEvery)
	defer again.Stop()
	x.want(ctx)
	for behind != nil && !behind.Forked && !(vouched && x.vouchedFor(v, l)) {
		select {
		case <-v.changed:
		case <-l.changed:
		case <-again.C:
			x.want(ctx)
			continue
		case <-timeout.C:
			return x.fill(ctx, behind)
		case <-ctx.Done():
			return errors.Join(x.fill(context.WithoutCancel(ctx), behind), ctx.Err())
		case <-x.space.node.quit:
			return ErrClosed
		}
		l, v = x.space.layer.Load(), x.space.node.view.Load()
		behind = x.settle(v)
	}
	if behind != nil && !(vouched && x.vouchedFor(v, l)) {
		return x.fill(ctx, behind)
	}
	return nil
}

// Get returns a row, or ErrNotFound. The session then has seen the memos behind
// the row's cells.
func (x *Session) Get(ctx context.Context, topic, row string) (Row, error) {
	for {
		src, behind, err := x.beginRead(ctx)
		if err != nil {
			return Row{}, err
		}
		tx := &Tx{session: x, source: src, behind: behind}
		r, err := tx.Get(topic, row)
		src.Close()
		if !errors.Is(err, errNoLayer) {
			return r, err
		}
	}
}

// Put writes fields of a row; other fields of the row stay as they are.
func (x *Session) Put(ctx context.Context, topic, row string, fields Fields) (Receipt, error) {
	return x.Update(ctx, func(tx *Tx) error { return tx.Put(topic, row, fields) })
}

// Delete removes the named fields of a row, or the whole row when none is named.
func (x *Session) Delete(ctx context.Context, topic, row string, fields ...string) (Receipt, error) {
	return x.Update(ctx, func(tx *Tx) error { return tx.Delete(topic, row, fields...) })
}

// PutMulti writes fields that keep concurrent values, in place of those that this
// node shows.
func (x *Session) PutMulti(ctx context.Context, topic, row string, fields Fields) (Receipt, error) {
	return x.Update(ctx, func(tx *Tx) error { return tx.PutMulti(topic, row, fields) })
}

// Add adds n, which may be negative, to a counter.
func (x *Session) Add(ctx context.Context, topic, row, field string, n int64) (Receipt, error) {
	return x.Update(ctx, func(tx *Tx) error { return tx.Add(topic, row, field, n) })
}

// Change adds elements to a set and removes others.
func (x *Session) Change(ctx context.Context, topic, row, field string, add, remove []memo.Value) (Receipt, error) {
	return x.Update(ctx, func(tx *Tx) error { return tx.Change(topic, row, field, add, remove) })
}

// Scan yields the rows of q from one snapshot, whose whole context the session
// takes in: what a scan does not show is knowledge too.
func (x *Session) Scan(ctx context.Context, q Query) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		src, behind, err := x.beginRead(ctx)
		if err != nil {
			yield(Row{}, err)
			return
		}
		defer src.Close()
		tx := &Tx{session: x, source: src, behind: behind}
		for r, err := range tx.Scan(q) {
			if ctx.Err() != nil {
				yield(Row{}, ctx.Err())
				return
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// View runs f on one unchanging snapshot. Writes in f are refused.
func (x *Session) View(ctx context.Context, f func(*Tx) error) error {
	src, behind, err := x.beginRead(ctx)
	if err != nil {
		return err
	}
	defer src.Close()
	return f(&Tx{session: x, source: src, behind: behind})
}

// Update runs f and commits what it wrote as one memo that happens after all
// that the session has seen. An f that writes nothing commits nothing.
func (x *Session) Update(ctx context.Context, f func(*Tx) error) (Receipt, error) {
	if x.read.Mode == Exact {
		return Receipt{Outcome: NotCommitted}, fmt.Errorf("%w: an exact session shows one state for good; write in another, which may take its token", memo.ErrInvalid)
	}
	src, err := x.beginWrite(ctx)
	if err != nil {
		return Receipt{Outcome: NotCommitted}, err
	}
	defer src.Close()
	tx := &Tx{session: x, source: src, edit: newDraftEdit()}
	if err := f(tx); err != nil {
		return Receipt{Outcome: NotCommitted}, err
	}
	edit, err := tx.edit.build(tx.self(), tx.edit.seenRows)
	if err != nil {
		return Receipt{Outcome: NotCommitted}, err
	}
	if edit == nil {
		return Receipt{Outcome: NotCommitted, Token: x.Token()}, nil
	}
	x.mu.Lock()
	heads := x.qc.Loose
	x.mu.Unlock()
	w := &write{edit: edit, done: make(chan written, 1)}
	if tx.edit.typed() {
		w.draft = tx.edit
	}
	head, err := x.space.write(ctx, w, heads)
	if err != nil {
		var unknown *unknownError
		if errors.As(err, &unknown) {
			return Receipt{Outcome: Unknown}, err
		}
		return Receipt{Outcome: NotCommitted}, err
	}
	x.replace(head, heads)
	return Receipt{ID: head.ID, Token: x.Token(), Outcome: Committed}, nil
}

// unknownError wraps an error after which the write may or may not be recorded.
type unknownError struct{ error }

func (e *unknownError) Unwrap() error { return e.error }

// write hands w with its causes to the owner and waits for the outcome.
func (s *Space) write(ctx context.Context, w *write, heads []memo.Head) (memo.Head, error) {
	w.space = s
	for _, h := range heads {
		if h.Author != s.node.id { // the own chain is linked by prev
			w.deps = append(w.deps, h)
		}
	}
	select {
	case s.node.writes <- w:
	case <-ctx.Done():
		return memo.Head{}, ctx.Err()
	case <-s.node.quit:
		return memo.Head{}, ErrClosed
	}
	select {
	case r := <-w.done:
		return r.result()
	case <-ctx.Done():
		return memo.Head{}, &unknownError{fmt.Errorf("gave up waiting; the write may still be recorded: %w", ctx.Err())}
	case <-s.node.done:
		return lastAnswer(w)
	}
}

// result is what write returns.
func (r written) result() (memo.Head, error) {
	if r.err != nil && r.unknown {
		return memo.Head{}, &unknownError{r.err}
	}
	return r.head, r.err
}

// lastAnswer takes the answer the owner may have given just before it ended.
func lastAnswer(w *write) (memo.Head, error) {
	select {
	case r := <-w.done:
		return r.result()
	default:
		return memo.Head{}, ErrClosed
	}
}
