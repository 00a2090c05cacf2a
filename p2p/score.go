package p2p

import (
	"math"
	"sync"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"

	"lightcone/p2p/gossip"
)

// Scores. A peer's score in a topic falls with what it did wrong: blame from the
// core and breaches of gossipsub's own rules. It rises a little with the time it
// served in the mesh and with messages it brought first. Silence is not punished
// (P3 has weight 0): in a quiet space everybody is silent.
const (
	// blameScore is what one blame takes off a score.
	blameScore = -20
	// blameHalfLife is when half of a blame is forgotten.
	blameHalfLife = 5 * time.Minute
	// maxBlamed bounds the peers remembered for blame.
	maxBlamed = 4096
	// Below lazyScore a peer gets no gossip about messages, below publishScore none
	// of our publications, below grayScore nothing it sends is looked at.
	lazyScore, publishScore, grayScore = -30, -50, -80
	// Who falls to banScore by blame alone is disconnected, and refused until the
	// score is back at pardonScore.
	banScore, pardonScore = grayScore, grayScore / 2
	// banSlack is what may be forgotten between the first and the last blame of a ban.
	banSlack = 1
	// scoreRetention is how long gossipsub remembers who left.
	scoreRetention = 10 * time.Minute
)

// blame remembers who misbehaved, with a half-life.
type blame struct {
	mu    sync.Mutex
	peers map[gossip.Peer]mark
}

type mark struct {
	weight float64 // at the time of
	at     time.Time
	banned bool // until pardoned
}

func (m mark) now(t time.Time) float64 {
	return m.weight * math.Exp2(-float64(t.Sub(m.at))/float64(blameHalfLife))
}

// add blames a peer once more and reports whether it is banned from now on.
func (b *blame) add(p gossip.Peer) (banned bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.peers == nil {
		b.peers = map[gossip.Peer]mark{}
	}
	t := time.Now()
	if _, known := b.peers[p]; !known && len(b.peers) >= maxBlamed {
		b.forgetSmallest(t)
	}
	m := mark{weight: b.peers[p].now(t) + 1, at: t, banned: b.peers[p].banned}
	banned = !m.banned && blameScore*m.weight <= banScore+banSlack
	m.banned = m.banned || banned
	b.peers[p] = m
	return banned
}

// banned reports whether a peer is to be refused.
func (b *blame) banned(p gossip.Peer) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.peers[p]
	if m.banned && blameScore*m.now(time.Now()) > pardonScore {
		m.banned = false
		b.peers[p] = m
	}
	return m.banned
}

func (b *blame) forgetSmallest(t time.Time) {
	var least gossip.Peer
	smallest := math.Inf(1)
	for p, m := range b.peers {
		if w := m.now(t); w < smallest {
			least, smallest = p, w
		}
	}
	delete(b.peers, least)
}

// score is what blame adds to a peer's score.
func (b *blame) score(id peer.ID) float64 {
	p, err := toPeer(id)
	if err != nil {
		return grayScore
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if m, blamed := b.peers[p]; blamed {
		return blameScore * m.now(time.Now())
	}
	return 0
}

// withScores turns peer scoring on for the topics of a space. In that of roots, where
// long times pass without a message, nothing is earned.
func (b *blame) withScores(memos, roots string) pubsub.Option {
	params := &pubsub.PeerScoreParams{
		SkipAtomicValidation:      true,
		AppSpecificScore:          b.score,
		AppSpecificWeight:         1,
		BehaviourPenaltyWeight:    -1,
		BehaviourPenaltyThreshold: 6,
		BehaviourPenaltyDecay:     pubsub.ScoreParameterDecay(10 * time.Minute),
		DecayInterval:             pubsub.DefaultDecayInterval,
		DecayToZero:               pubsub.DefaultDecayToZero,
		RetainScore:               scoreRetention,
		Topics: map[string]*pubsub.TopicScoreParams{memos: {
			SkipAtomicValidation:           true,
			TopicWeight:                    1,
			TimeInMeshWeight:               0.01,
			TimeInMeshQuantum:              time.Second,
			TimeInMeshCap:                  300,
			FirstMessageDeliveriesWeight:   0.1,
			FirstMessageDeliveriesDecay:    pubsub.ScoreParameterDecay(10 * time.Minute),
			FirstMessageDeliveriesCap:      100,
			InvalidMessageDeliveriesWeight: -1,
			InvalidMessageDeliveriesDecay:  pubsub.ScoreParameterDecay(10 * time.Minute),
		}, roots: {
			SkipAtomicValidation:           true,
			TopicWeight:                    1,
			TimeInMeshQuantum:              time.Second,
			InvalidMessageDeliveriesWeight: -1,
			InvalidMessageDeliveriesDecay:  pubsub.ScoreParameterDecay(10 * time.Minute),
		}},
	}
	thresholds := &pubsub.PeerScoreThresholds{
		GossipThreshold:             lazyScore,
		PublishThreshold:            publishScore,
		GraylistThreshold:           grayScore,
		AcceptPXThreshold:           math.MaxFloat32, // peers are not taken from others
		OpportunisticGraftThreshold: 1,
	}
	return pubsub.WithPeerScore(params, thresholds)
}

// blameFor lowers a peer's score and disconnects it when that is enough.
func (s *Server) blameFor(p gossip.Peer, reason error) {
	s.log.Info("blamed a peer", "peer", p, "err", reason)
	if s.blame.add(p) {
		s.log.Warn("disconnecting a peer that was blamed too often", "peer", p)
		s.tasks.spawn(func() { s.host.Network().ClosePeer(toID(p)) })
	}
}
