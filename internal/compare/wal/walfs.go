package main

import (
	"context"
	"errors"

	"lightcone/walfs"
)

// walfsLog is Lightcone's log, used as its store does: every writer appends by
// itself.
type walfsLog struct {
	*walfs.Log
	durability walfs.Durability
	places     []walfs.Position // of all records, once known
}

func openWALFS(dir string, o logOptions) (recordLog, error) {
	l, err := walfs.Open(dir, walfs.Options{SegmentSize: o.segment})
	if err != nil {
		return nil, err
	}
	w := &walfsLog{Log: l}
	if o.synced {
		w.durability = walfs.Group
	}
	return w, nil
}

func (w *walfsLog) store(recs ...[]byte) error {
	if len(recs) == 1 {
		_, err := w.Append(w.durability, walfs.Record{Kind: walfs.KindBlock, Data: recs[0]})
		return err
	}
	batch := make([]walfs.Record, len(recs))
	for i, r := range recs {
		batch[i] = walfs.Record{Kind: walfs.KindBlock, Data: r}
	}
	_, err := w.Append(w.durability, batch...)
	return err
}

func (w *walfsLog) scan(visit func([]byte) error) error {
	return w.read(func(e walfs.Entry) error { return visit(e.Data) }, atEnd)
}

func (w *walfsLog) follow(visit func([]byte) error) error {
	wait := func(r *walfs.Reader) error { return r.Wait(context.Background()) }
	return w.read(func(e walfs.Entry) error { return visit(e.Data) }, wait)
}

// atEnd ends a read at the live end.
func atEnd(*walfs.Reader) error { return errEnough }

// read visits every record and calls live at the live end.
func (w *walfsLog) read(visit func(walfs.Entry) error, live func(*walfs.Reader) error) error {
	r, err := w.Reader(walfs.Position{})
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		e, err := r.Next()
		switch {
		case errors.Is(err, walfs.ErrNoNewData):
			err = live(r)
		case err == nil:
			err = visit(e)
		}
		if errors.Is(err, errEnough) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (w *walfsLog) at(i int) ([]byte, error) {
	p, err := w.Seek(walfs.LSN(i + 1))
	if err != nil {
		return nil, err
	}
	e, err := w.ReadAt(p)
	return e.Data, err
}

func (w *walfsLog) learnPlaces() error {
	return w.read(func(e walfs.Entry) error {
		w.places = append(w.places, e.Pos)
		return nil
	}, atEnd)
}

func (w *walfsLog) atPlace(i int) ([]byte, error) {
	e, err := w.ReadAt(w.places[i])
	return e.Data, err
}

func (w *walfsLog) close() error { return w.Close() }
