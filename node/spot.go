package node

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/p2p/gossip"
)

// This file looks into states that were adopted. They are joined at once, on a member's
// signed word; a few of their rows and memos, drawn by a lot that nobody else knows, are
// compared with each other later. What does not fit is proved to anyone (accuse.go).

const (
	// Of an adopted state are drawn: spotRows rows that it adds, each with a memo behind
	// it; spotMemos memos that it covers and that are not held; spotHeld own rows of which
	// it lacks something.
	spotRows, spotMemos, spotHeld = 3, 2, 1
	// maxSpots bounds those that wait; the oldest goes first when there are more.
	maxSpots = 64
	// spotPatience is how long one waits for somebody who has its memos, spotAsks how many
	// peers are asked for a run, spotAgain the pause after there was nobody to ask.
	spotPatience = 10 * time.Minute
	spotAsks     = 4
	spotAgain    = time.Second
	// doubtedFor is how long no state is adopted of a peer of whom something does not fit
	// that is no proof.
	doubtedFor = 10 * time.Minute
)

// spot is one place of an adopted state that is looked into.
type spot struct {
	space *Space
	from  PeerID // who vouched for it
	word  []byte // as he signed it
	id    memo.ID
	root  merge.Root
	key   string    // of the row; empty: those that the memo's run changes
	head  memo.Head // the memo; a zero ID: whatever is in that place
	top   memo.Mark // head of its author in the root's vector

	until, next time.Time   // when it is given up, and gone on with
	want        memo.Head   // whose run is asked for; seq 0: none
	asked       []PeerID    // for it
	runs        []*memo.Run // that came
	parted      bool        // somebody has another memo in the place of head
}

// pick is what a lot fell on.
type pick struct {
	key  string
	head memo.Head
}

// lot draws a few of what it is offered, all with the same chance.
type lot struct {
	chance        *rand.Rand
	most, offered int
	drawn         []pick
}

func (l *lot) offer(p pick) {
	switch l.offered++; {
	case len(l.drawn) < l.most:
		l.drawn = append(l.drawn, p)
	default:
		if i := l.chance.IntN(l.offered); i < l.most {
			l.drawn[i] = p
		}
	}
}

// lots are drawn of a state while it is compared with the own one.
type lots struct{ rows, held lot }

func newLots(chance *rand.Rand) lots {
	return lots{lot{chance: chance, most: spotRows}, lot{chance: chance, most: spotHeld}}
}

// added offers a row that a state adds, with a memo that is new behind it.
func (l *lots) added(key string, said, mine merge.Row) {
	if s, ok := l.rows.oneOf(said.Provenance(), mine.Provenance()); ok {
		l.rows.offer(pick{key, headOf(s)})
	}
}

// lacking offers a row that shows less than the own one, with a memo that does not show.
func (l *lots) lacking(key string, said, mine merge.Row, covers memo.Vector) {
	covered := slices.DeleteFunc(mine.Provenance(), func(s merge.Stamp) bool { return !covers.Covers(s.Author, s.Seq) })
	if s, ok := l.held.oneOf(covered, said.Provenance()); ok {
		l.held.offer(pick{key, headOf(s)})
	}
}

func headOf(s merge.Stamp) memo.Head { return memo.Head{Author: s.Author, Seq: s.Seq, ID: s.ID} }

// oneOf draws one of some stamps, of those that are not among others if there are any.
func (l *lot) oneOf(some, others []merge.Stamp) (merge.Stamp, bool) {
	fresh := slices.DeleteFunc(slices.Clone(some), func(s merge.Stamp) bool { return slices.Contains(others, s) })
	if len(fresh) > 0 {
		some = fresh
	}
	if len(some) == 0 {
		return merge.Stamp{}, false
	}
	return some[l.chance.IntN(len(some))], true
}

// memos draws memos of those that a state covers and the cut before it did not.
func (st *foreignState) memos(before memo.Vector) (out []pick) {
	lead := func(h memo.Mark) uint64 {
		had, _ := before.Get(h.Author)
		return h.Seq - min(h.Seq, had.Seq)
	}
	total := uint64(0)
	for _, h := range st.heads {
		total += lead(h.Mark)
	}
	drawn := map[uint64]bool{}
	for uint64(len(drawn)) < min(spotMemos, total) {
		at := st.lots.rows.chance.Uint64N(total)
		if drawn[at] {
			continue
		}
		drawn[at] = true
		for _, h := range st.heads {
			if n := lead(h.Mark); at >= n {
				at -= n
				continue
			}
			out = append(out, pick{"", memo.Head{Author: h.Author, Seq: h.Seq - at}})
			break
		}
	}
	return out
}

// lookInto has places of an adopted state looked into. before is the cut it was joined to.
func (o *owner) lookInto(st *foreignState, before memo.Vector) {
	if st.announcement == nil {
		return // only what was signed can be proved
	}
	now := o.n.opts.Now()
	for _, p := range slices.Concat(st.lots.rows.drawn, st.lots.held.drawn, st.memos(before)) {
		top, _ := st.Vector.Get(p.head.Author)
		o.await(&spot{
			space: st.space, from: st.From, word: st.announcement, id: st.Root, root: st.Made,
			key: p.key, head: p.head, top: top, until: now.Add(spotPatience),
		})
	}
}

func (o *owner) await(sp *spot) {
	if len(o.spots) == maxSpots {
		o.spots = o.spots[1:]
		o.counts.unaudited++
	}
	o.spots = append(o.spots, sp)
}

