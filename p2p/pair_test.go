package p2p

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"

	"lightcone/p2p/gossip"
)

// Now the one and now the other of a pair of streams breaks, while the peers stay
// connected. What each publishes goes on to reach the other.
func TestTopicsSurviveBrokenStreams(t *testing.T) {
	a, b := start(t, serving(1), Options{}), start(t, serving(2), Options{})
	connect(t, a, b)
	admitEachOther(space, a, b)
	linked(t, space, a, b)
	for round := range 2 {
		from, to := a, b
		if round%2 == 1 {
			from, to = b, a
		}
		broken := 0
		for _, st := range streamsTo(from, to) {
			if isTopicProtocol(st.Protocol()) && st.Stat().Direction == network.DirOutbound {
				st.Reset()
				broken++
			}
		}
		if broken == 0 {
			t.Fatalf("round %d: there is no stream to break", round)
		}
		for _, x := range [][2]node{{a, b}, {b, a}} {
			data := fmt.Appendf(nil, "from %s, round %d, attempt ", x[0].id, round)
			eventually(t, string(data), func() bool {
				data = append(data, '.')
				x[0].Do(&gossip.Effects{Publish: []gossip.Publish{{Space: space, Data: bytes.Clone(data)}}})
				return slices.ContainsFunc(pick[*gossip.Heard](x[1].all()), func(h *gossip.Heard) bool {
					return bytes.HasPrefix(data, h.Data[:len(h.Data)-1])
				})
			})
		}
	}
}
