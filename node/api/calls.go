package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Read says what a read owes to a context. The zero Read asks for nothing.
type Read struct {
	Context string        // tokens, with commas between them
	At      string        // token: Mode "exact" with it as the context
	Mode    string        // "at-least", "local", "exact"; "" is at-least
	Wait    time.Duration // 0: the node's default; negative: not at all
	Stale   string        // "error", "return"; "" is error
	Vouched bool          // an at-least read may show what a peer vouches for
}

func (r Read) values() url.Values {
	q := url.Values{}
	set(q, "context", r.Context)
	set(q, "at", r.At)
	set(q, "mode", r.Mode)
	set(q, "stale", r.Stale)
	if r.Vouched {
		q.Set("vouched", "true")
	}
	if r.Wait != 0 {
		q.Set("wait", max(r.Wait, 0).String())
	}
	return q
}

// Query selects rows; see node.Query.
type Query struct {
	Topic, Prefix, From, To string
	Limit                   int
	Reverse                 bool
	Cursor                  string // of a scan with a limit: its End.Next
}

func (q Query) values(r Read) url.Values {
	v := r.values()
	set(v, "topic", q.Topic)
	set(v, "prefix", Name(q.Prefix).Escape())
	set(v, "from", Name(q.From).Escape())
	set(v, "to", Name(q.To).Escape())
	if q.Limit != 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	if q.Reverse {
		v.Set("reverse", "true")
	}
	set(v, "cursor", q.Cursor)
	return v
}

func set(q url.Values, name, value string) {
	if value != "" {
		q.Set(name, value)
	}
}

func spacePath(space, what string) string { return "/v1/spaces/" + url.PathEscape(space) + "/" + what }

// Status asks what the node knows about itself and its peers.
func (c *Client) Status(ctx context.Context) (st Status, err error) {
	return st, c.call(ctx, http.MethodGet, "/v1/status", nil, nil, &st)
}

// CreateSpace makes a space.
func (c *Client) CreateSpace(ctx context.Context, space NewSpace) (s Space, err error) {
	return s, c.call(ctx, http.MethodPost, "/v1/spaces", nil, space, &s)
}

// Compact deletes the bodies of memos behind a checkpoint.
func (c *Client) Compact(ctx context.Context) (done Compacted, err error) {
	return done, c.call(ctx, http.MethodPost, "/v1/compact", nil, nil, &done)
}

// Spaces lists the spaces of the node by name.
func (c *Client) Spaces(ctx context.Context) (list []Space, err error) {
	return list, c.call(ctx, http.MethodGet, "/v1/spaces", nil, nil, &list)
}

// Update writes rows, all or nothing. After ErrUnknownOutcome, or a Problem
// named Unknown, they may or may not be written.
func (c *Client) Update(ctx context.Context, space string, u Update) (r Receipt, err error) {
	return c.UpdateWithin(ctx, space, u, 0)
}

// UpdateWithin is Update that waits so long for the update's context; 0: the
// node's default; negative: not at all.
func (c *Client) UpdateWithin(ctx context.Context, space string, u Update, wait time.Duration) (r Receipt, err error) {
	return r, c.call(ctx, http.MethodPost, spacePath(space, "update"), Read{Wait: wait}.values(), u, &r)
}

// Row reads a row, or only the named fields of it.
func (c *Client) Row(ctx context.Context, space, topic, key string, fields []string, r Read) (row Row, err error) {
	q := rowValues(topic, key, r)
	for _, f := range fields {
		q.Add("field", Name(f).Escape())
	}
	return row, c.call(ctx, http.MethodGet, spacePath(space, "row"), q, nil, &row)
}

// Count counts the rows of q.
func (c *Client) Count(ctx context.Context, space string, q Query, r Read) (n Count, err error) {
	return n, c.call(ctx, http.MethodGet, spacePath(space, "count"), q.values(r), nil, &n)
}

