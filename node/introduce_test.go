package node

import "testing"

// Each known peer but the joiner is as likely to be introduced as any other.
func TestIntroducedPeersAreDrawn(t *testing.T) {
	const known, joiners = 3 * maxIntroduced, 200
	s, times, chance := &spaceState{}, map[PeerID]int{}, newChance(1)
	peer := func(i int) PeerID { return PeerID{byte(i), 1} }
	for i := range known {
		s.know(peer(i), nil)
	}
	for range joiners {
		drawn := s.introduce(peer(0), chance)
		if len(drawn) != maxIntroduced {
			t.Fatalf("%d peers introduced, want %d", len(drawn), maxIntroduced)
		}
		for _, p := range drawn {
			times[p.ID]++
		}
	}
	if times[peer(0)] > 0 {
		t.Error("a joiner was introduced to itself")
	}
	for i := 1; i < known; i++ { // 67 times each, give or take 7
		if n := times[peer(i)]; n < 20 {
			t.Errorf("peer %d was introduced %d times of %d", i, n, joiners)
		}
	}
}
