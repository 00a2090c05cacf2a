package store

import (
	"errors"
	"fmt"
	"log/slog"

	"lightcone/memo"
	"lightcone/walfs"
)

// Result says what became of the runs given to Attach.
type Result struct {
	// Attached are the memos that attached, in the order of the log: those of
	// the runs given and of pending runs that they freed. A run that gives back
	// own memos whose seal was lost lists them again.
	Attached []Placed
	// Runs are the runs that attached, in the same order.
	Runs []*memo.Run
	// Orphans are causes that given runs wait for, each once.
	Orphans []memo.Head
	// Refused says of each given run that can never attach why: its author, or who
	// delivers it for a space nobody shares, broke a rule.
	Refused []error
	// Held counts given runs kept because a newer version may understand them.
	Held int
	// Beyond counts given runs of an author of whom no more branches are kept. Nobody
	// is blamed for them.
	Beyond int
	// Duplicates counts given runs that were attached or pending already.
	Duplicates int
	// Late counts memos of given and freed runs that could attach and are held back, see
	// HoldBack.
	Late int
	// Evicted counts pending runs dropped to make room. They are wanted again
	// when recon finds them missing.
	Evicted int
}

// Attach attaches verified foreign runs in whatever order their causes allow,
// keeps those that have to wait, and frees pending runs. Given no runs it still
// attaches those that own memos or AddSpace freed. An error is a failure of this
// machine; what the result lists is attached nevertheless.
//
// The records are not synced: a crash may lose them, and then they are wanted
// again. Own memos that depend on them are behind them in the log, so that the
// sync of those covers these.
func (s *Store) Attach(runs []*memo.Run) (Result, error) {
	var res Result
	if err := s.Ready(); err != nil { // keeping runs that wait takes room as well
		return res, err
	}
	err := s.attachAll(runs, &res)
	return res, errors.Join(err, s.commit())
}

func (s *Store) attachAll(runs []*memo.Run, res *Result) error {
	orphans := map[memo.Head]bool{}
	for {
		// What waits longest for its turn holds memory: free it first.
		if err := s.attachWoken(res); err != nil || len(runs) == 0 {
			return err
		}
		r := runs[0]
		runs = runs[1:]
		v, miss, reason, err := s.decideLate(r, res)
		switch {
		case err != nil:
			return err
		case v == attachable:
			if err := s.attach(r, res); err != nil {
				return err
			}
		case v == late:
			if err := s.holdBack(r, res); err != nil {
				return err
			}
		case v == refused:
			res.Refused = append(res.Refused, reason)
		case v == failed:
			return s.breakDown(reason)
		case v == beyond:
			res.Beyond++
		case v == duplicate || s.pending.holds(r.Head().ID):
			res.Duplicates++
		default:
			if err := s.hold(r, v, miss, res); err != nil {
				return err
			}
			if v == waiting && !orphans[miss] {
				orphans[miss] = true
				res.Orphans = append(res.Orphans, miss)
			}
		}
	}
}

// attachWoken judges the woken runs until none is left, in a loop and not by
// recursion: a chain of orphans may be as long as the pending set.
func (s *Store) attachWoken(res *Result) error {
	for len(s.woken) > 0 {
		w := s.woken[len(s.woken)-1]
		s.woken = s.woken[:len(s.woken)-1]
		if !s.pending.has(w) {
			continue // evicted meanwhile
		}
		v, miss, reason, err := s.decideLate(w.run, res)
		if err != nil {
			s.woken = append(s.woken, w)
			return err
		}
		switch v {
		case waiting, held, parked:
			s.file(w, v, miss)
			continue
		case attachable:
			if err := s.attach(w.run, res); err != nil {
				s.woken = append(s.woken, w)
				return err
			}
		case late:
			if err := s.holdBack(w.run, res); err != nil {
				return err
			}
		case failed:
			s.woken = append(s.woken, w)
			return s.breakDown(reason)
		case refused:
			// Whoever delivers now is not to be blamed for it: it is not in res.
			s.logger.Warn("dropped a pending run", slog.Any("cause", reason))
		}
		s.forget(w)
	}
	return nil
}

// attach appends r to the log and takes it in.
func (s *Store) attach(r *memo.Run, res *Result) error {
	data, err := r.Encode()
	if err != nil {
		return fmt.Errorf("encode run %s: %w", r.Head(), err)
	}
	placed, err := s.append(walfs.None, walfs.Record{Kind: walfs.KindRun, Data: data})
	if err != nil {
		return err
	}
	if err := s.tookRun(r, len(data), placed[0]); err != nil {
		return err
	}
	for _, m := range r.Memos {
		res.Attached = append(res.Attached, Placed{placed[0].LSN, m})
	}
	res.Runs = append(res.Runs, r)
	return nil
}

// hold puts r into the pending set and makes room for it.
func (s *Store) hold(r *memo.Run, v verdict, miss memo.Head, res *Result) error {
	data, err := r.Encode()
	if err != nil {
		return fmt.Errorf("encode run %s: %w", r.Head(), err)
	}
	if v == held {
		res.Held++
	}
	w := &waiter{number: s.pending.next, run: r, size: len(data)}
	if s.spaces[r.Space].stranger(r) && s.pending.crowded(r.Author()) {
		res.Evicted++
		return nil
	}
	s.set(pendingKey(w.number), data)
	s.pending.add(w)
	s.file(w, v, miss)
	res.Evicted += s.evict()
	return nil
}

// file puts w under what it waits for.
func (s *Store) file(w *waiter, v verdict, miss memo.Head) {
	s.pending.file(w, causeOf(w.run, v, miss), s.spaces[w.run.Space].stranger(w.run))
	if v == waiting {
		s.lift(w.run, miss)
	}
}

// evict drops the oldest pending runs until the rest is within bounds.
func (s *Store) evict() (n int) {
	for w := s.pending.excess(); w != nil; w = s.pending.excess() {
		s.forget(w)
		n++
	}
	return n
}

// forget removes w from the pending set, in memory and in the index.
func (s *Store) forget(w *waiter) {
	s.pending.remove(w)
	s.del(pendingKey(w.number))
	s.unlift(s.spaces[w.run.Space])
}

func causeOf(r *memo.Run, v verdict, miss memo.Head) cause {
	switch v {
	case held:
		return cause{}
	case parked:
		return cause{space: r.Space, author: r.Author()}
	}
	return cause{r.Space, miss.Author, miss.Seq}
}

// append writes records to the log and notes how far the index will reach.
func (s *Store) append(d walfs.Durability, recs ...walfs.Record) ([]walfs.Placed, error) {
	if err := s.Ready(); err != nil {
		return nil, err
	}
	placed, err := s.log.Append(d, recs...)
	if errors.Is(s.stopped(err), walfs.ErrStopped) {
		return nil, fmt.Errorf("%w: append to the log: %w", ErrUnsure, err)
	}
	if err != nil {
		return nil, fmt.Errorf("append to the log: %w", asFull(err))
	}
	end := len(recs) - 1
	s.reached(walfs.Entry{LSN: placed[end].LSN, Pos: placed[end].Pos, Data: recs[end].Data})
	return placed, nil
}
