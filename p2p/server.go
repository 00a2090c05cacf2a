package p2p

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"

	"lightcone/p2p/gossip"
)

// Server is a replica's presence in the network. Its methods are safe for
// concurrent use.
type Server struct {
	core Core
	log  *slog.Logger
	host host.Host

	ctx    context.Context // ends with the server
	cancel context.CancelFunc
	detach func() bool // stops watching the context of Serve
	tasks  tasks
	close  func() error

	lan      io.Closer // nil when Options.LAN is off
	relay    io.Closer // nil when Options.Relay is off
	relays   relays
	bounds   bounds
	gater    *Gater
	presence presence
	sessions sessions
	topics   topics
	joins    joins
	keeper   keeper
	blame    blame

	traffic traffic
}

var _ gossip.Network = (*Server)(nil)

// Serve connects a core to the network. It returns once the host listens; the
// server then works until ctx ends or Close is called.
func Serve(ctx context.Context, core Core, o Options) (*Server, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	s := &Server{core: core, log: o.Logger, gater: &Gater{}, bounds: *o.bounds}
	var err error
	s.relays.init()
	if s.host, err = s.newHost(core.Key(), o); err != nil {
		return nil, err
	}
	s.ctx, s.cancel = context.WithCancel(ctx)
	s.close = sync.OnceValue(s.shut)
	s.detach = context.AfterFunc(ctx, func() { s.Close() })
	s.topics.init(!o.NoGossip)
	s.presence.init()
	watch, err := s.subscribe()
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("watch connections: %w", err)
	}
	core.Attach(s)
	s.host.SetStreamHandler(reconProtocol, s.tracked(s.acceptSession))
	s.host.SetStreamHandler(joinProtocol, s.tracked(s.acceptJoin))
	if !o.NoGossip {
		s.host.SetStreamHandlerMatch(gossipProtocol, isTopicProtocol, s.tracked(s.acceptGossip))
	}
	s.tasks.spawn(func() { s.watch(watch) })
	s.tasks.spawn(s.tell)
	s.tasks.spawn(s.measure)
	s.tasks.spawn(s.reserve)
	if o.Relay {
		service, err := s.serveRelay()
		if err != nil {
			return nil, errors.Join(fmt.Errorf("offer to relay: %w", err), s.Close())
		}
		s.relay = service
	}
	if o.LAN {
		if err := s.announceLAN(); err != nil { // a convenience: tickets and known addresses still work
			s.log.Warn("peers of the local network are not found by themselves", "err", err)
		}
	}
	return s, nil
}

// Close ends all connections and waits for what the server started. Sessions
// are reset; the core gets no more inputs.
func (s *Server) Close() error { return s.close() }

func (s *Server) shut() error {
	s.cancel()
	s.detach()
	s.tasks.stop()
	var err error
	for _, service := range []io.Closer{s.lan, s.relay} {
		if service != nil {
			err = errors.Join(err, service.Close())
		}
	}
	err = errors.Join(err, s.host.Close())
	s.tasks.wait()
	return err
}

// Do carries out effects, see gossip.Network.
func (s *Server) Do(e *gossip.Effects) {
	for _, o := range e.Open {
		s.openSession(o)
	}
	for _, o := range e.Send {
		s.sessions.send(o)
	}
	for _, o := range e.Close {
		s.closeSession(o)
	}
	for _, o := range e.Blame {
		s.log.Info("blamed a peer", "peer", o.Peer, "err", o.Err)
		s.blame.add(o.Peer)
	}
	for _, o := range e.Admit {
		s.admit(o.Space, toID(o.Peer))
	}
	for _, o := range e.Publish {
		s.publish(o)
	}
}

// tracked makes Close wait for a stream handler.
func (s *Server) tracked(handle network.StreamHandler) network.StreamHandler {
	return func(st network.Stream) {
		if !s.tasks.begin() {
			st.Reset()
			return
		}
		defer s.tasks.end()
		handle(st)
	}
}

// tasks counts the goroutines of a server, so that Close can wait for them.
type tasks struct {
	mu      sync.Mutex
	stopped bool
	wg      sync.WaitGroup
}

// begin counts one more, unless the server is stopping.
func (t *tasks) begin() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.stopped {
		t.wg.Add(1)
	}
	return !t.stopped
}

func (t *tasks) end() { t.wg.Done() }

// spawn runs f in a goroutine, unless the server is stopping.
func (t *tasks) spawn(f func()) {
	if t.begin() {
		go func() {
			defer t.end()
			f()
		}()
	}
}

func (t *tasks) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped = true
}

func (t *tasks) wait() { t.wg.Wait() }
