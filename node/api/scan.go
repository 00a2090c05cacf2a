package api

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"lightcone/node"
)

// linesType is the content type of a scan: one JSON value a line.
const linesType = "application/x-ndjson"

// End is the last line of a scan.
type End struct {
	End    bool    `json:"end"` // always true: tells this line from a row
	Rows   int     `json:"rows"`
	Next   string  `json:"next,omitempty"` // cursor behind the last row, when the limit left others out
	Token  string  `json:"token"`
	Behind *Behind `json:"behind,omitempty"` // what the view lacked, with stale=return
}

// failure is the last line of a scan that failed half-way.
type failure struct {
	Error *Problem `json:"error"`
}

// scan answers errors that come before the first row as any other operation.
func (s *service) scan(ctx context.Context, in *rangeInput) (*huma.StreamResponse, error) {
	x, q, err := s.ranging(ctx, in.Space, in.Asked, in.query)
	if err != nil {
		return nil, err
	}
	l := &lines[node.Row]{
		limit: q.Limit, cursor: func(r node.Row) string { return r.Cursor().String() },
		line: func(r node.Row) any { return rowOf(r) },
	}
	if q.Limit > 0 {
		q.Limit++ // one more tells whether there are more
	}
	return l.respond(x.Scan(ctx, q), func(first node.Row) (any, string) {
		end := End{End: true, Rows: l.sent, Next: l.next, Token: x.Token().String(), Behind: behindOf(first.Behind)}
		return end, end.Token
	})
}

// lines writes what an iterator yields, a line each. After an error of the
// connection it does nothing.
type lines[T any] struct {
	limit  int            // lines at most; 0: all
	line   func(T) any    // what is written
	cursor func(T) string // the place behind it

	enc  *json.Encoder
	rc   *http.ResponseController
	sent int
	next string // cursor behind the line that reached the limit, if there was another
	err  error  // of the connection
}

// respond answers with the lines of all and a last one, which it asks end for, with
// its token, when all are written. An error in place of the first line is the
// operation's.
func (l *lines[T]) respond(all iter.Seq2[T, error], end func(first T) (line any, token string)) (*huma.StreamResponse, error) {
	next, stop := iter.Pull2(all)
	first, err, ok := next()
	if ok && err != nil {
		stop()
		return nil, ProblemOf(err)
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer stop()
		_, w := humago.Unwrap(hc)
		w.Header().Set("Content-Type", linesType)
		w.Header().Set("Trailer", contextHeader)
		w.WriteHeader(http.StatusOK)
		l.enc, l.rc = json.NewEncoder(w), http.NewResponseController(w)
		l.enc.SetEscapeHTML(false)
		if l.send(first, ok, next) {
			stop() // what was read is part of the session's context from here on
			line, token := end(first)
			l.put(line)
			w.Header().Set(contextHeader, token)
		}
		l.rc.SetWriteDeadline(time.Time{}) // the connection's next response has its own time
	}}, nil
}

// send writes v, if ok, and what follows it. It reports whether that was all; if
// not, the last line says why, or nobody listens any more.
func (l *lines[T]) send(v T, ok bool, next func() (T, error, bool)) bool {
	var last T
	for ok && l.err == nil {
		if l.limit > 0 && l.sent == l.limit {
			l.next = l.cursor(last)
			break
		}
		if l.sent%flushEvery == 0 {
			l.flush()
		}
		l.sent++
		last = v
		l.put(l.line(v))
		var err error
		if v, err, ok = next(); ok && err != nil {
			l.put(failure{ProblemOf(err)})
			return false
		}
	}
	return l.err == nil
}

func (l *lines[T]) put(v any) {
	if l.err == nil {
		l.err = l.enc.Encode(v)
	}
}

// flush sends what was written and allows the reader lineTimeout for what follows.
func (l *lines[T]) flush() {
	l.rc.SetWriteDeadline(time.Now().Add(lineTimeout)) // not all connections have deadlines
	if l.err == nil {
		l.err = l.rc.Flush()
	}
}
