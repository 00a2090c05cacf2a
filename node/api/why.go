package api

import (
	"context"
	"net/http"
	"net/url"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/node"
)

// Explanation says why a row shows what it shows.
type Explanation struct {
	Topic     string     `json:"topic"`
	Key       Name       `json:"key"`
	Tombstone *Stamp     `json:"tombstone,omitempty" doc:"The last deletion of the row"`
	Fields    []FieldWhy `json:"fields"`
	Token     string     `json:"token" doc:"Context token: what the session has seen now"`
	Behind    *Behind    `json:"behind,omitempty" doc:"What the view lacked, with stale=return"`
}

// FieldWhy says why a field shows what it shows.
type FieldWhy struct {
	Field    Name     `json:"field"`
	Type     string   `json:"type" enum:"register,multi,counter,set"`
	Others   []string `json:"others,omitempty" doc:"Types of cells of the same field that were written earlier and are not shown"`
	Rule     string   `json:"rule" enum:"greatest stamp,row tombstone,sum of all authors,add wins,concurrent values kept"`
	Live     bool     `json:"live" doc:"The field has a value"`
	Value    *Value   `json:"value,omitempty" doc:"What is shown; of a set see elements"`
	Elements []Value  `json:"elements,omitempty" doc:"Of a set, ascending"`
	From     []Source `json:"from" doc:"The memos behind it; when nothing is shown, the one that took it away"`
	Lost     []Lost   `json:"lost" doc:"Edits that nothing is left of, in the order they attached here"`
	More     int      `json:"more,omitempty" doc:"Edits that lost too, and are not listed"`
}

// Source is a memo behind a value, and its share.
type Source struct {
	Stamp
	Value *Value `json:"value,omitempty" doc:"Of a register, or one of a multi or set"`
	Plus  uint64 `json:"plus,omitempty" doc:"Of a counter: added by the author in all"`
	Minus uint64 `json:"minus,omitempty" doc:"Of a counter: taken away by the author in all"`

	VouchedBy string `json:"vouchedBy,omitempty" doc:"The memo is not held here: its state was adopted on the word of this peer, or, if that is this node, compacted"`
}

// Lost is an edit that lost.
type Lost struct {
	Stamp
	Operation *Operation `json:"operation,omitempty" doc:"What it did to the field; none for a deletion of the row"`
	To        *Stamp     `json:"to,omitempty" doc:"What beat it"`
	Order     string     `json:"order" enum:"before,concurrent,after,unknown" doc:"How it relates to what beat it, by links alone"`
}

func (s *service) why(ctx context.Context, in *rowInput) (*known[Explanation], error) {
	x, err := s.session(ctx, in.Space, in.Asked)
	if err != nil {
		return nil, ProblemOf(err)
	}
	names := make([]string, 0, 1+len(in.Field))
	for _, text := range append([]string{in.Row}, in.Field...) {
		name, err := ParseName(text)
		if err != nil {
			return nil, ProblemOf(err)
		}
		names = append(names, string(name))
	}
	e, err := x.Why(ctx, in.Topic, names[0], names[1:]...)
	if err != nil {
		return nil, refused(err, x)
	}
	out := Explanation{
		Topic: e.Topic, Key: Name(e.Key), Tombstone: stampOrNil(e.Tombstone), Fields: []FieldWhy{},
		Token: x.Token().String(), Behind: behindOf(e.Behind),
	}
	for i := range e.Fields {
		out.Fields = append(out.Fields, fieldWhyOf(&e.Fields[i]))
	}
	return &known[Explanation]{Context: out.Token, Body: out}, nil
}

func fieldWhyOf(f *node.FieldWhy) FieldWhy {
	out := FieldWhy{
		Field: Name(f.Field), Type: typeNames[f.Type], Rule: string(f.Rule), Live: f.Live,
		From: []Source{}, Lost: []Lost{}, More: f.More,
	}
	if f.Live && f.Type != memo.Set {
		out.Value = (*Value)(&f.Value)
	}
	for _, v := range f.Elements {
		out.Elements = append(out.Elements, Value(v))
	}
	for _, t := range f.Others {
		out.Others = append(out.Others, typeNames[t])
	}
	for i := range f.From {
		from := &f.From[i]
		source := Source{Stamp: stampOf(from.Stamp), Plus: from.Plus, Minus: from.Minus}
		if f.Live && f.Type != memo.Counter {
			source.Value = (*Value)(&from.Value)
		}
		if from.VouchedBy != (node.PeerID{}) {
			source.VouchedBy = from.VouchedBy.String()
		}
		out.From = append(out.From, source)
	}
	for _, l := range f.Lost {
		lost := Lost{Stamp: stampOf(l.Stamp), To: stampOrNil(l.To), Order: string(l.Order)}
		if l.Delta != nil {
			op := operationOf(l.Delta)
			lost.Operation = &op
		}
		out.Lost = append(out.Lost, lost)
	}
	return out
}

func stampOrNil(s merge.Stamp) *Stamp {
	if s.IsZero() {
		return nil
	}
	out := stampOf(s)
	return &out
}

// Why explains a row, or only the named fields of it.
func (c *Client) Why(ctx context.Context, space, topic, key string, fields []string, r Read) (e Explanation, err error) {
	q := rowValues(topic, key, r)
	for _, f := range fields {
		q.Add("field", Name(f).Escape())
	}
	return e, c.call(ctx, http.MethodGet, spacePath(space, "why"), q, nil, &e)
}

// rowValues are the parameters that name a row.
func rowValues(topic, key string, r Read) url.Values {
	q := r.values()
	q.Set("topic", topic)
	set(q, "row", Name(key).Escape())
	return q
}
