package node_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"lightcone/memo"
	"lightcone/node"
	"lightcone/p2p"
	"lightcone/p2p/gossip"
)

// lateSwarm starts three replicas of which two hold back late memos; the third was away
// for more than a day, writes as many memos as told, and comes back.
func lateSwarm(t *testing.T, memos int) (rs []*replica, clock *shifted, dirs []string, rec node.Receipt) {
	t.Helper()
	clock = &shifted{}
	for i := range 3 {
		dirs = append(dirs, t.TempDir())
		o := node.Options{Now: clock.now, Durability: node.None, Late: node.LateQuarantine, Silent: i == 2}
		rs = append(rs, serve(t, dirs[i], o, p2p.Options{}))
		var err error
		if i == 0 {
			rs[i].space, err = rs[i].CreateSpace("default", node.Policy{})
		} else {
			rs[i].space, err = join(t, rs[0], rs[i])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	late, both := rs[2], rs[:2]
	for _, r := range both {
		if err := r.Block(late.ID()); err != nil {
			t.Fatal(err)
		}
	}
	for range memos {
		rec = put(t, late, "late", map[string]string{"from": "afar"})
	}
	agreeWithout(t, both, clock)
	clock.until(t, rs, "the late memos are held, and nothing else is missing", func() bool {
		return len(lacking(t, rs)) == 0 && heldAt(t, rs[0]) == memos && heldAt(t, rs[1]) == memos
	})
	return rs, clock, dirs, rec
}

// heldAt returns how many memos a replica holds back.
func heldAt(t *testing.T, r *replica) (n int) {
	t.Helper()
	for _, h := range beaconsOf(t, r).Late.Held {
		n += int(h.Memos)
	}
	return n
}

// lacking returns the replicas that find that they lack memos of another.
func lacking(t *testing.T, rs []*replica) (out []*replica) {
	t.Helper()
	for _, r := range rs {
		for _, m := range statusOf(t, r).Spaces[0].Members {
			if m.Ahead > 0 {
				out = append(out, r)
			}
		}
	}
	return out
}

func statusOf(t *testing.T, r *replica) node.Status {
	t.Helper()
	st, err := r.Status(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// Late memos are held where the policy says so: no read and no root shows them, peers
// send them once and nobody is blamed, and a restart holds them again. Released by an
// operator they attach, and where a memo depends on them that came to be known; then all
// roots are equal.
func TestLateMemosAreHeldBack(t *testing.T) {
	const memos = 5
	rs, clock, dirs, rec := lateSwarm(t, memos)
	ctx := context.Background()
	for i, r := range rs[:2] {
		b := beaconsOf(t, r)
		if b.Late.Memos > 0 || b.Late.Policy != node.LateQuarantine || b.Late.Held[0].Author != rs[2].ID() || b.Late.Held[0].Bytes == 0 {
			t.Errorf("replica %d: %+v", i, b.Late)
		}
		if _, err := r.space.Get(ctx, "animals", "late"); !errors.Is(err, node.ErrNotFound) {
			t.Errorf("replica %d shows what is held back: %v", i, err)
		}
	}
	x := rs[0].space.Session(node.Read{Wait: time.Millisecond}, node.From(rec.Token))
	var behind *node.BehindError
	if _, err := x.Get(ctx, "animals", "late"); !errors.As(err, &behind) || !behind.Held {
		t.Errorf("reading what is held back: %v", err)
	}

	sentOnce(t, rs, clock)
	rs[1].stop(t)
	rs[1] = serve(t, dirs[1], node.Options{Now: clock.now, Durability: node.None}, p2p.Options{}) // it remembers the policy
	rs[1].space, _ = rs[1].OpenSpace("default")
	if n := heldAt(t, rs[1]); n != memos {
		t.Fatalf("%d memos are held after a restart", n)
	}
	if _, err := rs[0].space.Release(ctx, rs[1].ID()); !errors.Is(err, node.ErrNotFound) {
		t.Errorf("released what is not held: %v", err)
	}
	if n, err := rs[0].space.Release(ctx, rs[2].ID()); n != memos || err != nil {
		t.Fatalf("released %d memos: %v", n, err)
	}
	converge(t, []*replica{rs[0], rs[2]})
	clock.pass(rs, time.Second, 20)
	if n := heldAt(t, rs[1]); n != memos {
		t.Fatalf("%d memos are held where nobody released them", n)
	}
	if _, err := rs[0].space.Update(ctx, func(tx *node.Tx) error { // it depends on what it read
		if _, err := tx.Get("animals", "late"); err != nil {
			return err
		}
		return tx.Put("animals", "late", node.Fields{"seen": memo.Bool(true)})
	}); err != nil {
		t.Fatal(err)
	}
	converge(t, rs)
	if n := heldAt(t, rs[1]); n != 0 {
		t.Errorf("%d memos are held", n)
	}
}

// sentOnce lets anti-entropy go on, and fails if memos that are held are sent again or
// anybody is blamed for them.
func sentOnce(t *testing.T, rs []*replica, clock *shifted) {
	t.Helper()
	// Rounds of anti-entropy find all vectors equal.
	before := [2]node.Status{statusOf(t, rs[0]), statusOf(t, rs[2])}
	rounds := func(r *replica, was node.Status) int { return statusOf(t, r).Protocol.Equal - was.Protocol.Equal }
	clock.until(t, rs[2:], "six rounds of anti-entropy are over", func() bool {
		return rounds(rs[0], before[0]) >= 6 && rounds(rs[2], before[1]) >= 6
	})
	for i, r := range []*replica{rs[0], rs[2]} {
		is, was := statusOf(t, r).Protocol, before[i].Protocol
		underWay, most := is.Sessions-was.Sessions-(is.Equal-was.Equal), 2*gossip.MaxPeerSessions // with two peers, now or before
		if is.RunsSent != was.RunsSent || is.BytesSent != was.BytesSent || is.Failed != was.Failed || underWay < -most || underWay > most {
			t.Errorf("runs were sent again: %+v\nbefore %+v", is, was)
		}
		for _, p := range statusOf(t, r).Peers {
			if p.Score < 0 {
				t.Errorf("%s was blamed: %v", p.Peer, p.Score)
			}
		}
	}

	// Nor are they sent where something else differs.
	was := statusOf(t, rs[2]).Protocol
	for _, r := range rs[:2] {
		if err := r.Block(rs[2].ID()); err != nil {
			t.Fatal(err)
		}
	}
	put(t, rs[0], "2", map[string]string{"name": "Dog"})
	for _, r := range rs[:2] {
		if err := r.Unblock(); err != nil {
			t.Fatal(err)
		}
	}
	clock.until(t, rs, "the late one has what was written meanwhile", func() bool {
		_, err := rs[2].space.Get(context.Background(), "animals", "2")
		return err == nil
	})
	if is := statusOf(t, rs[2]).Protocol; is.RunsSent != was.RunsSent || is.Sessions == was.Sessions {
		t.Errorf("runs were sent again: %+v\nbefore %+v", is, was)
	}
}
