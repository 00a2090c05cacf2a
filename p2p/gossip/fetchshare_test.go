package gossip

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"lightcone/memo"
	"lightcone/merge"
)

// Fetches of one root share the way: its blocks come once, and who asks late or
// for more is told what is there and gets the rest.
func TestFetchesOfOneRootShareTheWay(t *testing.T) {
	w := settled(1, 3, 2_000, faults{delay: 20 * time.Millisecond})
	a, c := w.replicas[0], w.replicas[2]
	w.connect(a, c)
	w.run(time.Second, nil)
	in := Fetch{Space: w.space, Root: a.shelf.newest.ID, Parts: VectorPart}
	c.step(in)
	c.step(in)
	in.Parts = StatePart
	c.step(in)
	w.run(time.Minute, func() bool { return len(c.fetched) == 2 })
	in.Parts = VectorPart
	c.step(in) // what it asks for is there: it is told so at once
	if n := len(c.fetched); n != 3 || c.fetched[2].Parts != SealsPart || c.fetched[2].Err != nil {
		t.Fatalf("%d told: %+v", n, c.fetched)
	}
	if !w.run(time.Minute, func() bool { return len(c.fetched) == 4 }) || c.fetched[3].Parts != StatePart || c.fetched[3].Err != nil {
		t.Fatalf("told %+v", c.fetched)
	}
	need, err := c.holds(a.shelf.newest.Root)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.core.Stats(); got.BlocksGot != need+1 || got.Fetches != 1 {
		t.Errorf("%d blocks in %d sessions, the root has %d", got.BlocksGot, got.Fetches, need+1)
	}
	if len(c.core.jobs) > 0 {
		t.Errorf("%d jobs are left", len(c.core.jobs))
	}
}

// However many roots are asked for, a bounded number is fetched and waits; every
// Fetch has an end.
func TestFetchesAreBounded(t *testing.T) {
	const asked = 2 * maxJobs
	w := settled(1, 3, 50, faults{delay: 10 * time.Millisecond})
	a, c := w.replicas[0], w.replicas[2]
	var roots []memo.ID
	for range asked {
		a.shelf.put(a.author.write(w.space, w.now, nil, 1, 100))
		roots = append(roots, a.newRoot().ID)
	}
	for i, connected := range []bool{false, true} {
		if connected {
			w.connect(a, c)
			w.run(time.Second, nil)
		}
		c.fetched = nil
		for _, root := range roots {
			c.step(Fetch{Space: w.space, Root: root, Parts: VectorPart})
			if n := len(c.core.jobs); n > maxJobs {
				t.Fatalf("%d jobs", n)
			}
		}
		begun := w.now
		over := func() bool {
			active := 0
			for _, j := range c.core.jobs {
				if j.active {
					active++
				}
			}
			if active > MaxFetches {
				t.Fatalf("%d roots at once", active)
			}
			return len(c.fetched) == asked
		}
		if !w.run(10*time.Minute, over) || len(c.core.jobs) > 0 {
			t.Fatalf("%d of %d ended", len(c.fetched), asked)
		}
		ends := map[memo.ID]error{}
		for _, f := range c.fetched {
			ends[f.Root] = f.Err
		}
		full, fine := 0, 0
		for _, root := range roots {
			err, ended := ends[root]
			switch {
			case !ended:
				t.Fatalf("root %s has no end", root)
			case err == nil:
				fine++
			case errors.Is(err, ErrFetches):
				full++
			case !errors.Is(err, ErrUnavailable):
				t.Fatal(err)
			}
		}
		t.Logf("connected %v: %d fetched, %d refused or out of turn, after %v", connected, fine, full, w.now-begun)
		if took := w.now - begun; took > turnPatience+fetchPatience+time.Second {
			t.Errorf("connected %v: the last ended after %v", connected, took)
		}
		if want := i * maxJobs; fine != want || full < asked-maxJobs {
			t.Errorf("connected %v: %d fetched, %d refused", connected, fine, full)
		}
	}
}

