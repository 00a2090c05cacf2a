package node

import (
	"time"

	"lightcone/memo"
	"lightcone/p2p/gossip"
)

// Bounds on memos that claim to come from the future.
const (
	// driftBound is how far a memo's time may be ahead of the local clock. Beyond
	// it the memo is delayed, not judged: it attaches once the clock gets there.
	driftBound = time.Minute
	// maxDelayed bounds the runs kept until their time comes; more are dropped
	// and come again by recon.
	maxDelayed = 256
)

// delayed keeps deliveries from the future until their time has come.
type delayed struct {
	runs []*memo.Run
	ids  map[memo.ID]bool // heads of runs
}

// sift returns the runs whose time has come and keeps the others.
func (d *delayed) sift(now time.Time, runs []*memo.Run) []*memo.Run {
	limit := memo.Next(uint64(now.Add(driftBound).UnixMilli()))
	out := runs[:0:0]
	for _, r := range runs {
		if newest(r) <= limit {
			out = append(out, r)
			continue
		}
		if id := r.Head().ID; !d.ids[id] && len(d.runs) < maxDelayed {
			if d.ids == nil {
				d.ids = map[memo.ID]bool{}
			}
			d.runs, d.ids[id] = append(d.runs, r), true
		}
	}
	return out
}

// due takes out the runs whose time has come.
func (d *delayed) due(now time.Time) []*memo.Run {
	if len(d.runs) == 0 {
		return nil
	}
	runs := d.runs
	*d = delayed{}
	return d.sift(now, runs)
}

// newest returns the greatest time of a run; an honest one has it at its end.
func newest(r *memo.Run) (t memo.Time) {
	for _, m := range r.Memos {
		t = max(t, m.Time)
	}
	return t
}

// attachDue attaches delayed runs whose time has come.
func (o *owner) attachDue(now time.Time) {
	bySpace := map[memo.SpaceID][]*memo.Run{}
	for _, r := range o.delayed.due(now) {
		bySpace[r.Space] = append(bySpace[r.Space], r)
	}
	for id, runs := range bySpace {
		o.step(o.deliver(gossip.Deliver{Space: id, Runs: runs}))
	}
}
