package report

import (
	"encoding/json"
	"math"
)

// This file is how numbers that are none (0/0 of a run in which nothing happened) stand
// in the summary: JSON has neither NaN nor infinities, so they are null there, and NaN
// when they are read.

// jsonNumber is a float64 in JSON.
type jsonNumber float64

// MarshalJSON implements json.Marshaler.
func (x jsonNumber) MarshalJSON() ([]byte, error) {
	if !finite(float64(x)) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(x))
}

// UnmarshalJSON implements json.Unmarshaler.
func (x *jsonNumber) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*x = jsonNumber(math.NaN())
		return nil
	}
	return json.Unmarshal(data, (*float64)(x))
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

func toJSON(x []float64) []jsonNumber {
	if x == nil {
		return nil
	}
	out := make([]jsonNumber, len(x))
	for i, v := range x {
		out[i] = jsonNumber(v)
	}
	return out
}

func fromJSON(x []jsonNumber) []float64 {
	if x == nil {
		return nil
	}
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

// pointer is p, nil if that is no number.
func pointer(p *float64) *float64 {
	if p == nil || !finite(*p) {
		return nil
	}
	return p
}

type factJSON struct {
	Name   string
	Value  jsonNumber
	Unit   string   `json:",omitempty"`
	Theory *float64 `json:",omitempty"`
	Source string   `json:",omitempty"`
}

// MarshalJSON implements json.Marshaler.
func (f Fact) MarshalJSON() ([]byte, error) {
	return json.Marshal(factJSON{f.Name, jsonNumber(f.Value), f.Unit, pointer(f.Theory), f.Source})
}

// UnmarshalJSON implements json.Unmarshaler.
func (f *Fact) UnmarshalJSON(data []byte) error {
	var x factJSON
	err := json.Unmarshal(data, &x)
	*f = Fact{x.Name, float64(x.Value), x.Unit, x.Theory, x.Source}
	return err
}

type curveJSON struct {
	Name           string
	X, Y           []jsonNumber
	Theory, Points bool `json:",omitempty"`
}

// MarshalJSON implements json.Marshaler.
func (k Curve) MarshalJSON() ([]byte, error) {
	return json.Marshal(curveJSON{k.Name, toJSON(k.X), toJSON(k.Y), k.Theory, k.Points})
}

// UnmarshalJSON implements json.Unmarshaler.
func (k *Curve) UnmarshalJSON(data []byte) error {
	var x curveJSON
	err := json.Unmarshal(data, &x)
	*k = Curve{x.Name, fromJSON(x.X), fromJSON(x.Y), x.Theory, x.Points}
	return err
}
