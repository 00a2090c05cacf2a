package node

import (
	"context"
	"errors"
	"fmt"
	"iter"

	causal "lightcone/context"
	"lightcone/memo"
	"lightcone/merge"
	"lightcone/projection"
)

// source is what a Tx reads. Close it.
type source struct {
	rows rows
	cut  causal.Cut // everything that rows may show
	// fixed says that the session's context is precisely the cut: reading teaches it
	// nothing.
	fixed   bool
	vouched *vouched // what a peer vouches for, to be shown on top of rows; nil: nothing
	cancel  func()   // ends what vouched waits for; may be nil
}

// Close lets what is read go.
func (src *source) Close() {
	src.rows.Close()
	if src.cancel != nil {
		src.cancel()
	}
}

// get reads a row, the zero Row if it was never written.
func (src *source) get(space memo.SpaceID, topic, row string) (seen, error) {
	state, _, err := src.rows.Get(space, topic, row)
	if err != nil || src.vouched == nil {
		return seen{state: state}, err
	}
	return src.vouched.get(state, topic, row)
}

// rows are the states of rows as of one moment, or one context.
type rows interface {
	Get(space memo.SpaceID, topic, row string) (state merge.Row, live bool, err error)
	Scan(space memo.SpaceID, q projection.Range) iter.Seq2[projection.Item, error]
	Close()
}

// begin fences and takes what is to be read: memos alone. behind is set only under
// StaleReturn.
func (x *Session) begin(ctx context.Context) (src *source, behind *BehindError, err error) {
	if x.read.Mode == Exact {
		if err := x.fence(ctx, false); err != nil {
			return nil, nil, err
		}
		e, err := x.precisely(ctx)
		if err != nil {
			return nil, nil, err
		}
		return &source{rows: e.at, fixed: true}, nil, nil
	}
	m, behind, err := x.newest(ctx)
	if err != nil {
		return nil, behind, err
	}
	return &source{rows: m.snap, cut: m.view.cut(x.space.id)}, behind, nil
}

// newest fences and takes what is newest here, which an Exact session cannot read.
// behind is set only under StaleReturn.
func (x *Session) newest(ctx context.Context) (m *moment, behind *BehindError, err error) {
	if x.read.Mode == Exact {
		return nil, nil, fmt.Errorf("%w: an exact session reads rows only; use at-least for a history", memo.ErrInvalid)
	}
	if behind, err = x.fenced(ctx, false); err != nil {
		return nil, nil, err
	}
	m, err = x.space.node.moment(ctx)
	return m, behind, err
}

// fenced waits until the session's context is covered: by what is here or, with
// vouched, by that and a layer together. behind is set only under StaleReturn.
func (x *Session) fenced(ctx context.Context, vouched bool) (behind *BehindError, err error) {
	x.trim(ctx)
	for again := true; again; {
		again = false
		if err := x.fence(ctx, vouched); err != nil {
			if x.read.Stale != StaleReturn || !errors.As(err, &behind) || ctx.Err() != nil {
				return nil, err
			}
		}
		if behind == nil && x.read.Mode != Local {
			if again, err = x.takeRoots(ctx); err != nil { // which may have to be waited for
				return nil, err
			}
		}
	}
	return behind, nil
}
