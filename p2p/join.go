package p2p

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peerstore"

	"lightcone/p2p/gossip"
)

// joinProtocol carries one request to join a space and its answer: a frame each
// way, the answer's first byte being its status.
const joinProtocol protocolID = "/lightcone/join/1"

// Limits of join requests.
const (
	// maxJoin bounds a request and an answer, maxRefusal the words of a refusal, in
	// bytes: a stranger that asks in vain gets little for its trouble.
	maxJoin, maxRefusal = 16 << 10, 256
	// joinTimeout bounds a request and its answer, not the connecting.
	joinTimeout = 10 * time.Second
	// joinEvery and joinBurst bound the requests of one peer.
	joinEvery, joinBurst = time.Second, 5
)

// The status of an answer.
const (
	joinOK byte = iota
	joinFailed
)

var (
	// ErrTooMany reports a peer that asks too often.
	ErrTooMany = errors.New("too many requests, try again in a few seconds")
	// ErrBlocked reports that a peer is cut off by Block.
	ErrBlocked = errors.New("peer is blocked here, unblock it first")
)

// acceptJoin answers one request.
func (s *Server) acceptJoin(st network.Stream) {
	if err := s.answerJoin(st); err != nil {
		s.log.Info("failed to answer a join request", "peer", st.Conn().RemotePeer(), "err", err)
		st.Reset()
		return
	}
	st.Close()
}

func (s *Server) answerJoin(st network.Stream) error {
	if err := st.SetDeadline(time.Now().Add(joinTimeout)); err != nil {
		return err
	}
	allowed := s.joins.allow(st.Conn().RemotePeer())
	from, err := toPeer(st.Conn().RemotePeer())
	if err != nil {
		return err
	}
	request, err := readFrame(bufio.NewReader(st), maxJoin)
	if err != nil {
		return fmt.Errorf("read request: %w", noEOF(err))
	}
	ctx, cancel := context.WithTimeout(s.ctx, joinTimeout)
	defer cancel()
	var answer []byte
	err = ErrTooMany
	if allowed {
		answer, err = s.core.Answer(ctx, from, request)
	}
	reply := append([]byte{joinOK}, answer...)
	if err != nil {
		text := err.Error()
		reply = append([]byte{joinFailed}, text[:min(len(text), maxRefusal)]...)
	}
	w := bufio.NewWriter(st)
	if err := writeFrame(w, reply, maxJoin); err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	return w.Flush()
}

// Ask sends a request to join, see gossip.Network. The peer's own words are
// a gossip.RemoteError.
func (s *Server) Ask(ctx context.Context, p gossip.Peer, addrs []string, request []byte) ([]byte, error) {
	if s.gater.Blocked(p) {
		return nil, fmt.Errorf("ask %s: %w", p, ErrBlocked)
	}
	if !s.tasks.begin() {
		return nil, fmt.Errorf("ask %s: %w", p, context.Canceled)
	}
	defer s.tasks.end()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	s.learn(toID(p), addrs, peerstore.TempAddrTTL)
	if err := s.dial(ctx, toID(p)); err != nil {
		return nil, fmt.Errorf("cannot reach %s at %v: %w", p, addrs, err)
	}
	ctx, cancel = context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	reply, err := s.request(ctx, toID(p), joinProtocol, request, maxJoin)
	switch {
	case err != nil:
		return nil, fmt.Errorf("ask %s: %w", p, err)
	case reply[0] != joinOK:
		return nil, &gossip.RemoteError{Text: strings.ToValidUTF8(string(reply[1:]), "?")}
	}
	return reply[1:], nil
}
