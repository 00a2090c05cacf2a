package api

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"lightcone/memo"
)

// Fields are the named values of a row; JSON is an object of values.
type Fields map[string]memo.Value

// Name is a row's key or a field's name: any bytes. In JSON and in URLs one that
// is not UTF-8 is written as bytesMark and base64url, and so is one that starts
// with bytesMark itself, which makes the writing unambiguous.
type Name string

const bytesMark = "$bytes:"

// bytesKey is the member that tells bytes from text: {"$bytes": "base64"}.
const bytesKey = "$bytes"

// Escape returns the name as JSON and URLs show it.
func (n Name) Escape() string {
	if utf8.ValidString(string(n)) && !strings.HasPrefix(string(n), bytesMark) {
		return string(n)
	}
	return bytesMark + base64.RawURLEncoding.EncodeToString([]byte(n))
}

// ParseName reads what Escape wrote.
func ParseName(s string) (Name, error) {
	code, ok := strings.CutPrefix(s, bytesMark)
	if !ok {
		return Name(s), nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(code)
	if err != nil {
		return "", fmt.Errorf("%w: name %q: %w; what follows %s is base64url without padding",
			memo.ErrInvalid, s, err, bytesMark)
	}
	return Name(b), nil
}

// MarshalJSON implements json.Marshaler.
func (n Name) MarshalJSON() ([]byte, error) { return quote(n.Escape()) }

// UnmarshalJSON implements json.Unmarshaler.
func (n *Name) UnmarshalJSON(data []byte) error {
	s, err := unquote(data)
	if err != nil {
		return err
	}
	*n, err = ParseName(s)
	return err
}

// Schema describes a name in the OpenAPI document.
func (Name) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Type:        huma.TypeString,
		Description: "Text; bytes that are not UTF-8 as " + bytesMark + " and base64url.",
	}
}

// MarshalJSON implements json.Marshaler, with the names in ascending order.
func (f Fields) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for i, name := range slices.Sorted(maps.Keys(f)) {
		if i > 0 {
			out = append(out, ',')
		}
		key, err := Name(name).MarshalJSON()
		if err != nil {
			return nil, err
		}
		out = append(append(out, key...), ':')
		if out, err = appendValue(out, f[name]); err != nil {
			return nil, err
		}
	}
	return append(out, '}'), nil
}

// UnmarshalJSON implements json.Unmarshaler. It walks the members itself: a map
// would keep one of two that name the same field, and mend names that are not
// Unicode.
func (f *Fields) UnmarshalJSON(data []byte) error {
	got := Fields{}
	dec := json.NewDecoder(bytes.NewReader(data))
	first, err := dec.Token()
	if err != nil {
		return err
	}
	if first != nil && first != json.Delim('{') {
		return fmt.Errorf("%w: fields are an object of values by name", memo.ErrBadValue)
	}
	for first != nil && dec.More() {
		if err := got.member(data, dec); err != nil {
			return err
		}
	}
	*f = got
	return nil
}

// member reads the next member of the object in data, at which dec stands.
func (f Fields) member(data []byte, dec *json.Decoder) error {
	from := dec.InputOffset()
	if _, err := dec.Token(); err != nil {
		return err
	}
	key := data[from:dec.InputOffset()]
	var name Name
	if err := name.UnmarshalJSON(bytes.TrimLeft(key, ", \t\r\n")); err != nil {
		return err
	}
	if _, twice := f[string(name)]; twice {
		return fmt.Errorf("%w: field %q is there twice", memo.ErrBadValue, name)
	}
	var text json.RawMessage
	if err := dec.Decode(&text); err != nil {
		return err
	}
	v, err := parseValue(text)
	if err != nil {
		return fmt.Errorf("field %q: %w", name, err)
	}
	f[string(name)] = v
	return nil
}

// Schema describes fields in the OpenAPI document.
func (Fields) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Type:                 huma.TypeObject,
		AdditionalProperties: true,
		Description: "Values by field name: null, bool, int64, float64 (with a '.' or an exponent), " +
			`text, or bytes as {"` + bytesKey + `":"base64"}.`,
	}
}

