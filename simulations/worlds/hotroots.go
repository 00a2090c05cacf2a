package worlds

import (
	"slices"
	"time"

	"lightcone/p2p/gossip"
	"lightcone/simulations/engine"
	"lightcone/simulations/forest"
	"lightcone/simulations/mesh"
)

// This file is how roots go from peer to peer on a hot topic: announced, passed on, chosen
// and merged.

// askAgain is the pause between two times that a peer which is behind and merges nothing
// asks for a root that it was not to merge: package node's adoptAgain.
var askAgain = engine.Seconds(5)

// announcementBytes is the size of an announcement with no heads.
const announcementBytes = 220

// announcement is one that was made.
type announcement struct {
	root  forest.Root
	at    engine.Time
	depth uint8 // how many merges deep its root is
}

// notice is the number of an announcement: unlike a forest.Root it is the same in
// every run, so that messages may carry it. Notice 0 is none and stands for the empty root.
type notice uint32

// board keeps all announcements that there is room for, in turns those of each shard. A shard adds its own only, and
// others read those that they got in a message, from a window before.
type board struct {
	all    []announcement
	shards int
	made   []int // by each shard
}

// join adds a shard, in their order, before time passes.
func (b *board) join() (shard int) {
	b.shards, b.made = b.shards+1, append(b.made, 0)
	return b.shards - 1
}

// post keeps an announcement of a shard, if there is room.
func (b *board) post(shard int, a announcement) (n notice, ok bool) {
	at := b.made[shard]*b.shards + shard
	if at >= len(b.all) {
		return 0, false
	}
	b.made[shard]++
	b.all[at] = a
	return notice(at + 1), true
}

// read returns an announcement.
func (b *board) read(n notice) announcement {
	if n == 0 {
		return announcement{}
	}
	return b.all[n-1]
}

// each yields the announcements that were made, by shard.
func (b *board) each(yield func(announcement) bool) {
	for shard, made := range b.made {
		for i := range made {
			if !yield(b.all[i*b.shards+shard]) {
				return
			}
		}
	}
}

// merge spends what is free on the root that is being merged. Who is behind and was not to
// merge any for a while takes the widest that was heard of.
func (h *hotter) merge(p *engine.Port, x *hearer, now time.Time) {
	if x.owed == 0 && p.Now() >= x.ask {
		x.ask = p.Now() + askAgain
		h.fetch(p, x, x.best)
	}
	if x.owed == 0 {
		return
	}
	n := x.budget.Grant(now, int(x.owed))
	p.Count(units, n)
	if x.owed -= int32(n); x.owed > 0 {
		return
	}
	want := h.board.read(x.want)
	m := h.roots.Merge(x.have, want.root)
	p.Count(effects, h.roots.Lacks(x.have, want.root))
	p.Count(blocksRead, m.Read)
	p.Count(blocksPut, m.Put)
	p.Count(merged, 1)
	x.have, x.depth = m.Root, max(x.depth, want.depth)+1
	if x.fresh = m.Root != want.root; !x.fresh { // one as good was heard: that one
		x.settled = true
		p.Count(rootsKept, 1)
	}
	x.ear.Merged(&x.budget)
	h.fetch(p, x, x.next)
	x.next = 0
}

// fetch begins to merge a root, if it has something new: it costs the blocks that are not here and
// the rows that differ.
func (h *hotter) fetch(p *engine.Port, x *hearer, n notice) {
	root := h.board.read(n).root
	if h.roots.Covers(x.have, root) {
		return
	}
	cost := h.roots.Cost(x.have, root)
	p.Count(blocksIn, cost.Blocks)
	p.Count(rowsIn, cost.Rows)
	x.owed, x.want = int32(cost.Blocks+cost.Rows), n
	if x.author >= 0 {
		x.echoed = max(x.echoed, uint16(h.roots.Seq(root, int(x.author))))
	}
}

// fold makes a root of what came: it is news unless one as good was heard of.
func (h *hotter) fold(p *engine.Port, x *hearer, now time.Time) {
	if !x.fresh {
		return
	}
	x.fresh = false
	if x.settled = h.asGood(x); x.settled {
		p.Count(rootsKept, 1)
		return
	}
	x.ear.Makes(now, h.known(x), draws{p})
}

