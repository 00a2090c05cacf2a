package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	causal "lightcone/context"
	"lightcone/memo"
	"lightcone/merge"
	"lightcone/node"
)

// Row is a row as one view shows it.
type Row struct {
	Topic      string  `json:"topic"`
	Key        Name    `json:"key"`
	Fields     Fields  `json:"fields" doc:"Registers; counters as integers; of multis the last value written"`
	Cells      []Cell  `json:"cells,omitempty" doc:"More of fields that are no registers: multis, counters and sets"`
	Provenance []Stamp `json:"provenance,omitempty" doc:"The memos behind the row; a scan leaves them out"`
	Token      string  `json:"token,omitempty" doc:"Context token: what the session has seen now; a scan has it in its last line"`
	VouchedBy  string  `json:"vouchedBy,omitempty" doc:"The peer whose word the row is, in part or all: the memos behind it are not all here"`
	Behind     *Behind `json:"behind,omitempty" doc:"What the view lacked, with stale=return or mode=local; a scan has it in its last line"`
}

// Stamp names a memo and its time.
type Stamp struct {
	Head
	Time uint64 `json:"time" doc:"Hybrid logical clock: 48 bits of milliseconds, 16 of counter"`
}

// Context is a query context, written down.
type Context struct {
	Token   string   `json:"token" doc:"It in short; few heads are named without a root"`
	Root    string   `json:"root,omitempty" doc:"The root that holds what is folded"`
	Below   uint64   `json:"below" doc:"How many memos the root covers"`
	Heads   []Head   `json:"heads" doc:"The loose heads beyond the root, one an author"`
	Authors []string `json:"authors" doc:"Peer ids of those who wrote what the context names, of at most 1024"`
}

func (s *service) registerReads(api huma.API) {
	const space = "/v1/spaces/{space}"
	huma.Register(api, operation(http.MethodGet, space+"/row", "row", "One row"), s.row)
	huma.Register(api, operation(http.MethodGet, space+"/context", "context", "What the node has of the space, or what the tokens of the request name together"), s.context)
	huma.Register(api, operation(http.MethodGet, space+"/count", "count", "How many rows a scan would show"), s.count)
	scan := operation(http.MethodGet, space+"/scan", "scan", "Rows in order of their keys, one a line")
	scan.Responses = map[string]*huma.Response{"200": {
		Description: `Lines of rows; the last line is {"end":true,"rows":N,"token":…}, with next when the limit left rows out, or {"error":…} when the scan failed half-way.`,
		Content:     map[string]*huma.MediaType{linesType: {}},
	}}
	huma.Register(api, scan, s.scan)
}

type rowInput struct {
	InSpace
	Asked
	Topic string   `query:"topic" required:"true"`
	Row   string   `query:"row" doc:"The row's key"`
	Field []string `query:"field,explode" doc:"Only these fields"`
}

func (s *service) row(ctx context.Context, in *rowInput) (*known[Row], error) {
	x, err := s.session(ctx, in.Space, in.Asked)
	if err != nil {
		return nil, ProblemOf(err)
	}
	key, err := ParseName(in.Row)
	if err != nil {
		return nil, ProblemOf(err)
	}
	r, err := x.Get(ctx, in.Topic, string(key))
	if err == nil && len(in.Field) > 0 {
		r, err = selected(r, in.Field)
	}
	if err != nil {
		return nil, refused(err, x)
	}
	out := rowOf(r)
	out.Behind = behindOf(r.Behind)
	for _, st := range r.Provenance {
		out.Provenance = append(out.Provenance, stampOf(st))
	}
	out.Token = x.Token().String()
	return &known[Row]{Context: out.Token, Body: out}, nil
}

// rowOf shows a row as a scan does.
func rowOf(r node.Row) Row {
	out := Row{Topic: r.Topic, Key: Name(r.Key), Fields: Fields(r.Fields), Cells: cellsOf(r)}
	if r.VouchedBy != (node.PeerID{}) {
		out.VouchedBy = r.VouchedBy.String()
	}
	return out
}

// selected returns r with the named fields that exist, or ErrNotFound when none does.
func selected(r node.Row, names []string) (node.Row, error) {
	fields, cells := node.Fields{}, map[string]node.Cell{}
	for _, text := range names {
		name, err := ParseName(text)
		if err != nil {
			return r, err
		}
		if v, ok := r.Fields[string(name)]; ok {
			fields[string(name)] = v
		}
		if c, ok := r.Cells[string(name)]; ok {
			cells[string(name)] = c
		}
	}
	if len(fields)+len(cells) == 0 {
		return r, fmt.Errorf("%s/%s, field %s: %w", r.Topic, r.Key, strings.Join(names, ", "), node.ErrNotFound)
	}
	r.Fields, r.Cells = fields, cells
	return r, nil
}

