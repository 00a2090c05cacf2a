package worlds

import (
	"sync/atomic"
	"time"

	"lightcone/simulations/engine"
	"lightcone/simulations/forest"
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
	maker engine.Peer
	at    engine.Time
	depth uint8 // how many merges deep its root is
}

// notice is the number of an announcement: that of the maker's shard and the how
// manieth of that shard it is. Unlike a forest.Root it is the same in every run. No
// announcement is notice 0, and stands for the empty root.
type notice uint32

// shardBits is where in a notice the shard is: there are up to engine.MaxShards.
const shardBits = 26

// board keeps all announcements. A shard adds its own only, and others read those that
// they got in a message, from a window before.
type board struct {
	shards []atomic.Pointer[[]announcement]
}

// add adds a shard, in their order, before time passes.
func (b *board) add() (shard int) {
	b.shards = append(b.shards, atomic.Pointer[[]announcement]{})
	b.shards[len(b.shards)-1].Store(&[]announcement{{}})
	return len(b.shards) - 1
}

// post keeps an announcement of a shard. What was there stays where it is, or is copied,
// so that readers are not in the way.
func (b *board) post(shard int, a announcement) notice {
	all := append(*b.shards[shard].Load(), a)
	b.shards[shard].Store(&all)
	return notice(shard<<shardBits | (len(all) - 1))
}

// read returns an announcement.
func (b *board) read(n notice) announcement {
	return (*b.shards[n>>shardBits].Load())[n&(1<<shardBits-1)]
}

// all yields the announcements, by shard.
func (b *board) all(yield func(announcement) bool) {
	for i := range b.shards {
		for _, a := range (*b.shards[i].Load())[1:] {
			if !yield(a) {
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
	x.have, x.depth, x.fresh = m.Root, max(x.depth, want.depth)+1, true
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
}

// fold makes a root of what came: it is news unless one as good was heard of.
func (h *hotter) fold(p *engine.Port, x *hearer, now time.Time) {
	if !x.fresh {
		return
	}
	x.fresh = false
	if x.settled = h.roots.Covers(h.board.read(x.best).root, x.have); x.settled {
		p.Count(rootsKept, 1)
		return
	}
	x.ear.News(now, draws{p})
}

// speak announces the own root when the moment has come, unless one as good was heard of.
func (h *hotter) speak(p *engine.Port, x *hearer, now time.Time) {
	p.Count(earSteps, 1)
	if !x.ear.Speaks(now, draws{p}) || x.settled || x.have == forest.Empty {
		return
	}
	x.settled = true
	if h.roots.Covers(h.board.read(x.best).root, x.have) {
		p.Count(rootsKept, 1)
		return
	}
	n := h.board.post(h.shard, announcement{root: x.have, maker: p.Self(), at: p.Now(), depth: x.depth})
	p.Count(rootsSaid, 1)
	h.notice(x, n)
	h.pass(p, p.Self(), n)
}

// pass sends an announcement to all links but the one it came by.
func (h *hotter) pass(p *engine.Port, from engine.Peer, n notice) {
	for _, to := range h.Links(p.Local()) {
		if to != from {
			p.Send(to, rootCame, uint32(n), 0, announcementBytes)
		}
	}
}

// notice remembers a root heard of, and reports whether it is news: it has a memo that
// none before it had, or is the widest. Only those are passed on, which is a model:
// gossipsub passes on what is valid.
func (h *hotter) notice(x *hearer, n notice) (news bool) {
	root := h.board.read(n).root
	if told := h.roots.Join(x.told, root); told != x.told {
		x.told, news = told, true
	}
	if h.roots.Size(root) > h.roots.Size(h.board.read(x.best).root) {
		x.best, news = n, true
	}
	return news
}

// heardRoot decides about an announcement that came. Of those that are chosen while one is
// being merged the one with the most memos is next, as package node has it.
func (h *hotter) heardRoot(p *engine.Port, ev engine.Event) {
	x, n, now := &h.peer[p.Local()], notice(ev.Arg), p.Clock()
	if !h.notice(x, n) {
		return
	}
	h.pass(p, ev.From, n)
	root := h.board.read(n).root
	if h.roots.Covers(x.have, root) {
		return
	}
	p.Count(rootsHeard, 1)
	p.Count(earSteps, 1)
	x.ear.News(now, draws{p})
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
