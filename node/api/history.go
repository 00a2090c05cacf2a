package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"lightcone/memo"
	"lightcone/node"
)

// HistoryEntry is what one memo did to a row.
type HistoryEntry struct {
	Cursor     string      `json:"cursor" doc:"A history from it goes on behind this entry; good on this node"`
	ID         string      `json:"id" doc:"CID of the memo"`
	Author     string      `json:"author" doc:"Peer id"`
	Seq        uint64      `json:"seq" doc:"Place in the author's chain"`
	Time       uint64      `json:"time" doc:"Hybrid logical clock: 48 bits of milliseconds, 16 of counter"`
	Tombstone  bool        `json:"tombstone,omitempty" doc:"The row was deleted before the operations"`
	Operations []Operation `json:"operations" doc:"By field and type"`
	Causes     []Head      `json:"causes" doc:"Edits of the row that its author had seen: of each author the latest, without those that another one had seen"`
	Concurrent []Apart     `json:"concurrent,omitempty" doc:"Edits before it in the list that its author had not seen, nor their authors it"`
	VouchedBy  string      `json:"vouchedBy,omitempty" doc:"The memo is not held here: its state was adopted on the word of this peer, or, if that is this node, compacted"`
	Undecided  bool        `json:"undecided,omitempty" doc:"Links were not followed to the end: what is in concurrent may have been seen"`
}

// Operation is what a memo did to one field.
type Operation struct {
	Field   Name    `json:"field"`
	Type    string  `json:"type" enum:"register,multi,counter,set"`
	Value   *Value  `json:"value,omitempty" doc:"Written to a register or multi"`
	Deleted bool    `json:"deleted,omitempty" doc:"A register was deleted"`
	Plus    uint64  `json:"plus,omitempty" doc:"What the author added to a counter, in all"`
	Minus   uint64  `json:"minus,omitempty" doc:"What the author took from a counter, in all"`
	Add     []Value `json:"add,omitempty" doc:"Added to a set"`
	Removed int     `json:"removed,omitempty" doc:"How many values of a multi, or additions to a set, go"`
}

// Apart are edits of one author that another edit did not see.
type Apart struct {
	Head
	Edits int `json:"edits" doc:"How many, the named one being the latest"`
}

// HistoryEnd is the last line of a history.
type HistoryEnd struct {
	End    bool    `json:"end"`
	Edits  int     `json:"edits"`
	Next   string  `json:"next,omitempty"`
	Token  string  `json:"token"`
	Behind *Behind `json:"behind,omitempty"`
}

type historyInput struct {
	InSpace
	Asked
	Topic  string `query:"topic" required:"true"`
	Row    string `query:"row" doc:"The row's key"`
	Limit  int    `query:"limit" minimum:"0" doc:"At most so many entries; 0: all"`
	Cursor string `query:"cursor" doc:"Go on where a history with a limit stopped: next of its last line"`
}

func (s *service) registerHistory(api huma.API) {
	const space = "/v1/spaces/{space}"
	history := operation(http.MethodGet, space+"/history", "history", "What touched a row, causes first, one memo a line")
	history.Responses = map[string]*huma.Response{"200": {
		Description: `Lines of entries; the last line is {"end":true,"edits":N,"token":…}, with next when the limit left entries out, or {"error":…} when it failed half-way.`,
		Content:     map[string]*huma.MediaType{linesType: {}},
	}}
	huma.Register(api, history, s.history)
	huma.Register(api, operation(http.MethodGet, space+"/why", "why", "Why a row, or some fields of it, show what they show"), s.why)
}

func (s *service) history(ctx context.Context, in *historyInput) (*huma.StreamResponse, error) {
	x, err := s.session(ctx, in.Space, in.Asked)
	if err != nil {
		return nil, ProblemOf(err)
	}
	key, err := ParseName(in.Row)
	if err != nil {
		return nil, ProblemOf(err)
	}
	q := node.HistoryQuery{Limit: in.Limit}
	if q.After, err = node.ParseHistoryCursor(in.Cursor); err != nil {
		return nil, ProblemOf(err)
	}
	if q.Limit > 0 {
		q.Limit++ // one more tells whether there are more
	}
	l := &lines[node.HistoryEntry]{
		limit: in.Limit, line: func(e node.HistoryEntry) any { return entryOf(e) },
		cursor: func(e node.HistoryEntry) string { return e.Cursor.String() },
	}
	return l.respond(x.History(ctx, in.Topic, string(key), q), func(first node.HistoryEntry) (any, string) {
		end := HistoryEnd{End: true, Edits: l.sent, Next: l.next, Token: x.Token().String(), Behind: behindOf(first.Behind)}
		return end, end.Token
	})
}

func entryOf(e node.HistoryEntry) HistoryEntry {
	out := HistoryEntry{
		Cursor: e.Cursor.String(), ID: e.Memo.ID.String(), Author: e.Memo.Author.String(), Seq: e.Memo.Seq,
		Time: uint64(e.Time), Tombstone: e.Tombstone, Operations: []Operation{}, Causes: []Head{}, Undecided: e.Undecided,
	}
	if e.VouchedBy != (node.PeerID{}) {
		out.VouchedBy = e.VouchedBy.String()
	}
	for i := range e.Deltas {
		out.Operations = append(out.Operations, operationOf(&e.Deltas[i]))
	}
	for _, h := range e.Causes {
		out.Causes = append(out.Causes, headOf(h))
	}
	for _, a := range e.Concurrent {
		out.Concurrent = append(out.Concurrent, Apart{headOf(a.Last), a.Edits})
	}
	return out
}

func operationOf(d *memo.Delta) Operation {
	out := Operation{Field: Name(d.Field), Type: typeNames[d.Type]}
	switch o := d.Op.Operands.(type) {
	case *memo.Count:
		out.Plus, out.Minus = o.Plus, o.Minus
	case *memo.Change:
		for _, v := range o.Add {
			out.Add = append(out.Add, Value(v))
		}
		if d.Type == memo.Multi && len(o.Add) > 0 {
			out.Value, out.Add = &out.Add[0], nil
		}
		for _, r := range o.Remove {
			out.Removed += len(r.Ks)
		}
	default:
		if out.Deleted = !d.Op.Set; d.Op.Set {
			out.Value = (*Value)(&d.Op.Value)
		}
	}
	return out
}

// History calls each for what every memo did to a row, causes first, until it
// returns an error: at most limit of them when that is above 0, from a cursor on.
func (c *Client) History(ctx context.Context, space, topic, key string, limit int, cursor string, r Read,
	each func(HistoryEntry) error,
) (end HistoryEnd, err error) {
	q := rowValues(topic, key, r)
	if limit != 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	set(q, "cursor", cursor)
	err = c.lines(ctx, spacePath(space, "history"), q, &end, func(line []byte) error {
		var e HistoryEntry
		if err := json.Unmarshal(line, &e); err != nil {
			return fmt.Errorf("%w: a line of a history: %w", ErrNoAnswer, err)
		}
		return each(e)
	})
	return end, err
}
