package node

import (
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"lightcone/beacon"
	"lightcone/memo"
	"lightcone/p2p/gossip"
	"lightcone/store"
)

// What the owner still has to do is bounded, and of what finds no room nothing is lost.

func authorNumber(i int) memo.Author {
	return memo.Author(memo.Sum(binary.BigEndian.AppendUint64(nil, uint64(i))))
}

// Fetches beyond maxTodo are asked for in a later tick; what must be told is told, once.
func TestTodoIsBounded(t *testing.T) {
	maker, late := adopters(t, Options{}, 3)
	late.node.onOwner(t, func(o *owner) {
		for i := range 2 * maxTodo {
			if ok := o.tell(gossip.Fetch{Space: maker.id, Origin: authorNumber(i)}); ok != (i < maxTodo) {
				t.Errorf("fetch %d: %v", i, ok)
				break
			}
		}
		o.announced(gossip.Announced{Space: late.id, Announcement: &gossip.Announcement{From: PeerID{1}, ID: memo.ID{1}, Memos: 9}})
		now := time.Now().Add(adoptPatience + time.Second)
		if o.tickAdopt(now); len(o.todo) != maxTodo || !o.adopting[late.id].asked.IsZero() {
			t.Errorf("%d wait, a state was asked for at %v", len(o.todo), o.adopting[late.id].asked)
		}
		if o.ahead(late.id, PeerID{2}, coldAfter); len(o.todo) != maxTodo || late.layer.Load().peer != (PeerID{}) || o.coldOf(late.id).again.IsZero() {
			t.Error("a layer was begun that nobody fetches")
		}
		for range 3 {
			o.tell(gossip.Drop{Space: late.id, Err: errors.New("no room")})
			o.tell(gossip.Folded{Space: late.id})
			o.tell(gossip.Load{Capacity: 1000})
		}
		if len(o.todo) != maxTodo+3 {
			t.Errorf("%d wait", len(o.todo))
		}
		o.todo = nil
		o.tickAdopt(now.Add(adoptLook))
		if len(o.todo) != 1 || o.todo[0].(gossip.Fetch).Root != (memo.ID{1}) {
			t.Errorf("asked for later: %v", o.todo)
		}
		// A drop between two fetches ends the first of them, not the second.
		o.todo = nil
		ask, drop := gossip.Fetch{Space: late.id, Root: memo.ID{1}}, gossip.Drop{Space: late.id, Root: memo.ID{1}}
		o.tell(ask)
		o.tell(drop)
		o.tell(ask)
		if len(o.todo) != 2 || o.todo[1] != gossip.Input(ask) {
			t.Errorf("told is %v", o.todo)
		}
		o.todo = nil
	})
}

// However many revocations attach in one step, each space is looked at once, and is.
func TestRevisedIsBounded(t *testing.T) {
	s := newSpace(t)
	s.node.onOwner(t, func(o *owner) {
		revoke := &memo.Memo{Space: s.id, Author: authorNumber(1), Seq: 1, Body: &memo.Revoke{}}
		at := o.n.view.Load().lsn
		for range 3 {
			if err := o.took(s.id, store.Result{Attached: []store.Placed{{LSN: at, Memo: revoke}}}, nil); err != nil {
				t.Error(err)
			}
		}
		if len(o.revised) != 1 || o.revised[0] != s.id {
			t.Errorf("spaces to look at: %v", o.revised)
		}
		if o.expelRevised(); len(o.revised) > 0 {
			t.Errorf("spaces left to look at: %v", o.revised)
		}
	})
}

// Claims are known of maxClaims beacons. One more has to wait until one has left the
// roster, and then is learned; while it waits nothing is stable. What was asked for may
// be asked for again.
func TestClaimsAreBounded(t *testing.T) {
	c, now := newClaims(), time.Now()
	learn := func(i int, at time.Time) bool {
		ping := memo.Head{Author: authorNumber(i), Seq: 1}
		c.learn(beacon.Claim{Ping: ping, Time: memo.Next(uint64(at.UnixMilli()))}, memo.ID{1}, now)
		_, ok := c.known[ping.Author]
		return ok
	}
	for i := range maxClaims {
		learn(i, now.Add(time.Duration(i)*time.Millisecond-time.Hour))
		c.try(memo.Head{Author: authorNumber(i), Seq: 1})
	}
	if learn(maxClaims, now) || len(c.known) != maxClaims {
		t.Errorf("%d claims are known", len(c.known))
	}
	if !learn(0, now.Add(-time.Hour)) || c.known[authorNumber(0)].Ping.Seq != 1 {
		t.Error("a claim was forgotten that counts")
	}
	now = now.Add(beacon.RosterWindow - time.Hour)
	if !learn(maxClaims, now) || len(c.known) != maxClaims {
		t.Errorf("%d claims are known", len(c.known))
	}
	if _, ok := c.known[authorNumber(0)]; ok {
		t.Error("the oldest claim is kept, and another forgotten")
	}
	c.try(memo.Head{Author: authorNumber(maxClaims), Seq: 1})
	if len(c.tried) > maxClaims || len(c.tried) == 0 {
		t.Errorf("%d claims were asked for", len(c.tried))
	}
}
