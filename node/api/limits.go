package api

import (
	"time"

	"lightcone/memo"
)

// Limits of the API. What a memo may hold is memo's affair; these bound what a
// request may cost before it gets there.
const (
	// MaxBody bounds a request's body in bytes. JSON writes a byte of an edit in
	// up to 6, and edits are bounded by memo.MaxEdit.
	MaxBody = 4 << 20
	// MaxEdits bounds the rows of one update: each has a delta at least.
	MaxEdits = memo.MaxDeltas
	// MaxWait bounds how long a read may wait for its context.
	MaxWait = 5 * time.Minute
	// maxAuthors bounds the authors that a context lists.
	maxAuthors = 1024
	// maxVector bounds the authors that a vector lists.
	maxVector = 1 << 16
	// MaxBlocked bounds the peers named by one request to block.
	MaxBlocked = 1024
	// maxHeader bounds a request's line and headers in bytes; a context token and
	// the keys of a scan fit several times.
	maxHeader = 16 << 10

	// headerTimeout is how long a connection may take to send a request's head.
	headerTimeout = 10 * time.Second
	// idleTimeout closes a connection that nobody uses.
	idleTimeout = 2 * time.Minute
	// lineTimeout is how long the reader of a stream may take for what is sent in
	// one piece.
	lineTimeout = 30 * time.Second
	// heartbeat is how long a watch may be silent.
	heartbeat = 15 * time.Second
	// drainTimeout is how long Close waits for requests under way.
	drainTimeout = 5 * time.Second
	// joinTimeout bounds how long a join may take on the server's side.
	joinTimeout = 30 * time.Second
	// flushEvery is how many rows of a stream are sent in one piece.
	flushEvery = 256
)

// Limits of the client.
const (
	// callTimeout bounds a request, besides what it may wait for a context.
	callTimeout = 30 * time.Second
	// pingTimeout bounds the first request to a node on this machine.
	pingTimeout = 2 * time.Second
	// maxProblem bounds the bytes read of an error response.
	maxProblem = 1 << 20
	// maxLine bounds one line of a scan: a row of many edits, as JSON.
	maxLine = 64 << 20
)
