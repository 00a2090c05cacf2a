package p2p

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"lightcone/p2p/gossip"
)

// Limits of one session.
const (
	// idleTimeout ends a session on which nothing moved either way. It is also the
	// time within which a frame that began must have arrived.
	idleTimeout = 30 * time.Second
	// openTimeout bounds the opening of a stream to a connected peer.
	openTimeout = 10 * time.Second
	// writeTimeout bounds the writing of one frame.
	writeTimeout = 30 * time.Second
	// lingerTimeout is how long, after our orderly end, we wait for theirs.
	lingerTimeout = 5 * time.Second
	// maxQueuedFrames and maxQueuedBytes bound what waits to be sent. Credit keeps
	// it far below, but for vectors of very many authors.
	maxQueuedFrames, maxQueuedBytes = 4096, 32 << 20
	// A stranger's stream gets helloTimeout to prove that it belongs to a space, each
	// frame of it may have strangerFrame bytes, and it is sent no more than
	// strangerReply bytes before.
	helloTimeout                 = 10 * time.Second
	strangerFrame, strangerReply = 1 << 10, 4 << 10
	// streamBuffer is the size of the buffers in front of a stream, in bytes.
	streamBuffer = 64 << 10
)

// session is one recon stream. Its reader, the goroutine in converse, owns it;
// others put frames into its queue, finish the queue, or fail the session.
type session struct {
	id    gossip.SessionID
	peer  gossip.Peer
	out   outbox
	ctx   context.Context
	fail  context.CancelCauseFunc // resets the stream; the first reason counts
	wrote atomic.Int64            // Unix nanoseconds of the last frame written

	member func() bool // the peer proved to be one, or we opened the stream
	proven atomic.Bool // member was true
	begun  time.Time
	hello  time.Duration // helloTimeout
	idle   time.Duration // idleTimeout
}

// trusted reports whether the peer may send and be sent all that members may.
func (x *session) trusted() bool {
	if !x.proven.Load() && x.member() {
		x.proven.Store(true)
	}
	return x.proven.Load()
}

func newSession(ctx context.Context, p gossip.Peer) *session {
	x := &session{
		peer: p, out: outbox{news: make(chan struct{}, 1)},
		member: func() bool { return true }, begun: time.Now(), hello: helloTimeout, idle: idleTimeout,
	}
	x.ctx, x.fail = context.WithCancelCause(ctx)
	return x
}

// converse opens the stream, delivers its frames and returns how it ended.
func (s *Server) converse(x *session, open func(context.Context) (network.Stream, error)) error {
	defer x.fail(nil)
	ctx, cancel := context.WithTimeout(x.ctx, openTimeout)
	defer cancel()
	st, err := open(ctx)
	if err != nil {
		return x.reason(fmt.Errorf("open recon stream: %w", err))
	}
	stop := context.AfterFunc(x.ctx, func() { st.Reset() })
	defer stop()
	written := make(chan struct{})
	go func() {
		defer close(written)
		if err := x.write(st); err != nil {
			x.fail(fmt.Errorf("write: %w", err))
		}
	}()
	err = s.deliver(x, st)
	if err != nil {
		x.fail(err)
	} else {
		x.out.finish()
	}
	<-written
	if x.ctx.Err() != nil {
		st.Reset()
		return x.reason(err)
	}
	st.Close()
	return nil
}

// reason is why the session failed: what it was failed with, else err.
func (x *session) reason(err error) error {
	if cause := context.Cause(x.ctx); cause != nil {
		return cause
	}
	return err
}

// deliver hands the frames to the core until the peer ends the stream. After our
// own orderly end they are read and dropped, so that both ends meet.
func (s *Server) deliver(x *session, st network.Stream) error {
	r := bufio.NewReaderSize(st, streamBuffer)
	for {
		data, err := x.read(st, r)
		switch {
		case errors.Is(err, io.EOF), err != nil && x.out.finished():
			return nil
		case err != nil:
			return fmt.Errorf("read: %w", err)
		case x.out.finished() || x.ctx.Err() != nil:
			continue
		}
		err = s.core.Input(s.ctx, &gossip.Frame{Session: x.id, Peer: x.peer, Data: data})
		if err != nil {
			if s.ctx.Err() == nil {
				s.blameFor(x.peer, err)
			}
			return fmt.Errorf("%w: %w", ErrRefused, err)
		}
	}
}

