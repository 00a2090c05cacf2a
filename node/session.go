package node

import (
	"context"
	"errors"
	"fmt"
	"iter"
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
	tops  []memo.Head    // see causes
	whole bool           // qc has all of a moment of this node, or of a root
	held  memo.ID        // a root of qc that is known to be covered here
	taken []causal.Token // not covered here yet, hence not part of qc; at most maxTaken
	full  bool           // a token was taken that found no place there
	named []named        // roots of tokens whose heads are covered; at most maxTaken
	// origin begins the id of the peer whose root was named last: what it covers is
	// wanted there first.
	origin [8]byte
	exact  *exact // what an Exact session reads, once it is known
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
		x.space.foldAhead(ctx)
		for x.scan(ctx, q, yield) { // anew
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
	was, heads := x.qc, x.causes()
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
	x.replace(head, was)
	return Receipt{ID: head.ID, Token: x.Token(), Outcome: Committed}, nil
}
