package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"lightcone/memo"
	"lightcone/node/api"
)

// someRows draws rows of one topic, ascending by key, with fields of few names so
// that they meet, and values that are awkward to write down.
// With odd, there are keys and names that are not UTF-8.
func someRows(odd bool) *rapid.Generator[[]api.Row] {
	text := rapid.SampledFrom([]string{"", "a", "b", `"`, ",", "x\ny", " a ", "é", "0x00", "key", "$bytes:AA"})
	value := rapid.OneOf(
		rapid.Map(text, func(s string) memo.Value { v, _ := memo.Text(s); return v }),
		rapid.Map(rapid.Int64(), memo.Int),
		rapid.Map(rapid.Bool(), memo.Bool),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 4), memo.Blob),
		rapid.Just(memo.Null()),
		rapid.Map(rapid.Float64Range(-1e300, 1e300), func(f float64) memo.Value { v, _ := memo.Float(f); return v }),
	)
	names, keys := []string{"key", "_key", "a", "b", "a,b", "$bytes:_w"}, []string{"a", "b", "key", "é,\"", "$bytes:_w"}
	if odd {
		names, keys = append(names, "", "\xff"), append(keys, "", "\xfe")
	}
	name := rapid.SampledFrom(names)
	return rapid.Custom(func(t *rapid.T) []api.Row {
		rows := map[string]api.Fields{}
		for range rapid.IntRange(0, 5).Draw(t, "rows") {
			key := rapid.SampledFrom(keys).Draw(t, "key")
			rows[key] = rapid.MapOfN(name, value, 1, 4).Draw(t, "fields")
		}
		var out []api.Row
		for _, key := range sortedKeys(rows) {
			out = append(out, api.Row{Topic: "t", Key: api.Name(key), Fields: rows[key]})
		}
		return out
	})
}

// imports reads all rows of a source.
func imports(t *rapid.T, src rowSource, err error) []api.Row {
	var out []api.Row
	for err == nil {
		var r importRow
		if r, err = src.next(); err == nil {
			out = append(out, api.Row{Topic: "t", Key: api.Name(r.key), Fields: r.fields})
		}
	}
	if !errors.Is(err, io.EOF) {
		t.Fatalf("import: %v", err)
	}
	slices.SortFunc(out, func(a, b api.Row) int { return strings.Compare(string(a.Key), string(b.Key)) })
	return out
}

func exportOf(t *rapid.T, rows []api.Row) string {
	var out bytes.Buffer
	a := &app{stderr: io.Discard}
	err := a.exportCSV(&out, func(each func(api.Row) error) error {
		for _, r := range rows {
			if err := each(r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatalf("export: %v", err)
	}
	return out.String()
}

// Once rows are what CSV can say, export, import and export again change nothing.
func TestCSVRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first := exportOf(t, someRows(false).Draw(t, "rows"))
		src, err := openCSV("first", strings.NewReader(first), "")
		if second := exportOf(t, imports(t, src, err)); second != first {
			t.Fatalf("first\n%s\nsecond\n%s", first, second)
		}
	})
}

// What CSV cannot name is refused, not renamed.
func TestCSVRefusesBytes(t *testing.T) {
	v := memo.Int(1)
	for _, row := range []api.Row{
		{Topic: "t", Key: "\xff", Fields: api.Fields{"a": v}},
		{Topic: "t", Key: "", Fields: api.Fields{"a": v}},
		{Topic: "t", Key: "k", Fields: api.Fields{"\xff": v}},
		{Topic: "t", Key: "k", Fields: api.Fields{"": v}},
	} {
		err := new(app).exportCSV(io.Discard, func(each func(api.Row) error) error { return each(row) })
		if err == nil || !strings.HasSuffix(err.Error(), "; use --format jsonl") {
			t.Errorf("%q: %v", row.Key, err)
		}
	}
}

// JSONL says everything: what is imported is what was exported.
func TestJSONLRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := someRows(true).Draw(t, "rows")
		var file bytes.Buffer
		for _, r := range rows {
			if err := json.NewEncoder(&file).Encode(lineOf(r)); err != nil {
				t.Fatal(err)
			}
		}
		back := imports(t, openJSONL("file", &file, "", ""), nil)
		want, _ := json.Marshal(rows)
		got, _ := json.Marshal(back)
		if len(back) != len(rows) || len(rows) > 0 && !bytes.Equal(got, want) {
			t.Fatalf("wrote\n%s\nread\n%s", want, got)
		}
	})
}
