package api

import (
	"encoding/json"
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"lightcone/memo"
)

// values draws every kind of value, with what is hard to write among them.
var values = rapid.OneOf(
	rapid.Just(memo.Null()),
	rapid.Map(rapid.Bool(), memo.Bool),
	rapid.Map(rapid.Int64(), memo.Int),
	rapid.Map(rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{0, math.Copysign(0, -1), 1, 1e21, 5e-324, math.MaxFloat64})), mustFloat),
	rapid.Map(rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "<&>", "\u2028", "\ufffd", "$bytes:"})), mustText),
	rapid.Map(rapid.SliceOf(rapid.Byte()), memo.Blob),
)

func mustFloat(f float64) memo.Value {
	v, err := memo.Float(f)
	if err != nil {
		panic(err) // rapid draws finite floats
	}
	return v
}

func mustText(s string) memo.Value {
	v, err := memo.Text(s)
	if err != nil {
		panic(err) // rapid draws UTF-8
	}
	return v
}

// Whatever a row holds comes back from JSON as it was, names of any bytes too.
func TestFieldsRoundTrip(t *testing.T) {
	names := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }))
	rapid.Check(t, func(t *rapid.T) {
		want := Fields(rapid.MapOf(names, values).Draw(t, "fields"))
		data, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got Fields
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b memo.Value) bool { return a == b })); diff != "" {
			t.Fatalf("%s, - wanted + got:\n%s", data, diff)
		}
	})
}

func TestNameRoundTrip(t *testing.T) {
	for _, name := range []string{"", "00M", "a/b", "\xff\x00", "$bytes:", "$bytes:_wA", "ü"} {
		got, err := ParseName(Name(name).Escape())
		if err != nil || string(got) != name {
			t.Errorf("%q became %q, then %q, %v", name, Name(name).Escape(), got, err)
		}
	}
	if n := Name("ü").Escape(); n != "ü" {
		t.Errorf("a readable name is shown as %q", n)
	}
	if _, err := ParseName("$bytes:?"); !errors.Is(err, memo.ErrInvalid) {
		t.Errorf("a name that does not decode: got %v, want ErrInvalid", err)
	}
}

func TestBadValues(t *testing.T) {
	for _, text := range []string{
		`9223372036854775808`, `-9223372036854775809`, `1e400`, `[1]`, `{}`, `{"a":1}`,
		`{"$bytes":"?"}`, `{"$bytes":null}`, `{"$bytes":"aGk=","more":"x"}`, `"\ud800"`, "\"\xff\"",
	} {
		var f Fields
		if err := json.Unmarshal([]byte(`{"x":`+text+`}`), &f); !errors.Is(err, memo.ErrBadValue) {
			t.Errorf("%s: got %v, %v; want ErrBadValue", text, f, err)
		}
	}
}

// Names are as strict as values: each field once, under a name that comes back.
func TestBadFields(t *testing.T) {
	for _, text := range []string{
		`{"a":1,"a":2}`, `{"a":1,"$bytes:YQ":2}`, `{"\ud800":1}`, `[]`, `1`, `"a"`,
	} {
		f := Fields{"kept": memo.Null()}
		if err := json.Unmarshal([]byte(text), &f); !errors.Is(err, memo.ErrBadValue) || len(f) != 1 {
			t.Errorf("%s: got %v, %v; want ErrBadValue", text, f, err)
		}
	}
	f := Fields{}
	if err := json.Unmarshal([]byte(" { \"a\" : 1 ,\n\"b\":{ \"$bytes\" : \"AA==\" } } "), &f); err != nil || len(f) != 2 {
		t.Errorf("blanks between members: %v, %v", f, err)
	}
}
