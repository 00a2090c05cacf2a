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
	x, err := s.session(in.Space, in.Asked)
	if err != nil {
		return nil, ProblemOf(err)
	}
	q, err := in.query()
	if err != nil {
		return nil, ProblemOf(err)
	}
	limit := q.Limit
	if limit > 0 {
		q.Limit++ // one more tells whether there are more
	}
	next, stop := iter.Pull2(x.Scan(ctx, q))
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
		l := lines{limit: limit, enc: json.NewEncoder(w), rc: http.NewResponseController(w)}
		l.enc.SetEscapeHTML(false)
		if l.send(first, ok, next) {
			end := End{End: true, Rows: l.rows, Next: l.next, Token: x.Token().String(), Behind: behindOf(first.Behind)}
			l.put(end)
			w.Header().Set(contextHeader, end.Token)
		}
		l.rc.SetWriteDeadline(time.Time{}) // the connection's next response has its own time
	}}, nil
}

// lines writes a scan. After an error of the connection it does nothing.
type lines struct {
	enc   *json.Encoder
	rc    *http.ResponseController
	limit int // rows at most; 0: all
	rows  int
	next  string // cursor behind the row that reached the limit, if there was another
	err   error  // of the connection
}

// send writes r, if ok, and what follows it. It reports whether that was all; if
// not, the last line says why, or nobody listens any more.
func (l *lines) send(r node.Row, ok bool, next func() (node.Row, error, bool)) bool {
	var last node.ScanCursor
	for ok && l.err == nil {
		if l.limit > 0 && l.rows == l.limit {
			l.next = last.String()
			break
		}
		if l.rows%flushEvery == 0 {
			l.flush()
		}
		l.rows++
		last = r.Cursor()
		l.put(Row{Topic: r.Topic, Key: Name(r.Key), Fields: Fields(r.Fields), Cells: cellsOf(r)})
		var err error
		if r, err, ok = next(); ok && err != nil {
			l.put(failure{ProblemOf(err)})
			return false
		}
	}
	return l.err == nil
}

func (l *lines) put(v any) {
	if l.err == nil {
		l.err = l.enc.Encode(v)
	}
}

// flush sends what was written and allows the reader lineTimeout for what follows.
func (l *lines) flush() {
	l.rc.SetWriteDeadline(time.Now().Add(lineTimeout)) // not all connections have deadlines
	if l.err == nil {
		l.err = l.rc.Flush()
	}
}