// Digest returns the digest of the space's state.
func (c *Client) Digest(ctx context.Context, space string) (d Digest, err error) {
	return c.DigestUnder(ctx, space, Read{})
}

// DigestUnder returns the digest of the state that a read shows.
func (c *Client) DigestUnder(ctx context.Context, space string, r Read) (d Digest, err error) {
	return d, c.call(ctx, http.MethodGet, spacePath(space, "digest"), r.values(), nil, &d)
}

// Context returns what the node has of the space.
func (c *Client) Context(ctx context.Context, space string) (k Context, err error) {
	return k, c.call(ctx, http.MethodGet, spacePath(space, "context"), nil, nil, &k)
}

// JoinContexts returns what tokens of the space name together, which the node
// waits for as a read does.
func (c *Client) JoinContexts(ctx context.Context, space string, r Read) (k Context, err error) {
	return k, c.call(ctx, http.MethodGet, spacePath(space, "context"), r.values(), nil, &k)
}

// RootContext is Context with a token that names a root: one for Read.At.
func (c *Client) RootContext(ctx context.Context, space string) (k Context, err error) {
	return k, c.call(ctx, http.MethodGet, spacePath(space, "context"), url.Values{"root": {"true"}}, nil, &k)
}

// Ticket makes an invitation into the space.
func (c *Client) Ticket(ctx context.Context, space string, ask NewTicket) (t Ticket, err error) {
	return t, c.call(ctx, http.MethodPost, spacePath(space, "tickets"), nil, ask, &t)
}

// Join enters the space of a ticket. Its rows arrive afterwards.
func (c *Client) Join(ctx context.Context, ticket string) (s Space, err error) {
	return s, c.call(ctx, http.MethodPost, "/v1/join", nil, JoinRequest{Ticket: ticket}, &s)
}

// Block cuts peers off; none means everybody.
func (c *Client) Block(ctx context.Context, peers ...string) error {
	return c.call(ctx, http.MethodPost, "/v1/peers/block", nil, BlockRequest{Peers: peers}, nil)
}

// Unblock undoes every Block.
func (c *Client) Unblock(ctx context.Context) error {
	return c.call(ctx, http.MethodPost, "/v1/peers/unblock", nil, nil, nil)
}

// Stop asks the node to stop.
func (c *Client) Stop(ctx context.Context) error {
	return c.call(ctx, http.MethodPost, "/v1/stop", nil, nil, nil)
}

// Scan calls each for every row of q, until it returns an error. The End tells
// what the reader has seen then.
func (c *Client) Scan(ctx context.Context, space string, q Query, r Read, each func(Row) error) (end End, err error) {
	err = c.lines(ctx, spacePath(space, "scan"), q.values(r), &end, func(line []byte) error {
		var row Row
		if err := json.Unmarshal(line, &row); err != nil {
			return fmt.Errorf("%w: a line of a scan: %w", ErrNoAnswer, err)
		}
		return each(row)
	})
	return end, err
}

// lines reads a stream of lines. The last one, which begins with the member end,
// goes to end.
func (c *Client) lines(ctx context.Context, path string, q url.Values, end any, each func(line []byte) error) error {
	resp, err := c.send(ctx, http.MethodGet, path, q, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		switch line := lines.Bytes(); {
		case bytes.HasPrefix(line, []byte(`{"end":`)):
			_, err := io.Copy(io.Discard, resp.Body) // so that the connection is used again
			return errors.Join(json.Unmarshal(line, end), err)
		case bytes.HasPrefix(line, []byte(`{"error":`)):
			var f failure
			if err := json.Unmarshal(line, &f); err != nil {
				return fmt.Errorf("%w: a line of a stream: %w", ErrNoAnswer, err)
			}
			return f.Error
		default:
			if err := each(line); err != nil {
				return err
			}
		}
	}
	return fmt.Errorf("the stream was cut off: %w", errors.Join(ErrNoAnswer, lines.Err()))
}