// A long fetch keeps neither recon nor a short fetch from the one peer there is.
func TestFetchesGiveWay(t *testing.T) {
	w := settled(1, 3, 8_000, faults{delay: 200 * time.Millisecond})
	a, c := w.replicas[0], w.replicas[2]
	long := a.shelf.newest.ID
	a.shelf.put(a.author.write(w.space, w.now, nil, 1, 100))
	short := a.newRoot()
	c.shelf.copy(a.shelf) // so that recon is quick
	c.shelf.blocks, c.shelf.newest = map[memo.ID][]byte{}, nil
	w.connect(a, c)
	w.run(2*time.Second, nil)
	c.step(Fetch{Space: w.space, Root: long, Parts: StatePart})
	w.run(2*time.Second, nil)
	recons := c.core.Stats().Sessions
	for range 2 {
		c.step(Fetch{Space: w.space, Root: short.ID, Parts: VectorPart})
	}
	done := func(root memo.ID, parts Parts) func() bool {
		return func() bool {
			for _, f := range c.fetched {
				if f.Err != nil {
					t.Fatal(f.Err)
				}
				if len(f.Seals) > 0 {
					t.Fatal("seals came of memos that are held")
				}
				if f.Root == root && f.Parts == parts {
					return true
				}
			}
			return false
		}
	}
	if !w.run(time.Minute, done(short.ID, VectorPart)) || done(long, StatePart)() {
		t.Fatalf("the short fetch does not end before the long one: %+v", c.fetched)
	}
	c.step(Want{Space: w.space, Origin: a.id})
	if !w.run(time.Minute, func() bool { return c.core.Stats().Sessions > recons }) || done(long, StatePart)() {
		t.Fatalf("recon does not begin before the long one ends")
	}
	if !w.run(time.Minute, done(long, StatePart)) || len(w.blamed) > 0 {
		t.Fatalf("the long fetch does not end: %+v, %v", c.fetched, w.blamed)
	}
}

// A peer that has the tree and none of its rows is left before it was asked for all
// of them.
func TestFetchLeavesWhoLacksMuch(t *testing.T) {
	const rows = 5_000
	w := settled(1, 3, rows, faults{delay: 20 * time.Millisecond})
	a, b, c := w.replicas[0], w.replicas[1], w.replicas[2]
	for id, data := range b.shelf.blocks {
		if _, err := merge.DecodeRow(data); err == nil {
			delete(b.shelf.blocks, id)
		}
	}
	nulls := 0
	b.lie(onBlocksOf(func(m *blocks) { // it does not lie: it is only counted
		for _, k := range m.Blocks {
			if k == nil {
				nulls++
			}
		}
	}))
	w.connect(a, c)
	w.connect(b, c)
	w.run(time.Second, nil)
	got := w.fetches(Fetch{Space: w.space, Root: a.shelf.newest.ID, Origin: b.id, Parts: StatePart}, time.Minute)
	if got.Err != nil || nulls < maxLacking || nulls > rows/2 {
		t.Errorf("%d nulls: %v", nulls, got.Err)
	}
}

// Two peers that fetch from each other still have room for recon between them.
func TestFetchesLeaveRoomForRecon(t *testing.T) {
	p, other := Peer{1}, memo.SpaceID{2}
	sessions := func(ss ...*session) *Core {
		c := New(Config{})
		for i, s := range ss {
			s.peer = p
			c.sessions[SessionID(i)] = s
		}
		return c
	}
	fetches := func(opened bool) *session { return &session{opened: opened, supply: &supply{}} }
	recon := func(opened bool, id memo.SpaceID) *session { return &session{opened: opened, space: &space{id: id}} }
	for _, x := range []struct {
		core *Core
		busy bool
	}{
		{sessions(), false},
		{sessions(fetches(true), fetches(false)), false},
		{sessions(fetches(true), fetches(false), fetches(false)), false},
		{sessions(fetches(true), recon(true, other)), true}, // the peer takes two of ours
		{sessions(fetches(false), recon(true, other)), false},
		{sessions(fetches(false), recon(false, other), recon(true, other)), true},
		{sessions(recon(false, testSpace)), true},
	} {
		if got := x.core.busy(p, testSpace); got != x.busy {
			t.Errorf("with %d sessions: busy is %v", len(x.core.sessions), got)
		}
	}
}

// A session ends when it brought its share; the next one goes on with the same peer.
func TestFetchGoesOnInAnotherSession(t *testing.T) {
	w := settled(1, 3, 5_000, faults{delay: 20 * time.Millisecond})
	a, c := w.replicas[0], w.replicas[2]
	w.connect(a, c)
	w.run(time.Second, nil)
	c.step(Fetch{Space: w.space, Root: a.shelf.newest.ID, Parts: StatePart})
	shares := 0
	over := func() bool {
		for _, j := range c.core.jobs {
			if len(j.fresh) > 2*wantChunk {
				t.Fatalf("%d blocks are remembered that were kept", len(j.fresh))
			}
		}
		for _, s := range c.core.sessions {
			if s.supply != nil && shares < 3 && len(s.supply.asked) > 20 && s.supply.bytes < sessionBytes {
				s.supply.bytes, shares = sessionBytes, shares+1 // as if it had brought that much
			}
		}
		return len(c.fetched) == 3
	}
	if !w.run(time.Minute, over) || c.fetched[2].Err != nil || len(w.blamed) > 0 {
		t.Fatalf("%+v, %v", c.fetched, w.blamed)
	}
	need, err := c.holds(a.shelf.newest.Root)
	if got := c.core.Stats(); err != nil || shares != 3 || got.Fetches != 4 || got.BlocksGot != need+1 {
		t.Errorf("%d blocks of %d in %d sessions, %d shares: %v", got.BlocksGot, need+1, got.Fetches, shares, err)
	}
	w.run(time.Second, nil)
	if failed := a.core.Stats().Failed; failed > 0 {
		t.Errorf("the other side counts %d failures", failed)
	}
}

