package p2p

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"

	"lightcone/p2p/gossip"
)

type protocolID = protocol.ID

// reconProtocol carries recon sessions, one per stream.
const reconProtocol protocolID = "/lightcone/recon/1"

// How many sessions others may have open with us at once.
const (
	maxInboundSessions     = gossip.MaxSessions
	maxInboundPeerSessions = gossip.MaxPeerSessions
)

// Reasons why a session ends that no other package names.
var (
	// ErrSessions reports a peer that opened more sessions than it may.
	ErrSessions = errors.New("too many recon sessions")
	// ErrQueueFull reports a session whose peer takes in less than the core sends.
	ErrQueueFull = errors.New("send queue is full")
	// ErrIdle reports a session on which nothing moved for too long.
	ErrIdle = errors.New("nothing moved on the stream")
	// ErrStranger reports a peer that did not prove in time that it belongs to a space
	// served here.
	ErrStranger = errors.New("peer did not prove that it belongs to a space here")
	// ErrRefused reports a frame that the core refused.
	ErrRefused = errors.New("core refused a frame")
)

// sessions holds the sessions that are open.
type sessions struct {
	mu      sync.Mutex
	byID    map[gossip.SessionID]*session
	lastOdd gossip.SessionID // of the sessions others opened
	inbound map[gossip.Peer]int
	all     int // sum of inbound
}

// add registers a session that the core opened.
func (t *sessions) add(x *session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.put(x)
}

func (t *sessions) put(x *session) {
	if t.byID == nil {
		t.byID, t.inbound = map[gossip.SessionID]*session{}, map[gossip.Peer]int{}
	}
	t.byID[x.id] = x
}

// accept numbers and registers a session that a peer opened, if it may.
func (t *sessions) accept(x *session) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := t.inbound[x.peer]; n >= maxInboundPeerSessions {
		return fmt.Errorf("%w: peer has %d open", ErrSessions, n)
	}
	if t.all >= maxInboundSessions {
		return fmt.Errorf("%w: %d are open", ErrSessions, t.all)
	}
	x.id = t.lastOdd + 1
	if t.lastOdd != 0 {
		x.id++
	}
	t.lastOdd = x.id
	t.put(x)
	t.inbound[x.peer]++
	t.all++
	return nil
}

// remove forgets a session and frees its place.
func (t *sessions) remove(x *session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.byID, x.id)
	if x.id%2 == 0 {
		return
	}
	t.all--
	if t.inbound[x.peer]--; t.inbound[x.peer] == 0 {
		delete(t.inbound, x.peer)
	}
}

func (t *sessions) get(id gossip.SessionID) *session {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byID[id]
}

// send queues a frame. A frame for a session that ended is lost with it.
func (t *sessions) send(o gossip.Send) {
	if x := t.get(o.Session); x != nil {
		if err := x.out.put(o.Data, x.trusted()); err != nil {
			x.fail(err)
		}
	}
}

// openSession starts a stream for a session of the core's.
func (s *Server) openSession(o gossip.Open) {
	x := newSession(s.ctx, o.Peer)
	x.id = o.Session
	s.sessions.add(x)
	s.tasks.spawn(func() {
		s.run(x, func(ctx context.Context) (network.Stream, error) {
			return s.host.NewStream(overAny(ctx, "recon"), toID(o.Peer), reconProtocol)
		})
	})
}

// acceptSession takes a stream that a peer opened.
func (s *Server) acceptSession(st network.Stream) {
	p, err := toPeer(st.Conn().RemotePeer())
	if err == nil {
		x := newSession(s.ctx, p)
		x.member = func() bool { return s.isMember(toID(p)) }
		x.hello, x.idle = s.bounds.hello, s.bounds.idle
		if err = s.sessions.accept(x); err == nil {
			s.run(x, func(context.Context) (network.Stream, error) { return st, nil })
			return
		}
	}
	s.log.Warn("refused a recon session", "peer", st.Conn().RemotePeer(), "err", err)
	st.Reset()
}

// closeSession ends a session as the core wants it.
func (s *Server) closeSession(o gossip.Close) {
	x := s.sessions.get(o.Session)
	if x == nil {
		return
	}
	if o.Blame {
		s.blameFor(x.peer, o.Err)
	}
	if o.Err != nil {
		s.log.Info("ended a recon session", "peer", x.peer, "err", o.Err)
		x.fail(o.Err)
		return
	}
	x.out.finish()
}

// run sees a session through to its end and tells the core.
func (s *Server) run(x *session, open func(context.Context) (network.Stream, error)) {
	err := s.converse(x, open)
	if err != nil {
		s.log.Debug("recon session failed", "peer", x.peer, "session", x.id, "err", err)
	}
	s.sessions.remove(x)
	if err := s.core.Input(s.ctx, gossip.Closed{Session: x.id, Err: err}); err != nil && s.ctx.Err() == nil {
		s.log.Debug("core refused the end of a session", "session", x.id, "err", err)
	}
}
