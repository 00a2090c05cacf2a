package node_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"lightcone/memo"
	"lightcone/node"
	"lightcone/p2p"
)

// shifted is a clock that runs ahead of the real one, by what the test says.
type shifted struct{ by atomic.Int64 }

func (c *shifted) now() time.Time { return time.Now().Add(time.Duration(c.by.Load())) }

// beaconSwarm starts replicas that ping, on one clock, and share a space.
func beaconSwarm(t *testing.T, k int, silent ...int) ([]*replica, *shifted) {
	t.Helper()
	clock := &shifted{}
	rs := make([]*replica, k)
	for i := range rs {
		o := node.Options{Now: clock.now, Durability: node.None}
		for _, s := range silent {
			o.Silent = o.Silent || s == i
		}
		rs[i] = serve(t, t.TempDir(), o, p2p.Options{})
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
	return rs, clock
}

// pass lets time go by on the shared clock, a step of the beacons at a time.
func (c *shifted) pass(rs []*replica, step time.Duration, steps int) {
	for range steps {
		c.by.Add(int64(step))
		for _, r := range rs {
			r.TickBeacons()
		}
	}
}

func beaconsOf(t *testing.T, r *replica) node.Beacons {
	t.Helper()
	b, err := r.space.Beacons(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// until lets time go by, second by second, until ok.
func (c *shifted) until(t *testing.T, rs []*replica, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			for _, r := range rs {
				t.Logf("%+v", beaconsOf(t, r))
			}
			t.Fatalf("waited in vain until %s", what)
		}
		c.pass(rs, time.Second, 1)
		time.Sleep(10 * time.Millisecond)
	}
}

// Pings flow between real nodes, each learns what the others claim, and the stability
// cut follows what all of them have.
func TestPingsFlowAndTheCutAdvances(t *testing.T) {
	t.Parallel() // it waits for disks and links
	rs, clock := beaconSwarm(t, 3)
	for _, row := range []string{"1", "2"} {
		rec := put(t, rs[0], row, map[string]string{"name": "Cat"})
		converge(t, rs[:1])
		stable := func(r *replica) func() bool {
			return func() bool {
				cut := beaconsOf(t, r).Stable.Cut
				mark, ok := cut.Get(rs[0].ID())
				return ok && covers(rec, rs[0].ID(), mark.Seq)
			}
		}
		for _, r := range rs {
			clock.until(t, rs, "the write is in the stability cut", stable(r))
		}
	}
	for i, r := range rs {
		b := beaconsOf(t, r)
		if len(b.Beacons) != 3 || b.Stable.Roster != 3 || b.Stable.Known != 3 {
			t.Errorf("replica %d knows %d beacons, a roster of %d, claims of %d; want 3 of each", i, len(b.Beacons), b.Stable.Roster, b.Stable.Known)
		}
		if b.Target != memo.DefaultRho || b.Rate <= 0 || b.Chance <= 0 || b.Chance > 1 || b.Authors < 2.5 || b.Authors > 3.5 {
			t.Errorf("replica %d: target %v, rate %v, chance %v, authors %v", i, b.Target, b.Rate, b.Chance, b.Authors)
		}
		if b.Late.Memos != 0 {
			t.Errorf("replica %d finds %d memos late", i, b.Late.Memos)
		}
		reading, peers := r.space.Behind()
		if len(reading) == 0 || peers < 1 || peers > 3 {
			t.Errorf("replica %d: a reading of %d pings, %d peers behind it", i, len(reading), peers)
		}
	}
}

// covers reports whether seq reaches the memo of a receipt.
func covers(rec node.Receipt, author node.PeerID, seq uint64) bool {
	for _, h := range rec.Token.Heads {
		if h.Author == [8]byte(author[:8]) && h.Seq > seq {
			return false
		}
	}
	return true
}

// Two nodes at rest stay at rest: in ten minutes each pings ten times at most, nothing
// is folded, no root announced, and nobody who waits for rows is woken.
func TestIdleSpaceStaysAtRest(t *testing.T) {
	t.Parallel() // it waits for disks and links
	rs, clock := beaconSwarm(t, 2)
	put(t, rs[0], "1", map[string]string{"name": "Cat"})
	pinged := func() bool { return len(beaconsOf(t, rs[0]).Beacons) == 2 && len(beaconsOf(t, rs[1]).Beacons) == 2 }
	clock.until(t, rs, "both pinged about the write", pinged)
	converge(t, rs)
	var rows []<-chan struct{}
	for _, r := range rs {
		if err := r.space.Fold(context.Background()); err != nil {
			t.Fatal(err)
		}
		clock.pass(rs, time.Second, 1)
		rows = append(rows, r.Rows())
	}
	before, announced := rs[0].Spaces()[0].Memos, announcements(t, rs)

	const minutes = 10
	clock.pass(rs, 5*time.Second, minutes*12)
	converge(t, rs)
	pings := rs[0].Spaces()[0].Memos - before
	t.Logf("%d pings of two idle nodes in %d minutes", pings, minutes)
	if pings == 0 || pings > 2*minutes {
		t.Errorf("want some, and at most one a minute of each")
	}
	for i, r := range rs {
		if !r.space.Rests() {
			t.Errorf("replica %d finds something to fold", i)
		}
		select {
		case <-rows[i]:
			t.Errorf("pings woke who waits for rows at replica %d", i)
		default:
		}
	}
	if now := announcements(t, rs); now > announced+2 { // those of the folds above may come late
		t.Errorf("%d roots were announced by an idle space", now-announced)
	}
	put(t, rs[0], "2", map[string]string{"name": "Dog"})
	select {
	case <-rows[0]:
	default:
		t.Error("a write does not wake who waits for rows")
	}
}

func announcements(t *testing.T, rs []*replica) (n int64) {
	t.Helper()
	for _, r := range rs {
		st, err := r.Status(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		n += int64(st.Protocol.Roots.Announced)
	}
	return n
}

// A beacon whose clock is an hour ahead moves nobody's time: its pings wait, and are
// counted once that hour is over. Nobody's writes are late meanwhile.
func TestPingsFromTheFutureWait(t *testing.T) {
	honest, fast := &shifted{}, &shifted{}
	fast.by.Store(int64(time.Hour))
	a := serve(t, t.TempDir(), node.Options{Now: honest.now, Durability: node.None}, p2p.Options{})
	b := serve(t, t.TempDir(), node.Options{Now: fast.now, Durability: node.None}, p2p.Options{})
	var err error
	if a.space, err = a.CreateSpace("default", node.Policy{}); err != nil {
		t.Fatal(err)
	}
	if b.space, err = join(t, a, b); err != nil {
		t.Fatal(err)
	}
	rs := []*replica{a, b}
	honest.until(t, rs, "the ping from the future is held back", func() bool {
		fast.by.Add(int64(time.Second))
		st, err := a.Status(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		return st.Delayed > 0
	})
	put(t, a, "1", map[string]string{"name": "Cat"})
	honest.pass(rs, time.Second, 5)
	for _, beacon := range beaconsOf(t, a).Beacons {
		if beacon.ID == b.ID() {
			t.Errorf("a ping of %v counts at %v", beacon.Time, honest.now())
		}
	}
	st := beaconsOf(t, a).Stable
	if st.Roster != 1 || st.Known != 1 || st.Time.After(honest.now()) {
		t.Errorf("the stability cut stands on %d of %d beacons and is of %v, it is %v", st.Known, st.Roster, st.Time, honest.now())
	}
	honest.by.Store(fast.by.Load())
	honest.until(t, rs, "the ping counts", func() bool { return len(beaconsOf(t, a).Beacons) == 2 })
	if late := beaconsOf(t, a).Late.Memos + beaconsOf(t, b).Late.Memos; late != 0 {
		t.Errorf("%d memos are called late", late)
	}
}

// agreeWithout has two replicas forget a third beacon, which they block, for more than a
// day, agree on what they have, and let it in again.
func agreeWithout(t *testing.T, both []*replica, clock *shifted) {
	t.Helper()
	clock.by.Add(int64(25 * time.Hour))
	put(t, both[0], "1", map[string]string{"name": "Cat"})
	clock.until(t, both, "two beacons have a stability cut without the third", func() bool {
		a, b := beaconsOf(t, both[0]).Stable, beaconsOf(t, both[1]).Stable
		return a.Roster == 2 && b.Roster == 2 && a.Known == 2 && b.Known == 2
	})
	for _, r := range both {
		if err := r.Unblock(); err != nil {
			t.Fatal(err)
		}
	}
}

// Who was away for long and comes back with old memos is late, and heard of: the memos
// are joined all the same.
func TestLateMemosAreReported(t *testing.T) {
	rs, clock := beaconSwarm(t, 3)
	late := rs[2]
	if err := rs[0].Block(late.ID()); err != nil {
		t.Fatal(err)
	}
	if err := rs[1].Block(late.ID()); err != nil {
		t.Fatal(err)
	}
	_, err := late.space.Put(context.Background(), "animals", "late", node.Fields{"from": memo.Int(4)})
	if err != nil {
		t.Fatal(err)
	}
	both := rs[:2]
	agreeWithout(t, both, clock)
	clock.until(t, both, "the late memo is here and reported", func() bool {
		return beaconsOf(t, rs[0]).Late.Memos > 0
	})
	if _, err := rs[0].space.Get(context.Background(), "animals", "late"); err != nil {
		t.Errorf("the late memo was reported and not joined: %v", err)
	}
	if last := beaconsOf(t, rs[0]).Late.Last; len(last) == 0 || last[0].Author != late.ID() {
		t.Errorf("late memos: %v", last)
	}
}

// Who comes later was not there when the others claimed: it learns what they claimed as
// the history attaches, or fetches it.
func TestLateJoinerLearnsClaims(t *testing.T) {
	t.Parallel() // it waits for disks and links
	rs, clock := beaconSwarm(t, 2)
	put(t, rs[0], "1", map[string]string{"name": "Cat"})
	clock.until(t, rs, "both pinged about the write", func() bool { return len(beaconsOf(t, rs[0]).Beacons) == 2 })
	late := serve(t, t.TempDir(), node.Options{Now: clock.now, Durability: node.None, Silent: true}, p2p.Options{})
	var err error
	if late.space, err = join(t, rs[0], late); err != nil {
		t.Fatal(err)
	}
	clock.until(t, append(rs, late), "the late one knows what both claim", func() bool {
		st := beaconsOf(t, late).Stable
		return st.Roster == 3 && st.Known == 3
	})
	for _, one := range beaconsOf(t, late).Beacons {
		if one.Claim.Seq == 0 {
			t.Errorf("the claim of %v is not known", one.ID)
		}
	}
}