// speak announces the own root when the moment has come, unless one as good was heard of.
func (h *hotter) speak(p *engine.Port, x *hearer, now time.Time) {
	p.Count(earSteps, 1)
	if !x.ear.Speaks(now, h.known(x), draws{p}) || x.settled || x.have == forest.Empty {
		return
	}
	if x.settled = h.asGood(x); x.settled {
		p.Count(rootsKept, 1)
		return
	}
	if x.ear.Crowded() && !h.tells(x) {
		p.Count(rootsHeld, 1)
		return
	}
	n, ok := h.board.post(h.shard, announcement{root: x.have, at: p.Now(), depth: x.depth})
	if !ok {
		p.Count(rootsLost, 1)
		return
	}
	x.settled = true
	p.Count(rootsSaid, 1)
	h.notice(x, n)
	h.Publish(p, uint32(h.of.Memos())+uint32(n)-1)
}

// known is among how many a peer draws its moment to announce: production's beacons
// estimate how many there are, from a day's memos.
func (h *hotter) known(x *hearer) uint64 {
	if h.tells(x) {
		return gossip.Tellers(uint64(len(h.peers)))
	}
	return uint64(h.of.Known)
}

// asGood reports whether a root was heard of that makes it needless to announce the own
// one: an equal one, or one that covers it, as its vector shows, which is here of the root
// that is being merged.
func (h *hotter) asGood(x *hearer) bool {
	return slices.Contains(x.heard[:], x.have) || x.owed > 0 && h.roots.Covers(h.board.read(x.want).root, x.have)
}

// tells reports whether the own root has memos of the peer itself that no root of others is known to
// have.
func (h *hotter) tells(x *hearer) bool {
	return x.author >= 0 && h.roots.Seq(x.have, int(x.author)) > int(x.echoed)
}

// notice remembers a root heard of.
func (h *hotter) notice(x *hearer, n notice) {
	root := h.board.read(n).root
	if h.roots.Size(root) > h.roots.Size(h.board.read(x.best).root) {
		x.best = n
	}
	x.settled = x.settled || root == x.have
	if !slices.Contains(x.heard[:], root) {
		x.heard[x.hears%lately] = root
		x.hears++
	}
}

// takes reports whether what came is taken: of announcements a few in a second from each
// link, as p2p does. What comes faster is seen, and neither heard nor passed on. Here the
// links of a peer have one pace, together.
func (h *hotter) takes(p *engine.Port, msg uint32) bool {
	i := p.Local()
	if int(msg) < h.of.Memos() || h.Seen(i, msg) {
		return true
	}
	links := max(1, h.Degree(i))
	if h.peer[i].pace.Allow(p.Clock(), gossip.RootsEvery/time.Duration(links), gossip.RootsBurst*links) {
		return true
	}
	h.See(i, msg)
	p.Count(mesh.Copies, 1)
	h.paced++
	return false
}

// heardRoot decides about an announcement that came. Of those that are chosen while one is
// being merged the one with the most memos is next, as package node has it.
func (h *hotter) heardRoot(p *engine.Port, n notice) {
	x, root, now := &h.peer[p.Local()], h.board.read(n).root, p.Clock()
	known := slices.Contains(x.heard[:], root)
	h.notice(x, n)
	if known {
		x.ear.Repeated()
	}
	if known || h.roots.Covers(x.have, root) {
		return
	}
	p.Count(earSteps, 1)
	x.ear.News(now, h.known(x), draws{p})
	worth := x.ear.Worth(&x.budget, uint64(h.roots.Authors(root)))
	switch {
	case worth < 1 && p.Float64() >= worth:
		p.Count(rootsPast, 1)
	case x.owed == 0:
		h.fetch(p, x, n)
	case h.roots.Size(root) > h.roots.Size(h.board.read(x.next).root):
		x.next = n
	default:
		p.Count(rootsPast, 1)
	}
}
