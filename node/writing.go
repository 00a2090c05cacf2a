package node

import (
	"context"
	"fmt"

	"lightcone/memo"
)

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
