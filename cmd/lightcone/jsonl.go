package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"lightcone/memo"
	"lightcone/node/api"
)

// jsonRow is one line of a JSONL file: a row of api.Row without what belongs to
// the answer of a node.
type jsonRow struct {
	Topic  string     `json:"topic,omitempty"`
	Key    *api.Name  `json:"key"`
	Fields api.Fields `json:"fields"`
}

// jsonLines reads rows of one JSON object a line. Empty lines are skipped.
type jsonLines struct {
	name            string // of the file, for errors
	topic, fallback string // of all rows; of rows that name none
	lines           *bufio.Scanner
	line            int
}

// openJSONL starts reading. A topic other than "" is that of all rows.
func openJSONL(name string, src io.Reader, topic, fallback string) *jsonLines {
	j := &jsonLines{name: name, topic: topic, fallback: fallback, lines: bufio.NewScanner(src)}
	j.lines.Buffer(nil, maxRecord)
	return j
}

func (j *jsonLines) next() (importRow, error) {
	for j.lines.Scan() {
		j.line++
		text := j.lines.Bytes()
		if j.line == 1 {
			text = bytes.TrimPrefix(text, []byte("\ufeff"))
		}
		if text = bytes.TrimSpace(text); len(text) > 0 {
			return j.row(text)
		}
	}
	switch err := j.lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		j.line++
		return importRow{}, j.fault("it is longer than 8 MiB; write one row a line, and split what does not fit")
	case err != nil:
		return importRow{}, fmt.Errorf("%w: read %s: %w", errImport, j.name, err)
	}
	return importRow{}, io.EOF
}

// row reads one line.
func (j *jsonLines) row(text []byte) (importRow, error) {
	var in jsonRow
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return importRow{}, j.fault(`%w; a line is {"topic":"t","key":"k","fields":{"name":"text"}}, as export writes it`, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return importRow{}, j.fault("something follows the object; write one row a line")
	}
	if in.Key == nil {
		return importRow{}, j.fault(`it has no "key"; add it`)
	}
	row := importRow{topic: j.topic, key: string(*in.Key), fields: in.Fields}
	if row.topic == "" {
		row.topic = in.Topic
	}
	if row.topic == "" {
		row.topic = j.fallback
	}
	row.size = rowOverhead + len(row.topic) + len(row.key)
	for name, v := range row.fields {
		row.size += fieldOverhead + len(name) + v.Size()
	}
	return row, j.check(row)
}

// check refuses what no update could write.
func (j *jsonLines) check(row importRow) error {
	if err := memo.CheckTopic(row.topic); err != nil {
		return j.fault(`topic %q: %w; name another in "topic", or one for all rows with --topic`, row.topic, err)
	}
	if err := memo.CheckRow(row.key); err != nil {
		return j.fault("%w; shorten it", err)
	}
	switch {
	case len(row.fields) == 0:
		return j.fault(`it has no "fields"; name at least one`)
	case len(row.fields) > memo.MaxDeltas:
		return j.fault("it has %d fields, the limit is %d; leave some out", len(row.fields), memo.MaxDeltas)
	case row.size > maxBatch:
		return j.fault("%w: the row has %s bytes, and it may have %s; shorten it", memo.ErrTooLarge, comma(int64(row.size)), comma(maxBatch))
	}
	for name := range row.fields {
		if len(name) > memo.MaxField {
			return j.fault("a field's name has %d bytes, the limit is %d; shorten it", len(name), memo.MaxField)
		}
	}
	return nil
}

func (j *jsonLines) fault(format string, args ...any) error {
	return fmt.Errorf("%w: %s, line %d: %w", errImport, j.name, j.line, fmt.Errorf(format, args...))
}
