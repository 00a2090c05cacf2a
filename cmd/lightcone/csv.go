package main

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"lightcone/memo"
	"lightcone/node/api"
)

// maxRecord bounds the bytes read for one record, so that a quote left open
// does not read a whole file into memory.
const maxRecord = 8 << 20

// csvTable reads a CSV file: one header, then records, each checked to make a
// row that can be written.
type csvTable struct {
	name    string // of the file, for errors
	r       *csv.Reader
	src     *bounded
	columns []string
	key     int // index of the key column
}

// openCSV reads the header. key names the key column; "" is the first one.
func openCSV(name string, src io.Reader, key string) (*csvTable, error) {
	t := &csvTable{name: name, src: &bounded{r: src, left: maxRecord}}
	in := bufio.NewReader(t.src)
	if bom, _ := in.Peek(3); bytes.Equal(bom, []byte("\ufeff")) {
		in.Discard(3) // peeked
	}
	t.r = csv.NewReader(in)
	header, err := t.r.Read()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: %s is empty; its first line must name the columns", errImport, name)
	}
	if err != nil {
		return nil, t.fault(err)
	}
	t.columns = header
	if err := t.checkHeader(key); err != nil {
		return nil, err
	}
	t.r.ReuseRecord = true
	return t, nil
}

func (t *csvTable) checkHeader(key string) error {
	if len(t.columns) > memo.MaxDeltas {
		return fmt.Errorf("%w: %s has %d columns, the limit is %d; leave some out", errImport, t.name, len(t.columns), memo.MaxDeltas)
	}
	for i, c := range t.columns {
		switch {
		case strings.TrimSpace(c) == "":
			return fmt.Errorf("%w: %s, line 1: column %d has no name; name it", errImport, t.name, i+1)
		case !utf8.ValidString(c):
			return fmt.Errorf("%w: %s, line 1: the name of column %d is not UTF-8; convert the file, as with iconv", errImport, t.name, i+1)
		case len(c) > memo.MaxField:
			return fmt.Errorf("%w: %s, line 1: the name of column %d has %d bytes, the limit is %d; shorten it",
				errImport, t.name, i+1, len(c), memo.MaxField)
		case slices.Index(t.columns, c) != i:
			return fmt.Errorf("%w: %s, line 1: columns %d and %d are both named %q; rename one",
				errImport, t.name, slices.Index(t.columns, c)+1, i+1, c)
		}
	}
	if key == "" {
		return nil
	}
	if t.key = slices.Index(t.columns, key); t.key < 0 {
		return fmt.Errorf("%w: %s has no column %q; its columns are: %s", errImport, t.name, key, strings.Join(t.columns, ", "))
	}
	return nil
}

// next returns the next row, or io.EOF.
func (t *csvTable) next() (importRow, error) {
	t.src.left = maxRecord
	rec, err := t.r.Read()
	if errors.Is(err, csv.ErrFieldCount) {
		return importRow{}, fmt.Errorf("%w: %s, line %d: expected %d columns as in the header, got %d; add what is missing, or quote a value that holds a comma",
			errImport, t.name, t.line(0), len(t.columns), len(rec))
	}
	if err != nil {
		return importRow{}, t.fault(err)
	}
	row := importRow{key: strings.Clone(rec[t.key]), fields: make(api.Fields, len(rec)), size: rowOverhead + len(rec[t.key])}
	for i, text := range rec {
		row.size += fieldOverhead + len(t.columns[i]) + len(text)
		v, err := memo.Text(strings.Clone(text))
		if err != nil {
			return importRow{}, fmt.Errorf("%w: %s, line %d: column %q is not UTF-8; convert the file, as with `iconv -f latin1 -t utf-8`",
				errImport, t.name, t.line(i), t.columns[i])
		}
		row.fields[t.columns[i]] = v
	}
	return row, t.checkRow(row, rec)
}

func (t *csvTable) checkRow(row importRow, rec []string) error {
	switch {
	case row.key == "":
		return fmt.Errorf("%w: %s, line %d: the key column %q is empty; fill it, or choose another column with --key",
			errImport, t.name, t.line(t.key), t.columns[t.key])
	case len(row.key) > memo.MaxRow:
		return fmt.Errorf("%w: %s, line %d: the key has %s bytes, the limit is %d; choose another column with --key",
			errImport, t.name, t.line(t.key), comma(int64(len(row.key))), memo.MaxRow)
	case row.size > maxBatch:
		big := 0
		for i := range rec {
			if len(rec[i]) > len(rec[big]) {
				big = i
			}
		}
		return fmt.Errorf("%w: %s, line %d: %w: column %q has %s bytes, and a row may have %s in all; shorten it or leave it out",
			errImport, t.name, t.line(big), memo.ErrTooLarge, t.columns[big], comma(int64(len(rec[big]))), comma(maxBatch))
	}
	return nil
}

// line returns the line on which a field of the last record starts.
func (t *csvTable) line(field int) int {
	line, _ := t.r.FieldPos(field)
	return line
}

// fault turns an error of the CSV reader into one with a fix.
func (t *csvTable) fault(err error) error {
	var parse *csv.ParseError
	switch {
	case errors.Is(err, io.EOF):
		return io.EOF
	case errors.Is(err, errLongRecord):
		return fmt.Errorf("%w: %s: the record after %d bytes: %w", errImport, t.name, t.r.InputOffset(), err)
	case !errors.As(err, &parse):
		return fmt.Errorf("%w: read %s: %w", errImport, t.name, err)
	default:
		return fmt.Errorf("%w: %s, line %d, column %d: %w; double a quote inside a quoted value, and close what is open",
			errImport, t.name, parse.Line, parse.Column, parse.Err)
	}
}

// errLongRecord reports more than maxRecord bytes without the end of a record.
var errLongRecord = errors.New("it is longer than 8 MiB; is a quote left open?")

// bounded reads at most left bytes; its user sets left anew for each record.
type bounded struct {
	r    io.Reader
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errLongRecord
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
