package walfs_test

import (
	"errors"
	"fmt"
	"slices"

	"lightcone/walfs"
)

// history is what a log was asked for, and so what a crash may leave of it: a run
// of records, at least those that were promised, at most those that were submitted,
// and no batch in part at its end.
type history struct {
	texts    []string // in order of LSN, from 1; the batch under way included, the pruned too
	ends     []int    // how many records there were at the end of each batch
	promised int      // how many were acknowledged as durable
	marked   int      // how many lie below a durable mark that is durable itself
	gone     int      // how many were pruned durably
	pruned   int      // how many may be gone
}

func (h *history) clone() history {
	c := *h
	c.texts, c.ends = slices.Clone(h.texts), slices.Clone(h.ends)
	return c
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

// found is what a log came back with: its records, and how many are missing in
// front of them.
type found struct {
	before int
	texts  []string
}

// end is the number of records, those that were pruned included.
func (f found) end() int { return f.before + len(f.texts) }

// judge says what is wrong with what a log came back with.
func (h *history) judge(l *walfs.Log, f found) error {
	n := f.end()
	switch {
	case f.before < h.gone || f.before > h.pruned:
		return fmt.Errorf("the log begins behind %d records: %d were pruned, %d may be", f.before, h.gone, h.pruned)
	case n < h.promised:
		return fmt.Errorf("%d records were promised, %d are there", h.promised, n)
	case n > len(h.texts) || !slices.Equal(f.texts, h.texts[f.before:n]):
		return fmt.Errorf("recovered %s, submitted were %s", brief(f.texts), brief(h.texts))
	case n > 0 && !slices.Contains(h.ends, n):
		return fmt.Errorf("%d records recovered: a batch came back in part, batches end at %v", n, h.ends)
	case l.Last() != walfs.LSN(n) || l.Durable() != walfs.LSN(n) || l.First() != walfs.LSN(f.before+1):
		return fmt.Errorf("%d to %d recovered, the log says %d to %d, and %d durable", f.before+1, n, l.First(), l.Last(), l.Durable())
	}
	return nil
}

// lose forgets the records behind the first n: a power cut took them, or a cut.
func (h *history) lose(n int) {
	h.texts = h.texts[:n]
	for len(h.ends) > 0 && h.ends[len(h.ends)-1] > n {
		h.ends = h.ends[:len(h.ends)-1]
	}
	h.promised, h.marked = min(h.promised, n), min(h.marked, n)
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
func readAll(l *walfs.Log) (found, error) {
	f := found{before: int(l.First()) - 1}
	r, err := l.Reader(walfs.Position{})
	if err != nil {
		return f, err
	}
	defer r.Close()
	var last walfs.Entry
	for {
		e, err := r.Next()
		if errors.Is(err, walfs.ErrNoNewData) {
			break
		}
		if err != nil {
			return f, err
		}
		f.texts = append(f.texts, string(e.Data))
		if e.LSN != walfs.LSN(f.end()) {
			return f, fmt.Errorf("record %d of the log has LSN %d", f.end(), e.LSN)
		}
		last = e
	}
	if last.LSN > 0 {
		if p, err := l.Seek(last.LSN); err != nil || p != last.Pos {
			return f, fmt.Errorf("last record at %v, Seek says %v, %v", last.Pos, p, err)
		}
	}
	return f, nil
}