// appendValue appends v as JSON from which parseValue returns the same v.
func appendValue(out []byte, v memo.Value) ([]byte, error) {
	switch v.Kind() {
	case memo.BoolValue:
		return strconv.AppendBool(out, v.Bool()), nil
	case memo.IntValue:
		return strconv.AppendInt(out, v.Int(), 10), nil
	case memo.FloatValue:
		return append(out, FormatFloat(v.Float())...), nil
	case memo.TextValue:
		q, err := quote(v.Text())
		return append(out, q...), err
	case memo.BytesValue:
		out = append(out, `{"`+bytesKey+`":"`...)
		out = base64.StdEncoding.AppendEncode(out, v.Bytes())
		return append(out, `"}`...), nil
	default:
		return append(out, "null"...), nil
	}
}

// FormatFloat writes f shortest and exact, always with a '.' or an exponent, so
// that it never reads as an integer.
func FormatFloat(f float64) string {
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return s
}

func parseValue(data []byte) (memo.Value, error) {
	data = bytes.TrimSpace(data)
	if len(data) == 0 {
		return memo.Value{}, fmt.Errorf("%w: no value", memo.ErrBadValue)
	}
	switch data[0] {
	case 'n':
		return memo.Null(), nil
	case 't', 'f':
		return memo.Bool(data[0] == 't'), nil
	case '"':
		s, err := unquote(data)
		if err != nil {
			return memo.Value{}, err
		}
		return memo.Text(s)
	case '{':
		return parseBytes(data)
	case '[':
		return memo.Value{}, fmt.Errorf("%w: a field holds one value, no list", memo.ErrBadValue)
	default:
		return ParseNumber(string(data))
	}
}

// ParseNumber reads an int64, or a float64 when the text has a '.' or an exponent.
func ParseNumber(s string) (memo.Value, error) {
	if strings.ContainsAny(s, ".eE") {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return memo.Value{}, fmt.Errorf("%w: %s is no finite float64", memo.ErrBadValue, s)
		}
		return memo.Float(f)
	}
	i, err := strconv.ParseInt(s, 10, 64)
	if errors.Is(err, strconv.ErrRange) {
		return memo.Value{}, fmt.Errorf("%w: %s is no int64; write it with a '.' as a float, or as text", memo.ErrBadValue, s)
	}
	if err != nil {
		return memo.Value{}, fmt.Errorf("%w: %s is no number", memo.ErrBadValue, s)
	}
	return memo.Int(i), nil
}

func parseBytes(data []byte) (memo.Value, error) {
	var m map[string]*string // null is no text
	if err := json.Unmarshal(data, &m); err != nil || len(m) != 1 {
		return memo.Value{}, fmt.Errorf(`%w: the only object a field holds is {"%s":"base64"}`, memo.ErrBadValue, bytesKey)
	}
	code := m[bytesKey]
	if code == nil {
		return memo.Value{}, fmt.Errorf(`%w: the only object a field holds is {"%s":"base64"}`, memo.ErrBadValue, bytesKey)
	}
	b, err := base64.StdEncoding.Strict().DecodeString(*code)
	if err != nil {
		return memo.Value{}, fmt.Errorf("%w: bytes: %w; use standard base64 with padding", memo.ErrBadValue, err)
	}
	return memo.Blob(b), nil
}

// quote writes a JSON string without escaping what only HTML needs escaped.
func quote(s string) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(s)
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'}), err
}

// unquote reads a JSON string. encoding/json silently replaces what is not
// Unicode; here that is an error, since the text would not come back.
func unquote(data []byte) (string, error) {
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return "", err
	}
	const replaced = string(utf8.RuneError)
	meant := bytes.Contains(data, []byte(replaced)) || bytes.Contains(bytes.ToLower(data), []byte(`\ufffd`))
	if !utf8.Valid(data) || (strings.Contains(s, replaced) && !meant) {
		return "", fmt.Errorf("%w: text is not Unicode; send it as bytes", memo.ErrBadValue)
	}
	return s, nil
}
