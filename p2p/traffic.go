package p2p

import (
	"strings"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/metrics"
	"github.com/libp2p/go-libp2p/core/peer"

	"lightcone/p2p/gossip"
)

// traffic counts the bytes on all streams, exactly and at once. libp2p's own
// counter smooths rates and is up to a second behind.
type traffic struct {
	sent, received atomic.Int64
	topics         tally
}

var _ metrics.Reporter = (*traffic)(nil)

// LogSentMessage implements metrics.Reporter.
func (t *traffic) LogSentMessage(n int64) { t.sent.Add(n) }

// LogRecvMessage implements metrics.Reporter.
func (t *traffic) LogRecvMessage(n int64) { t.received.Add(n) }

// LogSentMessageStream implements metrics.Reporter; the bytes are counted above.
func (t *traffic) LogSentMessageStream(int64, protocolID, peer.ID) {}

// LogRecvMessageStream implements metrics.Reporter. All bytes are counted above;
// those on topics are counted once more.
func (t *traffic) LogRecvMessageStream(n int64, protocol protocolID, _ peer.ID) {
	if strings.HasSuffix(string(protocol), meshSuffix) {
		t.topics.bytes.Add(n)
	}
}

// GetBandwidthForPeer implements metrics.Reporter; nobody asks.
func (t *traffic) GetBandwidthForPeer(peer.ID) metrics.Stats { return metrics.Stats{} }

// GetBandwidthForProtocol implements metrics.Reporter; nobody asks.
func (t *traffic) GetBandwidthForProtocol(protocolID) metrics.Stats { return metrics.Stats{} }

// GetBandwidthTotals implements metrics.Reporter.
func (t *traffic) GetBandwidthTotals() metrics.Stats {
	return metrics.Stats{TotalOut: t.sent.Load(), TotalIn: t.received.Load()}
}

// GetBandwidthByPeer implements metrics.Reporter; nobody asks.
func (t *traffic) GetBandwidthByPeer() map[peer.ID]metrics.Stats { return nil }

// GetBandwidthByProtocol implements metrics.Reporter; nobody asks.
func (t *traffic) GetBandwidthByProtocol() map[protocolID]metrics.Stats { return nil }

// Traffic returns what was sent and received since the start, and the messages
// that were dropped here.
func (s *Server) Traffic() gossip.Traffic {
	return gossip.Traffic{
		Sent: s.traffic.sent.Load(), Received: s.traffic.received.Load(),
		Dropped: s.traffic.topics.dropped.Load(), Topics: s.traffic.topics.traffic(),
	}
}

// Reset implements metrics.Reporter.
func (t *traffic) Reset() {
	t.sent.Store(0)
	t.received.Store(0)
}

// TrimIdle implements metrics.Reporter; there is nothing to trim.
func (t *traffic) TrimIdle(time.Time) {}