// tickSpots goes on with one place that it is time for.
func (o *owner) tickSpots(now time.Time) {
	for i := 0; i < len(o.spots) && o.spot == nil; i++ {
		sp := o.spots[i]
		if now.Before(sp.next) {
			continue
		}
		o.spots = slices.Delete(o.spots, i, i+1)
		if i--; !o.goOn(now, sp) {
			sp.next = now.Add(spotAgain)
			o.spots = append(o.spots, sp)
		}
	}
}

// goOn takes the next step with a place, or gives it up; false when that has to wait.
func (o *owner) goOn(now time.Time, sp *spot) bool {
	if sp.want.Seq == 0 {
		if o.n.folder.examine(sp) {
			o.spot = sp
		}
		return o.spot == sp
	}
	p, ok := o.whomToAsk(sp)
	switch {
	case !ok && sp.parted && len(sp.asked) > 0:
		o.parted(now, sp)
		return true
	case now.After(sp.until) || len(sp.asked) == spotAsks:
		o.counts.unaudited++
		return true
	case !ok || o.core.Take(now, 1) == 0:
		return false
	}
	o.spot, sp.asked = sp, append(sp.asked, p)
	o.tell(gossip.Inquire{Space: sp.space.id, Peer: p, Head: sp.want})
	return true
}

// whomToAsk chooses a peer that may have what is wanted: its author, else any that was
// not asked yet.
func (o *owner) whomToAsk(sp *spot) (p PeerID, ok bool) {
	if len(sp.asked) == spotAsks {
		return p, false
	}
	among := lot{chance: o.n.chance, most: 1}
	o.core.Members(sp.space.id, func(m gossip.Peer, up bool, _ memo.Vector) {
		switch {
		case !up || slices.Contains(sp.asked, m):
		case m == sp.want.Author:
			p, ok = m, true
		default:
			among.offer(pick{head: memo.Head{Author: m}})
		}
	})
	if !ok && len(among.drawn) > 0 {
		p, ok = among.drawn[0].head.Author, true
	}
	return p, ok
}

// inquired takes the answer of a peer.
func (o *owner) inquired(q gossip.Inquired) {
	sp := o.spot
	if sp == nil || sp.want != q.Head || sp.space.id != q.Space {
		return
	}
	switch o.spot = nil; {
	case q.Run != nil:
		sp.runs, sp.want = append(sp.runs, q.Run), memo.Head{}
	case q.Err != nil: // it was no answer
		o.n.log.Debug("cannot ask a peer for a memo", "peer", q.Peer, "err", q.Err)
		sp.asked = slices.DeleteFunc(sp.asked, func(p PeerID) bool { return p == q.Peer })
		sp.next = o.n.opts.Now().Add(spotAgain)
	}
	o.spots = slices.Insert(o.spots, 0, sp)
	o.tickSpots(o.n.opts.Now())
}

// examined is what came of looking into a place: the call of the folder to the owner.
type examined struct {
	*spot
	want   memo.Head // what else it takes; seq 0: nothing
	parted bool      // another memo is in its place
	proof  []byte    // evidence; nil: none
	lie    *gossip.Lie
	err    error // why it could not be looked into, or what does not fit and is no proof
}

func (x examined) do(o *owner) {
	sp, now := x.spot, o.n.opts.Now()
	o.spot = nil
	switch {
	case x.proof != nil:
		o.convict(sp.space, x.proof, x.lie, now)
	case x.want.Seq > 0:
		if sp.want = x.want; sp.want != sp.head || !x.parted {
			sp.asked = nil
		}
		sp.parted = x.parted
		o.spots = slices.Insert(o.spots, 0, sp)
	case x.err != nil:
		o.mistrust(sp, now, x.err)
	default:
		o.counts.audited++
	}
	o.tickSpots(now)
	o.drainTodo()
}

// parted: nobody who was asked has the memo that a row stands on, and somebody has
// another in its place. Its author forked, or the peer invented it.
func (o *owner) parted(now time.Time, sp *spot) {
	v := o.n.view.Load().store
	if mark, _ := v.Vector(sp.space.id).Get(sp.head.Author); mark.Forked || sp.top.Forked {
		o.counts.unaudited++
		return
	}
	if _, forked := v.Fork(sp.space.id, sp.head.Author); forked {
		o.counts.unaudited++
		return
	}
	o.mistrust(sp, now, fmt.Errorf("its row %q stands on memo %s; others have another memo in that place", sp.key, sp.head))
}

// mistrust adopts nothing of a peer for a while. It is no proof, and nobody is told.
func (o *owner) mistrust(sp *spot, now time.Time, err error) {
	c := o.coldOf(sp.space.id)
	if c.doubted == nil {
		c.doubted = map[PeerID]time.Time{}
	}
	if len(c.doubted) < maxLiars {
		c.doubted[sp.from] = now.Add(doubtedFor)
	}
	o.n.log.Warn("something of a peer's state does not fit; none of it is adopted for a while", "space", sp.space.id, "peer", sp.from,
		"root", sp.id, "for", doubtedFor, "err", err)
}

// mistrusts tells whether no state of a peer is adopted now.
func (c *cold) mistrusts(p PeerID, now time.Time) bool {
	if until, ok := c.doubted[p]; ok && !now.Before(until) {
		delete(c.doubted, p)
	}
	_, doubted := c.doubted[p]
	return doubted || c.lied(p)
}
