package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"net/http"

	causal "lightcone/context"
	"lightcone/memo"
	"lightcone/node/api"
)

const (
	// importRowsPerUpdate is how many rows become one memo.
	importRowsPerUpdate = 100
	// importInFlight is how many updates are under way at a time: enough that the
	// node is never idle while the next one is read.
	importInFlight = 4
	// maxKeysSeen bounds the keys remembered to tell how many repeat, in 8 bytes
	// each and the map's overhead.
	maxKeysSeen = 1 << 22
	// unknownTotal is the number of rows of a stream.
	unknownTotal = -1
)

// importer writes rows in updates of many, several at a time. Acknowledgements
// are counted in order: rows is what is committed without a gap.
type importer struct {
	ctx    context.Context
	client *api.Client
	space  string
	topic  string       // of rows that do not name theirs
	after  under        // what the rows are written after
	token  causal.Token // covers all that is committed
	most   int          // rows of an update
	bar    *bar         // shows how many of total are committed
	total  int          // rows there are, or unknownTotal

	batch   *batch
	pending []*batch // under way, oldest first

	rows, updates int // committed
	beyond        int // committed after the first update that failed
	open          int // rows of updates whose outcome is unknown

	seed     maphash.Seed
	seen     map[uint64]struct{} // hashes of keys
	repeated int
}

// batch is one update. Its keys are distinct: an update has no order.
type batch struct {
	edits  []api.Edit
	keys   map[string]struct{} // topic, NUL, row
	size   int
	fields int
	done   chan error
	token  string // once it is done
}

func newImporter(ctx context.Context, c *api.Client, space, topic string) *importer {
	return &importer{
		ctx: ctx, client: c, space: space, topic: topic, most: importRowsPerUpdate, batch: newBatch(),
		seed: maphash.MakeSeed(), seen: map[uint64]struct{}{},
	}
}

func newBatch() *batch {
	return &batch{keys: map[string]struct{}{}, done: make(chan error, 1)}
}

// run writes all rows of src. On return nothing is under way.
func (w *importer) run(src rowSource) error {
	w.show()
	defer w.bar.clear()
	err := w.each(src)
	if err == nil {
		err = w.flush()
	}
	for len(w.pending) > 0 {
		err = w.settle(err)
	}
	return err
}

// show tells the bar what is committed.
func (w *importer) show() {
	rows := comma(int64(w.rows))
	if w.total != unknownTotal {
		rows += " of " + comma(int64(w.total))
	}
	w.bar.show(reached{done: int64(w.rows), total: int64(w.total), what: rows + " rows", count: uint64(w.rows), unit: "rows"})
}

func (w *importer) each(src rowSource) error {
	for {
		row, err := src.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = w.add(row)
		}
		if err != nil {
			return err
		}
		if w.ctx.Err() != nil {
			return errInterrupted
		}
	}
}

// errInterrupted reports an import or a simulation that was asked to end.
var errInterrupted = errors.New("interrupted")

// add puts a row into the current batch, and sends that when it is full.
func (w *importer) add(row importRow) error {
	b, topic := w.batch, cmp.Or(row.topic, w.topic)
	key := topic + "\x00" + row.key // no topic holds this byte
	_, again := b.keys[key]
	if again || len(b.edits) == w.most || b.size+row.size > maxBatch || b.fields+len(row.fields) > memo.MaxDeltas {
		if err := w.flush(); err != nil {
			return err
		}
		b = w.batch
	}
	b.edits = append(b.edits, api.Edit{Topic: topic, Row: api.Name(row.key), Fields: row.fields})
	b.keys[key] = struct{}{}
	b.size += row.size
	b.fields += len(row.fields)
	w.note(key)
	return nil
}

// note counts keys that repeat.
func (w *importer) note(key string) {
	h := maphash.String(w.seed, key)
	if _, ok := w.seen[h]; ok {
		w.repeated++
	} else if len(w.seen) < maxKeysSeen {
		w.seen[h] = struct{}{}
	}
}

// flush sends the current batch once there is room for it, and once no update
// under way writes one of its rows: the later row must win.
func (w *importer) flush() error {
	b := w.batch
	if len(b.edits) == 0 {
		return nil
	}
	w.batch = newBatch()
	for len(w.pending) == importInFlight || w.overlaps(b) {
		if err := w.settle(nil); err != nil {
			return err
		}
	}
	w.pending = append(w.pending, b)
	go func() {
		r, err := w.client.UpdateWithin(w.ctx, w.space, api.Update{Edits: b.edits, Context: w.after.context}, w.after.wait)
		b.token = r.Token
		b.done <- err
	}()
	return nil
}

func (w *importer) overlaps(b *batch) bool {
	for _, p := range w.pending {
		for key := range b.keys {
			if _, ok := p.keys[key]; ok {
				return true
			}
		}
	}
	return false
}

// settle waits for the oldest update. before is the error that ended the import,
// if one did; the first error is returned.
func (w *importer) settle(before error) error {
	b := w.pending[0]
	w.pending = w.pending[1:]
	err := <-b.done
	if err == nil {
		err = w.cover(b.token)
	}
	switch {
	case err == nil && before == nil:
		w.rows += len(b.edits)
		w.updates++
		w.show()
	case err == nil:
		w.beyond += len(b.edits)
	case exitCode(err) == exitUnknown:
		w.open += len(b.edits)
	}
	if before != nil {
		return before
	}
	return err
}

// cover adds the token of an update that was committed.
func (w *importer) cover(text string) error {
	t, err := causal.ParseToken(text)
	if err == nil {
		w.token, err = causal.JoinTokens(w.token, t)
	}
	return err
}

// failure adds to err what is committed. An update of unknown outcome makes the
// whole import one, whatever failed first.
func (w *importer) failure(err error) error {
	p := api.ProblemOf(err)
	cause, fix := p.Cause, "run the import again: rows are written by key, so those already there do no harm"
	if w.open > 0 {
		p = api.NewProblem(http.StatusGatewayTimeout, api.Unknown, "", "")
		cause += fmt.Sprintf("; %s rows may or may not be written", comma(int64(w.open)))
	} else if p.Fix != "" {
		fix = p.Fix + "; then " + fix
	}
	return p.With(fmt.Sprintf("%s; %s rows are committed", cause, comma(int64(w.rows+w.beyond))), fix)
}
