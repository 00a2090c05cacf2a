package walfs_test

import (
	"errors"
	"fmt"
	"slices"

	"lightcone/walfs"
)

// history is what a log was asked for, and so what a crash may leave of it: a run
// of records from the beginning, at least those that were promised, at most those
// that were submitted, and no batch in part.
type history struct {
	texts    []string // in order of LSN, from 1; the batch under way included
	ends     []int    // how many records there were at the end of each batch
	promised int      // how many were acknowledged as durable
	marked   int      // how many lie below a durable mark that is durable itself
}

func (h *history) clone() history {
	return history{slices.Clone(h.texts), slices.Clone(h.ends), h.promised, h.marked}
}

// add submits a batch.
func (h *history) add(batch []string) {
	h.texts = append(h.texts, batch...)
	h.ends = append(h.ends, len(h.texts))
}

// drop takes the last batch back: the log says that nothing of it was appended.
func (h *history) drop() {
	h.ends = h.ends[:len(h.ends)-1]
	h.texts = h.texts[:h.whole(len(h.ends))]
}

// whole is how many records the first n batches have.
func (h *history) whole(n int) int {
	if n == 0 {
		return 0
	}
	return h.ends[n-1]
}

// judge says what is wrong with the records a log came back with.
func (h *history) judge(l *walfs.Log, found []string) error {
	n := len(found)
	switch {
	case n < h.promised:
		return fmt.Errorf("%d records were promised, %d are there", h.promised, n)
	case n > len(h.texts) || !slices.Equal(found, h.texts[:n]):
		return fmt.Errorf("recovered %s, submitted were %s", brief(found), brief(h.texts))
	case n > 0 && !slices.Contains(h.ends, n):
		return fmt.Errorf("%d records recovered: a batch came back in part, batches end at %v", n, h.ends)
	case l.Last() != walfs.LSN(n) || l.Durable() != walfs.LSN(n):
		return fmt.Errorf("%d records recovered, the last is said to be %d and %d durable", n, l.Last(), l.Durable())
	}
	return nil
}

// brief names texts by their number.
func brief(texts []string) string {
	short := ""
	for _, s := range texts {
		short += fmt.Sprintf(" %.6s(%d)", s, len(s))
	}
	return fmt.Sprintf("%d records:%s", len(texts), short)
}

// readAll reads a log from the beginning. LSNs must add up, and Seek find the last
// record where the reader did.
func readAll(l *walfs.Log) ([]string, error) {
	r, err := l.Reader(walfs.Position{})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var texts []string
	var last walfs.Entry
	for {
		e, err := r.Next()
		if errors.Is(err, walfs.ErrNoNewData) {
			break
		}
		if err != nil {
			return texts, err
		}
		texts = append(texts, string(e.Data))
		if e.LSN != walfs.LSN(len(texts)) {
			return texts, fmt.Errorf("record %d of the log has LSN %d", len(texts), e.LSN)
		}
		last = e
	}
	if last.LSN > 0 {
		if p, err := l.Seek(last.LSN); err != nil || p != last.Pos {
			return texts, fmt.Errorf("last record at %v, Seek says %v, %v", last.Pos, p, err)
		}
	}
	return texts, nil
}
