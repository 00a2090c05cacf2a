package gossip

import "lightcone/memo"

// This file is the merging funnel: which announced roots are worth merging where more
// are announced than can be, and which own ones are worth announcing.

const (
	// coversTwo is how many roots that were merged make a root worth announcing, where
	// its reading did not advance.
	coversTwo = 2
	// guessedCost is what merging a root is taken to cost until one was merged, in
	// units, at most guessedSeconds of the budget: who can take in little has to merge
	// one to learn what it costs. costOver is over how many roots the mean is taken then.
	guessedCost, guessedSeconds, costOver = 256, 4, 4
)

// funnel is what a space knows of the roots that others announce.
type funnel struct {
	news  flow    // λ_roots: roots that are news
	peers float64 // P̄: mean of the peers behind them; 0: none was heard of
	cost  float64 // units to fetch and merge one; 0: none was
	mark  int     // units spent when the last was fetched
}

// worth is p_merge of an announced root that is news, with so many peers behind it.
func (f *funnel) worth(b *Budget, peers uint64) float64 {
	f.news.count++
	if f.peers == 0 {
		f.peers = float64(peers)
	}
	f.peers += float64((float64(peers) - f.peers) / maxSightings)
	if b.rate == 0 {
		return 1
	}
	cost := f.cost
	if cost == 0 {
		cost = float64(min(guessedCost, guessedSeconds*b.rate))
	}
	return min(1, float64(b.rate)/cost/f.news.now()*float64(peers)/f.peers)
}

// Merged notes what the state of a root cost that is here now: what was asked for since
// the one before it came.
func (f *funnel) Merged(b *Budget) {
	cost := float64(b.spent[forAsked] - f.mark)
	if f.cost == 0 {
		f.cost = cost
	}
	f.cost += float64((cost - f.cost) / costOver)
	f.mark = b.spent[forAsked]
}

// chosen tosses whether an announced root is to be merged.
func (c *Core) chosen(s *space, a *Announcement) bool {
	p := s.Worth(&c.budget, a.Peers)
	if p < 1 && c.rng.Float64() >= p {
		c.stats.Hearing.Roots++
		return false
	}
	return true
}

// worthSaying reports whether others gain by our newest root: its reading advanced
// since the one that was announced last, or it covers two that were merged since.
// Without beacons there is no reading, and every root is worth it.
func (s *space) worthSaying() bool {
	own, said := s.roots.own, s.roots.said
	if own.Reading == nil || said == nil || advanced(own.Reading, said.Reading) {
		return true
	}
	n := 0
	for _, k := range s.roots.covers {
		if k.id.IsZero() && own.Vector.CoversAll(k.marks) && !said.Vector.CoversAll(k.marks) {
			n++
		}
	}
	return n >= coversTwo
}

// advanced reports whether a reading has a ping that the one before had not.
func advanced(reading, before []memo.Head) bool {
	seen := map[memo.Author]uint64{}
	for _, h := range before {
		seen[h.Author] = h.Seq
	}
	for _, h := range reading {
		if h.Seq > seen[h.Author] {
			return true
		}
	}
	return false
}

// peersBehind estimates P̂, how many peers are behind our newest root: those who wrote
// what it covers, or what its maker knows better, or what others say of the same root.
func (s *space) peersBehind() uint64 {
	own := s.roots.own
	n := max(1, uint64(own.Vector.Len()), own.Peers)
	if o := s.roots.sighted(own.ID); o != nil {
		n = max(n, o.peers)
	}
	return n
}
