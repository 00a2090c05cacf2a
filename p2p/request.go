package p2p

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/time/rate"
)

// request sends one frame to a connected peer and returns the one that comes back,
// never empty, of at most limit bytes.
func (s *Server) request(ctx context.Context, id peer.ID, protocol protocolID, data []byte, limit int) ([]byte, error) {
	st, err := s.host.NewStream(overAny(ctx, "request"), id, protocol)
	if err != nil {
		return nil, fmt.Errorf("open stream: %w", err)
	}
	defer st.Close()
	defer context.AfterFunc(ctx, func() { st.Reset() })()
	w := bufio.NewWriter(st)
	if err := writeFrame(w, data, limit); err != nil {
		return nil, fmt.Errorf("write request: %w", err)
	}
	if err := w.Flush(); err != nil {
		return nil, fmt.Errorf("write request: %w", err)
	}
	reply, err := readFrame(bufio.NewReader(st), limit)
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", errors.Join(noEOF(err), ctx.Err()))
	}
	if len(reply) == 0 {
		return nil, fmt.Errorf("read answer: %w", io.ErrUnexpectedEOF)
	}
	return reply, nil
}

// maxAskers bounds the peers remembered by one quota; above it nobody new is served.
const maxAskers = 4096

// quota limits the rate of requests, by peer: one every so often after a burst.
type quota struct {
	every time.Duration
	burst int

	mu    sync.Mutex
	peers map[peer.ID]*rate.Limiter
}

func (q *quota) allow(id peer.ID) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.peers == nil {
		q.peers = map[peer.ID]*rate.Limiter{}
	}
	l := q.peers[id]
	if l == nil {
		if len(q.peers) >= maxAskers {
			q.dropIdle()
		}
		if len(q.peers) >= maxAskers {
			return false
		}
		l = rate.NewLimiter(rate.Every(q.every), q.burst)
		q.peers[id] = l
	}
	return l.Allow()
}

// dropIdle forgets the peers that may ask as often as new ones.
func (q *quota) dropIdle() {
	for id, l := range q.peers {
		if l.Tokens() >= float64(q.burst) {
			delete(q.peers, id)
		}
	}
}
