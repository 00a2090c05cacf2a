package store

import (
	"fmt"

	"lightcone/memo"
	"lightcone/walfs"
)

// What is joined on somebody's word, or kept in place of memos, is a row of
// records: parts (walfs.KindBlock), and behind them, with nothing in between, the
// one that commits them (walfs.KindAdopt, walfs.KindCheckpoint). Parts without it
// mean nothing: a crash or a full disk came between.
//
//	part    [1, space, [head, …], [[key, state], …]]
//	        head: [author, seq, digest, time, seal, forked]
//	        key:  merge.RowKey; ascending over all parts; state: the row's, encoded.
//	              A row with the key of the one before it goes on with its state.
//	commit  [1, space, root, from, announcement, parts, heads, rows, genesis, behind]
//	        root: digest of the encoded merge.Root; from: who vouches, or this node
//	        announcement: as he signed it; empty: none
//	        parts: how many records before this one; heads, rows: in them
//	        genesis: of a checkpoint, the run that begins the space; else empty
//	        behind: of the last checkpoint of a compaction, how many records before it
//	                the first part of the first one is; else 0

const adoptVersion = 1

const (
	// maxPart bounds the bytes of a part: it fits into the smallest segment, as a
	// run does.
	maxPart = memo.MaxRunBytes
	// headBytes bounds an encoded head; rowBytes what a row takes beside key and state.
	headBytes = 1 + 34 + 9 + 34 + 9 + 66 + 1
	rowBytes  = 1 + 5 + 5
	// partBytes bounds what a part has beside heads and rows.
	partBytes = 64
	// maxKey bounds a row's key.
	maxKey = memo.MaxTopic + 1 + memo.MaxRow
	// maxAnnouncement bounds the bytes of a signed announcement.
	maxAnnouncement = 16 << 10
)

// SealedMark is the head of a run, with its time and its author's seal.
type SealedMark struct {
	memo.Mark
	Seal memo.Seal
}

type wireHead struct {
	_      struct{} `cbor:",toarray"`
	Author memo.Author
	Seq    uint64
	ID     memo.ID
	Time   memo.Time
	Seal   memo.Seal
	Forked bool
}

type wireRow struct {
	_          struct{} `cbor:",toarray"`
	Key, State memo.Bytes
}

// part is the data of a KindBlock record.
type part struct {
	_       struct{} `cbor:",toarray"`
	Version uint64
	Space   memo.SpaceID
	Heads   []wireHead
	Rows    []wireRow
}

// adoptCommit is the data of a KindAdopt or KindCheckpoint record.
type adoptCommit struct {
	_            struct{} `cbor:",toarray"`
	Version      uint64
	Space        memo.SpaceID
	Root         memo.ID
	From         memo.Author
	Announcement memo.Bytes
	Parts        uint64
	Heads        uint64
	Rows         uint64
	Genesis      memo.Bytes
	Behind       uint64
}

func decodePart(e walfs.Entry) (part, error) {
	var p part
	if e.Kind != walfs.KindBlock {
		return p, fmt.Errorf("%w: record %d is no part of an adoption", ErrBadLog, e.LSN)
	}
	if err := memo.Unmarshal(e.Data, &p); err != nil {
		return p, fmt.Errorf("%w: record %d: %w", ErrBadLog, e.LSN, err)
	}
	if p.Version != adoptVersion {
		return p, fmt.Errorf("%w: record %d has version %d, this program reads %d", ErrBadLog, e.LSN, p.Version, adoptVersion)
	}
	return p, nil
}

// decodeCommit reads what commits an adoption, in the record e.
func decodeCommit(e walfs.Entry) (adoptCommit, error) {
	var c adoptCommit
	if err := memo.Unmarshal(e.Data, &c); err != nil {
		return c, fmt.Errorf("%w: record %d: %w", ErrBadLog, e.LSN, err)
	}
	switch own := e.Kind == walfs.KindCheckpoint; {
	case c.Version != adoptVersion:
		return c, fmt.Errorf("%w: record %d has version %d, this program reads %d", ErrBadLog, e.LSN, c.Version, adoptVersion)
	case c.Parts == 0 || c.Parts >= e.LSN || c.Behind >= e.LSN || own != (c.Genesis != ""):
		return c, fmt.Errorf("%w: record %d commits %d records before it", ErrBadLog, e.LSN, c.Parts)
	}
	return c, nil
}

// partWriter cuts heads and rows into parts and appends those.
type partWriter struct {
	append      func(data []byte) error
	part        part
	bytes       int // bound of what is in part
	parts       uint64
	heads, rows uint64
	last        string // key
}

func newPartWriter(space memo.SpaceID, add func(data []byte) error) *partWriter {
	return &partWriter{append: add, part: part{Version: adoptVersion, Space: space}, bytes: partBytes}
}

func (w *partWriter) head(m SealedMark) error {
	if err := w.room(headBytes); err != nil {
		return err
	}
	w.part.Heads = append(w.part.Heads, wireHead{Author: m.Author, Seq: m.Seq, ID: m.ID, Time: m.Time, Seal: m.Seal, Forked: m.Forked})
	w.bytes += headBytes
	w.heads++
	return nil
}

// row adds a row, cut where it does not fit into one part.
func (w *partWriter) row(key string, state []byte) error {
	switch {
	case w.rows > 0 && key <= w.last:
		return fmt.Errorf("%w: row %q after %q", ErrNotAttachable, key, w.last)
	case key == "" || len(state) == 0 || len(key) > maxKey:
		return fmt.Errorf("%w: row %q with %d bytes of state", ErrNotAttachable, key, len(state))
	}
	w.last = key
	w.rows++
	for len(state) > 0 {
		if err := w.room(rowBytes + len(key) + 1); err != nil {
			return err
		}
		n := min(len(state), maxPart-w.bytes-rowBytes-len(key))
		w.part.Rows = append(w.part.Rows, wireRow{Key: memo.Bytes(key), State: memo.Bytes(state[:n])})
		w.bytes += rowBytes + len(key) + n
		state = state[n:]
	}
	return nil
}

// room ends the part unless n more bytes fit into it.
func (w *partWriter) room(n int) error {
	if w.bytes+n <= maxPart {
		return nil
	}
	return w.flush()
}

// flush appends the part.
func (w *partWriter) flush() error {
	data, err := memo.Marshal(w.part)
	if err != nil {
		return fmt.Errorf("encode part: %w", err)
	}
	if err := w.append(data); err != nil {
		return err
	}
	w.parts++
	w.part.Heads, w.part.Rows, w.bytes = nil, nil, partBytes
	return nil
}
