package mesh

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"lightcone/simulations/engine"
)

// TestRows: rows hold what plain slices do, whether there are few links, messages and
// ids or many, and nothing of one peer shows in another.
func TestRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const peers = 3
		width := rapid.IntRange(1, MaxDegree+slack).Draw(t, "width")
		messages := rapid.SampledFrom([]int{1, 31, 32, 33, 64, 200}).Draw(t, "messages")
		beats := rapid.IntRange(0, MaxBeats).Draw(t, "beats")
		m := newRows(peers, width, messages, beats)
		var links [peers][]engine.Peer
		seen := [peers]map[uint32]bool{{}, {}, {}}
		var recent [peers][][]uint32
		for range rapid.IntRange(0, 200).Draw(t, "steps") {
			i := rapid.IntRange(0, peers-1).Draw(t, "peer")
			r, x := m.of(i), rapid.Uint32Range(0, uint32(messages)-1).Draw(t, "x")
			switch rapid.IntRange(0, 5).Draw(t, "do") {
			case 0:
				want := slices.Contains(links[i], x) || x != 1 && len(links[i]) < width
				if got := m.link(r, 1, x); got != want {
					t.Fatalf("link to %d: %v", x, got)
				}
				if want && !slices.Contains(links[i], x) {
					links[i] = append(links[i], x)
				}
			case 1:
				if k := slices.Index(links[i], x); k >= 0 {
					links[i][k] = links[i][len(links[i])-1]
					links[i] = links[i][:len(links[i])-1]
				}
				r.unlink(x)
			case 2:
				if got := m.see(r, x); got == seen[i][x] {
					t.Fatalf("saw %d anew: %v", x, got)
				}
				seen[i][x] = true
			case 3:
				for range rapid.IntRange(1, 70).Draw(t, "many") {
					m.remember(i, r, x, 300)
					if recent[i] == nil {
						recent[i] = [][]uint32{nil}
					}
					if now := &recent[i][len(recent[i])-1]; beats > 0 && len(*now) < maxRecent {
						*now = append(*now, x|255<<hopShift)
					}
				}
			case 4:
				m.pass(i, r)
				if recent[i] = append(recent[i], nil); len(recent[i]) > beats {
					recent[i] = recent[i][len(recent[i])-max(1, beats):]
				}
			case 5:
				m.forget(i, r)
				r.alone()
				r.live()
				links[i], recent[i] = nil, nil
			}
		}
		for i := range peers {
			r := m.of(i)
			if !slices.Equal(r.links(), links[i]) || !slices.Equal(m.recent(i, r), slices.Concat(recent[i]...)) {
				t.Fatalf("peer %d: links %v, recent %v\nwant %v, %v", i, r.links(), m.recent(i, r), links[i], slices.Concat(recent[i]...))
			}
			for x := range uint32(messages) {
				if m.seen(r, x) != seen[i][x] {
					t.Fatalf("peer %d has seen %d: %v", i, x, m.seen(r, x))
				}
			}
		}
	})
}
