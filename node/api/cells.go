package api

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"lightcone/memo"
	"lightcone/node"
)

// Cell tells more of a field that is no register, or has cells of several types.
type Cell struct {
	Field    Name         `json:"field"`
	Type     string       `json:"type" enum:"register,multi,counter,set"`
	Values   []Concurrent `json:"values,omitempty" doc:"Of a multi, the last one written first. More than one were written concurrently: write the right one to resolve them"`
	Elements []Value      `json:"elements,omitempty" doc:"Of a set, ascending"`
	Others   []string     `json:"others,omitempty" doc:"Types of cells of the same field that were written earlier and are not shown"`
}

// Concurrent is one value of a multi and the memo that wrote it.
type Concurrent struct {
	Value Value `json:"value"`
	Stamp
}

// Increment adds to a counter.
type Increment struct {
	Field Name  `json:"field"`
	By    int64 `json:"by"`
}

// SetChange adds elements to a set and removes others; what is in both is added.
type SetChange struct {
	Field  Name    `json:"field"`
	Add    []Value `json:"add,omitempty"`
	Remove []Value `json:"remove,omitempty"`
}

// Value is a value as Fields write it.
type Value memo.Value

// MarshalJSON implements json.Marshaler.
func (v Value) MarshalJSON() ([]byte, error) { return appendValue(nil, memo.Value(v)) }

// UnmarshalJSON implements json.Unmarshaler.
func (v *Value) UnmarshalJSON(data []byte) error {
	got, err := parseValue(data)
	if err != nil {
		return err
	}
	*v = Value(got)
	return nil
}

// Schema describes a value in the OpenAPI document.
func (Value) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Description: "null, bool, int64, float64 (with a '.' or an exponent), text, or bytes as " +
		`{"` + bytesKey + `":"base64"}.`}
}

// typeNames are the cell types as the API shows them.
var typeNames = map[memo.CellType]string{
	memo.Register: "register", memo.Multi: "multi", memo.Counter: "counter", memo.Set: "set",
}

// cellsOf shows the cells of r by field.
func cellsOf(r node.Row) []Cell {
	out := make([]Cell, 0, len(r.Cells))
	for field, c := range r.Cells {
		shown := Cell{Field: Name(field), Type: typeNames[c.Type]}
		for _, v := range c.Values {
			shown.Values = append(shown.Values, Concurrent{Value: Value(v.Value), Stamp: stampOf(v.Stamp)})
		}
		for _, e := range c.Elements {
			shown.Elements = append(shown.Elements, Value(e))
		}
		for _, t := range c.Others {
			shown.Others = append(shown.Others, typeNames[t])
		}
		out = append(out, shown)
	}
	slices.SortFunc(out, func(a, b Cell) int { return cmp.Compare(a.Field, b.Field) })
	return out
}

// applyCells writes what e says of cells beside registers.
func (e *Edit) applyCells(tx *node.Tx) error {
	row := string(e.Row)
	if len(e.Multis) > 0 {
		if err := tx.PutMulti(e.Topic, row, node.Fields(e.Multis)); err != nil {
			return err
		}
	}
	for _, i := range e.Add {
		if err := tx.Add(e.Topic, row, string(i.Field), i.By); err != nil {
			return err
		}
	}
	for _, s := range e.Sets {
		if len(s.Add)+len(s.Remove) == 0 {
			return fmt.Errorf("edit of %s/%s: %w: set %q is not changed; name elements", e.Topic, row, memo.ErrInvalid, s.Field)
		}
		if err := tx.Change(e.Topic, row, string(s.Field), plainValues(s.Add), plainValues(s.Remove)); err != nil {
			return err
		}
	}
	return nil
}

func plainValues(vs []Value) []memo.Value {
	out := make([]memo.Value, len(vs))
	for i, v := range vs {
		out[i] = memo.Value(v)
	}
	return out
}
