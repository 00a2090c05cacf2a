package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"lightcone/node"
)

// Where a watch starts, other than at a cursor.
const (
	Now   = "now"
	Start = "start"
)

// eventsType is the content type of a watch: server-sent events.
const eventsType = "text/event-stream"

// The events of a watch.
const (
	changeEvent = "change"
	endEvent    = "end"   // as many changes as asked for
	errorEvent  = "error" // a Problem; nothing follows
)

// Change is what one memo did to one row.
type Change struct {
	Cursor    string `json:"cursor" doc:"Watching from it goes on behind this change; good on this node"`
	Token     string `json:"token,omitempty" doc:"Context token of everything up to here, to start anew on another node"`
	ID        string `json:"id" doc:"CID of the memo"`
	Author    string `json:"author" doc:"Peer id"`
	Seq       uint64 `json:"seq" doc:"Place in the author's chain"`
	Time      uint64 `json:"time" doc:"Hybrid logical clock: 48 bits of milliseconds, 16 of counter"`
	Topic     string `json:"topic"`
	Key       Name   `json:"key"`
	Tombstone bool   `json:"tombstone,omitempty" doc:"The row was deleted before the fields were written"`
	Fields    Fields `json:"fields" doc:"Written, with their new values"`
	Deleted   []Name `json:"deleted,omitempty" doc:"Fields that were deleted"`
	Changed   []Name `json:"changed,omitempty" doc:"Fields whose multi, counter or set was changed; the row shows the outcome"`
	VouchedBy string `json:"vouchedBy,omitempty" doc:"The change is of a state that was adopted on the word of this peer: all fields of the row, and the last memo behind it"`
}

type watchInput struct {
	InSpace
	Asked
	Keys
	Cursor string `query:"cursor" doc:"now, start, or the cursor to go on behind" default:"now"`
	LastID string `header:"Last-Event-ID" doc:"The same, sent by an event source that connects again; it wins"`
}

func (s *service) registerWatch(api huma.API) {
	watch := operation(http.MethodGet, "/v1/spaces/{space}/watch", "watch", "Changes of rows as they become readable, without end")
	watch.Responses = map[string]*huma.Response{"200": {
		Description: "Server-sent events. The id of each is the cursor behind it; ids without an event mark what was passed over. " +
			"Events: change; end, after limit changes; error, a problem. Comments keep the connection alive.",
		Content: map[string]*huma.MediaType{eventsType: {}},
	}}
	huma.Register(api, watch, s.watch)
}

// watch answers faults of the request as any other operation, before it streams.
func (s *service) watch(ctx context.Context, in *watchInput) (*huma.StreamResponse, error) {
	x, q, err := s.ranging(ctx, in.Space, in.Asked, in.query)
	if err != nil {
		return nil, err
	}
	from, err := s.cursor(in)
	if err != nil {
		return nil, ProblemOf(err)
	}
	f, err := x.Follow(ctx, q, from)
	if err != nil {
		return nil, ProblemOf(err)
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer f.Close()
		_, w := humago.Unwrap(hc)
		w.Header().Set("Content-Type", eventsType)
		w.WriteHeader(http.StatusOK)
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(s.closing, cancel)()
		e := events{w: w, rc: http.NewResponseController(w)}
		e.follow(ctx, f)
		e.rc.SetWriteDeadline(time.Time{})
	}}, nil
}

// cursor is where the watch starts.
func (s *service) cursor(in *watchInput) (node.Cursor, error) {
	text := in.Cursor
	if in.LastID != "" {
		text = in.LastID
	}
	switch text {
	case Start:
		return node.Cursor{}, nil
	case Now, "":
		sp, err := s.node.OpenSpace(in.Space)
		if err != nil {
			return node.Cursor{}, err
		}
		return sp.Now()
	}
	return node.ParseCursor(text)
}

// events writes server-sent events. After an error of the connection it does
// nothing. What the reader does not take holds up this goroutine alone, and
// after lineTimeout ends the watch; its cursor says where to go on.
type events struct {
	w   io.Writer
	rc  *http.ResponseController
	err error // of the connection
}

// follow sends the changes of f until something ends it.
func (e *events) follow(ctx context.Context, f *node.Feed) {
	e.send(f.Cursor(), "", nil)
	for e.err == nil {
		next, cancel := context.WithTimeout(ctx, heartbeat)
		c, err := f.Next(next)
		cancel()
		switch {
		case err == nil:
			e.send(c.Cursor, changeEvent, changeOf(c))
		case err == io.EOF:
			e.send(f.Cursor(), endEvent, struct{}{})
			return
		case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
			e.send(f.Cursor(), "", nil)
		default:
			if ctx.Err() != nil { // the server closes, or nobody listens any more
				err = node.ErrClosed
			}
			e.send(f.Cursor(), errorEvent, ProblemOf(err))
			return
		}
	}
}

// send sends one event, or with no name a comment and the id alone.
func (e *events) send(at node.Cursor, name string, v any) {
	e.rc.SetWriteDeadline(time.Now().Add(lineTimeout)) // not all connections have deadlines
	id := at.String()
	if id == "" {
		id = Start
	}
	text := fmt.Sprintf(":\nid: %s\n\n", id)
	if name != "" {
		data, err := json.Marshal(v)
		if err != nil {
			e.err = err
			return
		}
		text = fmt.Sprintf("id: %s\nevent: %s\ndata: %s\n\n", id, name, data)
	}
	if _, err := io.WriteString(e.w, text); err != nil {
		e.err = err
		return
	}
	e.err = e.rc.Flush()
}

func changeOf(c node.Change) Change {
	out := Change{
		Cursor: c.Cursor.String(), Token: c.Cursor.Token().String(), ID: c.ID.String(), Author: c.Author.String(),
		Seq: c.Seq, Time: uint64(c.Time), Topic: c.Topic, Key: Name(c.Key), Tombstone: c.Tombstone, Fields: Fields(c.Fields),
	}
	if c.VouchedBy != (node.PeerID{}) {
		out.VouchedBy = c.VouchedBy.String()
	}
	for _, f := range c.Deleted {
		out.Deleted = append(out.Deleted, Name(f))
	}
	for _, f := range c.Changed {
		out.Changed = append(out.Changed, Name(f))
	}
	return out
}
