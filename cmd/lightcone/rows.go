package main

import (
	"errors"

	"lightcone/memo"
	"lightcone/node/api"
)

// Formats of files that hold rows.
const (
	formatCSV   = "csv"
	formatJSONL = "jsonl"
)

const (
	// rowOverhead bounds what a row adds to an edit besides keys and values, and
	// fieldOverhead what a field adds (heads of CBOR items, type, operation, and a
	// value that is a number).
	rowOverhead, fieldOverhead = 16, 16
	// maxBatch bounds the estimated bytes of the rows of one update; the edit's
	// own head, and the topic of rows that do not name theirs, take the rest.
	maxBatch = memo.MaxEdit - 1<<10
)

// errImport reports a file that cannot be imported. Its texts name line and fix.
var errImport = errors.New("cannot import")

// rowSource yields rows that can be written; after the last one, io.EOF.
type rowSource interface {
	next() (importRow, error)
}

// importRow is one row, ready to be written.
type importRow struct {
	topic  string // "": the import's
	key    string
	fields api.Fields
	size   int // estimated bytes in an edit
}
