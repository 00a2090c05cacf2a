package main

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"lightcone/memo"
	"lightcone/node/api"
)

// exportCSV writes the rows of a scan under the union of their fields. That is
// known only at the end of the scan, and a second one would show another view:
// so the rows wait in a temporary file, and memory holds the columns alone.
func (a *app) exportCSV(out io.Writer, scan func(each func(api.Row) error) error) (err error) {
	spool, err := os.CreateTemp("", "lightcone-export-")
	if err != nil {
		return fmt.Errorf("%w; point TMPDIR at a directory that can be written", err)
	}
	defer func() { err = errors.Join(err, spool.Close(), os.Remove(spool.Name())) }()
	cols := columns{fields: map[string]bool{}}
	buf := bufio.NewWriter(spool)
	enc := json.NewEncoder(buf)
	if err := scan(func(row api.Row) error {
		if err := cols.add(row); err != nil {
			return err
		}
		return enc.Encode(lineOf(row))
	}); err != nil {
		return err
	}
	if err := buf.Flush(); err != nil {
		return err
	}
	if _, err := spool.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if cols.lossy {
		a.say("note: CSV knows text only; export --format jsonl keeps numbers, bytes, null and line ends as they are")
	}
	return cols.write(out, json.NewDecoder(bufio.NewReader(spool)))
}

// columns gathers what a CSV file of some rows needs.
type columns struct {
	fields map[string]bool // of any row; true: in every row so far its text is the row's key
	rows   int
	lossy  bool // a value is not text, or text that a reader of CSV changes
}

func (c *columns) add(row api.Row) error {
	if row.Key == "" || !utf8.ValidString(string(row.Key)) {
		return fmt.Errorf("cannot export %s/%q as CSV: its key is no text; use --format jsonl", row.Topic, row.Key)
	}
	for name, v := range row.Fields {
		if strings.TrimSpace(name) == "" || !utf8.ValidString(name) {
			return fmt.Errorf("cannot export %s/%s as CSV: the name of its field %q is no text; use --format jsonl", row.Topic, row.Key, name)
		}
		isKey, known := c.fields[name]
		text, exact := cell(v)
		c.fields[name] = (isKey || !known && c.rows == 0) && text == string(row.Key)
		c.lossy = c.lossy || !exact
	}
	for name, isKey := range c.fields {
		if _, ok := row.Fields[name]; isKey && !ok {
			c.fields[name] = false
		}
	}
	c.rows++
	return nil
}

// cell writes a value as CSV does, and tells whether import reads the same.
func cell(v memo.Value) (text string, exact bool) {
	switch v.Kind() {
	case memo.TextValue:
		return v.Text(), !strings.Contains(v.Text(), "\r\n")
	case memo.NullValue:
		return "", false
	default:
		return show(v), false
	}
}

// order returns the names of the columns, the key's first, and the fields after
// it: a field that is the key everywhere stands for both.
func (c *columns) order() (key string, fields []string) {
	fields = sortedKeys(c.fields)
	for i, name := range fields {
		if c.fields[name] {
			return name, append(fields[:i:i], fields[i+1:]...)
		}
	}
	key = "key"
	for _, taken := c.fields[key]; taken; _, taken = c.fields[key] {
		key = "_" + key
	}
	return key, fields
}

// write writes the rows that dec reads.
func (c *columns) write(out io.Writer, dec *json.Decoder) error {
	w := csv.NewWriter(out)
	key, fields := c.order()
	if err := w.Write(append([]string{key}, fields...)); err != nil {
		return err
	}
	for range c.rows {
		var row jsonRow
		if err := dec.Decode(&row); err != nil {
			return err
		}
		record := []string{string(*row.Key)}
		for _, name := range fields {
			text := ""
			if v, ok := row.Fields[name]; ok {
				text, _ = cell(v)
			}
			record = append(record, text)
		}
		if err := w.Write(record); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}
