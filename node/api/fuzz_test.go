package api

import (
	"bytes"
	"encoding/json"
	"maps"
	"testing"
	"unicode/utf8"

	"lightcone/memo"
)

// FuzzFields: JSON has many spellings, so what is accepted need not come back as it
// was sent; but it has one meaning: every member became a field, and written down
// it reads as the same fields, and is written the same again.
func FuzzFields(f *testing.F) {
	for _, s := range []string{
		`{}`, `null`, `{"a":null,"b":true,"c":-0,"d":1.0,"e":"\ud83d\ude00","f":{"$bytes":"3q2+7w=="}}`,
		`{"":1,"$bytes:_w":9223372036854775807,"$bytes:JGJ5dGVzOg":1e300}`,
		`{"a":1,"$bytes:YQ":2}`, `{"a":1,"a":2}`, `{"\ud800":1}`, `{"f":{"$bytes":null}}`, `{"f":{"$bytes":"","$bytes":"AA=="}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var got Fields
		if json.Unmarshal(data, &got) != nil {
			return
		}
		if n := members(t, data); n != len(got) {
			t.Fatalf("%s has %d members, which became %d fields", data, n, len(got))
		}
		written, err := json.Marshal(got)
		if err != nil {
			t.Fatalf("%s was accepted and cannot be written: %v", data, err)
		}
		var again Fields
		if err := json.Unmarshal(written, &again); err != nil || !maps.Equal(got, again) {
			t.Fatalf("%s, written as %s, reads differently (%v)", data, written, err)
		}
		if twice, err := json.Marshal(again); err != nil || !bytes.Equal(twice, written) {
			t.Fatalf("%s is written as %s and as %s (%v)", data, written, twice, err)
		}
		for name, v := range got {
			if v.Kind() == memo.TextValue && !utf8.ValidString(v.Text()) {
				t.Fatalf("%s: field %q is no text", data, name)
			}
		}
	})
}

// members counts the members of an object, repeated ones as often as they are there.
func members(t *testing.T, data []byte) (n int) {
	dec := json.NewDecoder(bytes.NewReader(data))
	if first, err := dec.Token(); err != nil || first == nil {
		return 0 // null
	}
	for ; dec.More(); n++ {
		var value json.RawMessage
		if _, err := dec.Token(); err != nil || dec.Decode(&value) != nil {
			t.Fatalf("%s was accepted and is not JSON", data)
		}
	}
	return n
}