// read waits for a frame as long as anything moves, and reads it.
func (x *session) read(st network.Stream, r *bufio.Reader) ([]byte, error) {
	for {
		deadline, limit := time.Now().Add(x.idle), gossip.MaxFrame
		if !x.trusted() {
			deadline, limit = x.begun.Add(x.hello), strangerFrame
		}
		if !x.out.finished() {
			if err := st.SetReadDeadline(deadline); err != nil {
				return nil, err
			}
		}
		_, err := r.Peek(1)
		if err == nil {
			return x.readFrame(st, r, limit)
		}
		if !isTimeout(err) {
			return nil, err
		}
		if !x.trusted() {
			return nil, ErrStranger
		}
		// One that comes too early is an old one: a stream that we opened and whose
		// protocol was not agreed on by then remembers it, and reads no more.
		stuck := time.Now().Before(deadline)
		if stuck || x.out.finished() || time.Since(time.Unix(0, x.wrote.Load())) > x.idle {
			return nil, ErrIdle
		}
	}
}

// isTimeout reports whether a deadline passed. Each of libp2p's muxers has an error
// of its own for that.
func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// readFrame reads a frame that began. A member has idleTimeout for it, however long
// nothing came before; the time of a stranger goes on.
func (x *session) readFrame(st network.Stream, r *bufio.Reader, limit int) ([]byte, error) {
	if x.trusted() && !x.out.finished() {
		if err := st.SetReadDeadline(time.Now().Add(x.idle)); err != nil {
			return nil, err
		}
		limit = gossip.MaxFrame // it may have become one while we waited
	}
	return readFrame(r, limit)
}

// write sends what is queued until the queue is finished, and ends our side.
func (x *session) write(st network.Stream) error {
	w := bufio.NewWriterSize(st, streamBuffer)
	for {
		data, more := x.out.take()
		switch {
		case data != nil:
			if err := st.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
				return err
			}
			if err := writeFrame(w, data, gossip.MaxFrame); err != nil {
				return err
			}
			x.wrote.Store(time.Now().UnixNano())
			continue
		case w.Buffered() > 0:
			if err := w.Flush(); err != nil {
				return err
			}
			continue
		case !more:
			st.SetReadDeadline(time.Now().Add(lingerTimeout))
			return st.CloseWrite()
		}
		select {
		case <-x.out.news:
		case <-x.ctx.Done():
			return nil
		}
	}
}

// outbox is the bounded queue of frames in front of a stream.
type outbox struct {
	mu     sync.Mutex
	frames [][]byte
	bytes  int
	total  int // bytes that were put
	done   bool
	news   chan struct{} // holds one token when something changed
}

// put queues a frame; after finish it drops it. Strangers get little.
func (o *outbox) put(data []byte, trusted bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.done {
		return nil
	}
	if !trusted && o.total+len(data) > strangerReply {
		return fmt.Errorf("%w and was to be sent %d bytes", ErrStranger, o.total+len(data))
	}
	if len(o.frames) >= maxQueuedFrames || o.bytes+len(data) > maxQueuedBytes {
		return fmt.Errorf("%w: %d frames, %d bytes wait", ErrQueueFull, len(o.frames), o.bytes)
	}
	o.frames, o.bytes, o.total = append(o.frames, data), o.bytes+len(data), o.total+len(data)
	poke(o.news)
	return nil
}

// finish says that nothing more comes.
func (o *outbox) finish() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.done = true
	poke(o.news)
}

func (o *outbox) finished() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.done
}

// take returns the next frame, nil if there is none now; more reports whether
// there will be.
func (o *outbox) take() (data []byte, more bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.frames) == 0 {
		return nil, !o.done
	}
	data, o.frames[0] = o.frames[0], nil
	o.frames, o.bytes = o.frames[1:], o.bytes-len(data)
	return data, true
}