func stampOf(st merge.Stamp) Stamp {
	return Stamp{
		Head: Head{Author: st.Author.String(), Seq: st.Seq, Digest: st.ID.String()}, Time: uint64(st.Time),
	}
}

// headOf shows what is known of a memo; see Head.
func headOf(h memo.Head) Head {
	out := Head{Author: h.Author.String(), Seq: h.Seq, Digest: h.ID.String()}
	if [24]byte(h.Author[8:]) == [24]byte{} {
		out.Author = fmt.Sprintf("%x", h.Author[:8])
	}
	if [24]byte(h.ID[8:]) == [24]byte{} {
		out.Digest = fmt.Sprintf("%x", h.ID[:8])
	}
	return out
}

type contextInput struct {
	InSpace
	Asked
	Root bool `query:"root" doc:"A token that names the root of it, to read the state of now later on: at=TOKEN"`
}

// context answers with what the request's tokens name together, or, without any,
// with all that the node has.
func (s *service) context(ctx context.Context, in *contextInput) (*known[Context], error) {
	sp, err := s.node.OpenSpace(in.Space)
	if err != nil {
		return nil, ProblemOf(err)
	}
	x, err := s.session(ctx, in.Space, in.Asked)
	if err != nil {
		return nil, ProblemOf(err)
	}
	out := Context{Heads: []Head{}, Authors: []string{}}
	switch asked := len(split(in.Context, in.At, in.Header)) > 0; {
	case in.Root:
		t, err := x.ExactToken(ctx)
		if err != nil {
			return nil, ProblemOf(err)
		}
		out.Token = t.String()
	case asked:
		if err := x.View(ctx, func(*node.Tx) error { return nil }); err != nil {
			return nil, ProblemOf(err)
		}
	default:
		x.See(sp.Context())
	}
	if out.Token == "" {
		out.Token = x.Token().String()
	}
	out.describe(x.Context())
	return &known[Context]{Context: out.Token, Body: out}, nil
}

// describe fills in what a context holds.
func (c *Context) describe(qc causal.Context) {
	if !qc.Root.IsZero() {
		c.Root = qc.Root.String()
	}
	for m := range qc.Below.All() {
		c.Below += m.Seq
	}
	for _, h := range qc.Loose {
		c.Heads = append(c.Heads, headOf(h))
	}
	for h := range qc.Heads() {
		if len(c.Authors) == maxAuthors {
			return
		}
		c.Authors = append(c.Authors, h.Author.String())
	}
}

// rangeInput selects rows.
type rangeInput struct {
	InSpace
	Asked
	Keys
	Reverse bool   `query:"reverse" doc:"In descending order"`
	Cursor  string `query:"cursor" doc:"Go on where a scan with a limit stopped: next of its last line"`
}

func (in *rangeInput) query() (node.Query, error) {
	q, err := in.Keys.query()
	if err == nil {
		q.Reverse = in.Reverse
		q.After, err = node.ParseScanCursor(in.Cursor)
	}
	return q, err
}

// Keys are the parameters that select rows. It is exported for huma, like Asked.
type Keys struct {
	Topic  string `query:"topic" doc:"All topics when empty"`
	Prefix string `query:"prefix" doc:"Keys that start with it"`
	From   string `query:"from" doc:"First key"`
	To     string `query:"to" doc:"End of keys, exclusive"`
	Limit  int    `query:"limit" minimum:"0" doc:"At most so many rows; 0: all"`
}

func (in *Keys) query() (node.Query, error) {
	q := node.Query{Topic: in.Topic, Limit: in.Limit}
	for _, part := range []struct {
		text string
		to   *string
	}{{in.Prefix, &q.Prefix}, {in.From, &q.From}, {in.To, &q.To}} {
		name, err := ParseName(part.text)
		if err != nil {
			return node.Query{}, err
		}
		*part.to = string(name)
	}
	if q.Topic == "" && q.Prefix+q.From+q.To != "" {
		return node.Query{}, fmt.Errorf("%w: a prefix or bound of keys needs a topic; name it", memo.ErrInvalid)
	}
	return q, nil
}

// Count is how many rows a scan would show.
type Count struct {
	Rows   int     `json:"rows"`
	Token  string  `json:"token"`
	Behind *Behind `json:"behind,omitempty" doc:"What the view lacked, with stale=return"`
}

func (s *service) count(ctx context.Context, in *rangeInput) (*known[Count], error) {
	x, q, err := s.ranging(ctx, in.Space, in.Asked, in.query)
	if err != nil {
		return nil, err
	}
	var out Count
	for r, err := range x.Scan(ctx, q) {
		if err != nil {
			return nil, ProblemOf(err)
		}
		if out.Rows++; out.Rows == 1 {
			out.Behind = behindOf(r.Behind)
		}
	}
	out.Token = x.Token().String()
	return &known[Count]{Context: out.Token, Body: out}, nil
}
