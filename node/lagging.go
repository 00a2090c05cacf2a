package node

import (
	"time"

	"lightcone/memo"
	"lightcone/p2p/gossip"
)

const (
	// lagEvery is how often it is looked who lacks what.
	lagEvery = time.Second
	// lagEntries bounds the entries of vectors compared in one look; the next one
	// goes on with the peers behind.
	lagEntries = 1 << 17
)

// lagging remembers since when peers lack memos held here, and the other way
// round. It is looked at from time to time, so what was lacking for less than
// lagEvery may never show.
type lagging struct {
	next  time.Time
	turn  int // how many of the peers had their turn in the look that is under way
	since map[lagKey]lagSince
}

type lagKey struct {
	space memo.SpaceID
	peer  PeerID
}

// lagSince holds zero times where nothing is lacking.
type lagSince struct{ ahead, lacks time.Time }

// tickLags compares the vectors of peers with ours.
func (o *owner) tickLags(now time.Time) {
	if now.Before(o.lagging.next) {
		return
	}
	o.lagging.next = now.Add(lagEvery)
	if o.lagging.since == nil {
		o.lagging.since = map[lagKey]lagSince{}
	}
	compared, i := 0, 0
	view := o.n.view.Load().store
	for _, s := range o.n.allSpaces() {
		mine := view.Vector(s.id)
		o.core.Members(s.id, func(p gossip.Peer, _ bool, has memo.Vector) {
			if i++; i <= o.lagging.turn || compared > lagEntries {
				return
			}
			compared += mine.Len() + has.Len()
			o.lagging.turn = i
			o.lagging.note(lagKey{s.id, p}, now, !mine.CoversAll(has), !has.CoversAll(mine))
		})
	}
	if o.lagging.turn >= i {
		o.lagging.turn = 0
	}
}

// note records what is lacking now.
func (l *lagging) note(key lagKey, now time.Time, ahead, lacks bool) {
	was := l.since[key]
	is := lagSince{ahead: began(was.ahead, now, ahead), lacks: began(was.lacks, now, lacks)}
	if is == (lagSince{}) {
		delete(l.since, key)
		return
	}
	l.since[key] = is
}

// began returns since when something holds that held since was, if it did.
func began(was, now time.Time, holds bool) time.Time {
	switch {
	case !holds:
		return time.Time{}
	case was.IsZero():
		return now
	}
	return was
}

// of returns since when something is lacking. What began after the last look
// began now, as far as is known; what ended after it has no beginning.
func (l *lagging) of(key lagKey, now time.Time, ahead, lacks bool) lagSince {
	was := l.since[key]
	return lagSince{ahead: began(was.ahead, now, ahead), lacks: began(was.lacks, now, lacks)}
}
