package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Watch calls each for every change of the rows of q, until it returns an error,
// ctx ends, or q.Limit changes are through. from is Now, Start or a cursor. The
// cursor returned, in any case, is where to go on: behind the last change that
// each was called for, and what was passed over since.
func (c *Client) Watch(ctx context.Context, space string, q Query, from string, r Read, each func(Change) error) (cursor string, err error) {
	v := q.values(r)
	set(v, "cursor", from)
	resp, err := c.send(ctx, http.MethodGet, spacePath(space, "watch"), v, nil)
	if err != nil {
		return from, err
	}
	defer resp.Body.Close()
	var e event
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxLine)
	for cursor = from; lines.Scan(); {
		if !e.line(lines.Text()) {
			continue
		}
		switch e.name {
		case changeEvent:
			var change Change
			if err := json.Unmarshal([]byte(e.data), &change); err != nil {
				return cursor, fmt.Errorf("%w: a change: %w", ErrNoAnswer, err)
			}
			if err := each(change); err != nil {
				return cursor, err
			}
		case errorEvent:
			p := new(Problem)
			if err := json.Unmarshal([]byte(e.data), p); err != nil {
				return cursor, fmt.Errorf("%w: a problem: %w", ErrNoAnswer, err)
			}
			return cursor, p
		}
		if e.id != "" {
			cursor = e.id
		}
		if e.name == endEvent {
			return cursor, nil
		}
		e = event{}
	}
	if err := ctx.Err(); err != nil {
		return cursor, err
	}
	return cursor, fmt.Errorf("the watch was cut off: %w", errors.Join(ErrNoAnswer, lines.Err()))
}

// event is one server-sent event as this node writes it: one line of data.
type event struct{ id, name, data string }

// line takes one line and reports whether it ended the event.
func (e *event) line(text string) bool {
	field, value, _ := strings.Cut(text, ": ")
	switch field {
	case "id":
		e.id = value
	case "event":
		e.name = value
	case "data":
		e.data = value
	}
	return text == ""
}