// What a fetch of a space that is not here, or of nothing sensible, comes to.
func TestFetchOfNothing(t *testing.T) {
	v := newVictim(t)
	v.step(Fetch{Space: memo.SpaceID{9}, Root: memo.ID{1}, Parts: VectorPart})
	if len(v.fetched) != 1 || !errors.Is(v.fetched[0].Err, ErrUnavailable) {
		t.Errorf("%+v", v.fetched)
	}
	v.step(Prefer{Space: v.space, Root: memo.ID{1}, Key: "k"}) // of no fetch: no harm
	v.step(Folded{Space: memo.SpaceID{9}})

	v = newVictim(t)
	id := v.supplied("asked the newest")
	v.frame(id, v.fetchFrame())
	if len(v.fetched) != 1 || !errors.Is(v.fetched[0].Err, ErrUnavailable) || v.fetched[0].From != v.evil.id {
		t.Errorf("a peer without a root: %+v", v.fetched)
	}
}

// A row that a reader waits for is here long before the rest, whenever it is said.
func TestPreferredRowComesFirst(t *testing.T) {
	w := settled(1, 3, 5_000, faults{delay: 50 * time.Millisecond})
	a, c := w.replicas[0], w.replicas[2]
	w.connect(a, c)
	w.run(time.Second, nil)
	root := a.shelf.newest
	c.step(Fetch{Space: w.space, Root: root.ID, Parts: StatePart})
	w.run(time.Minute, func() bool { return len(c.fetched) == 2 }) // the state begins
	key := merge.RowKey("t", "row-004900")
	c.step(Prefer{Space: w.space, Root: root.ID, Key: key})
	read := func() bool {
		_, ok, err := merge.StateRow(root.Root.Params, getterOf(c.shelf), root.Root.State, key)
		return err == nil && ok
	}
	begun := w.now
	if !w.run(time.Minute, read) {
		t.Fatal("the row does not come")
	}
	row, held := w.now-begun, len(c.shelf.blocks)
	w.run(time.Minute, func() bool { return len(c.fetched) == 3 })
	t.Logf("the row is here after %v and %d blocks, all %d after %v", row, held, len(c.shelf.blocks), w.now-begun)
	if held > len(c.shelf.blocks)/2 {
		t.Errorf("%d of %d blocks came before the row", held, len(c.shelf.blocks))
	}
}

// TestMeasureFetch logs what a state costs, from nothing and where ten rows
// differ; it asserts that no block comes but those that are missing, in few frames.
func TestMeasureFetch(t *testing.T) {
	const rtt = 100 * time.Millisecond
	w := settled(1, 3, 10_000, faults{delay: rtt / 2})
	a, c := w.replicas[0], w.replicas[2]
	w.connect(a, c)
	w.run(2*time.Second, nil)
	measure := func(what string, missing int) {
		t.Helper()
		w.bytes = traffic{}
		blocks, begun := c.core.Stats().BlocksGot, w.now
		got := w.fetches(Fetch{Space: w.space, Root: a.shelf.newest.ID, Origin: a.id, Parts: StatePart}, time.Minute)
		if got.Err != nil {
			t.Fatal(got.Err)
		}
		blocks = c.core.Stats().BlocksGot - blocks
		size := 0
		for _, data := range c.shelf.blocks {
			size += len(data)
		}
		t.Logf("%-12s %6d blocks, %8d bytes in %4d frames, %.1f round trips (%d bytes of blocks held after it)",
			what, blocks, w.bytes.recon, w.bytes.frames, float64(w.now-begun)/float64(rtt), size)
		if blocks != missing {
			t.Errorf("%s: %d blocks came, %d were missing", what, blocks, missing)
		}
		if most := 16 + blocks/10; w.bytes.frames > most {
			t.Errorf("%s: %d frames, at most %d", what, w.bytes.frames, most)
		}
		c.shelf.newest, c.fetched = a.shelf.newest, nil
	}
	measure("from nothing", len(a.shelf.blocks))
	before := len(a.shelf.blocks)
	for i := range 10 { // rows all over the state
		a.shelf.put(a.overwrite(w.space, w.now, fmt.Sprintf("row-%06d", i*1000+500)))
	}
	a.newRoot()
	measure("ten rows", len(a.shelf.blocks)-before)
}
