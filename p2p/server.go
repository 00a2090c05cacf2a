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
	table    io.Closer // nil without the rendezvous
	relays   relays
	bounds   bounds
	gater    *Gater
	presence presence
	sessions sessions
	topics   topics
	joins    quota
	meetings quota

	candidates candidates
	keeper     keeper
	blame      blame
	proofs     proofs

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
	s.joins = quota{every: joinEvery, burst: joinBurst}
	s.meetings = quota{every: meetEvery, burst: meetBurst}
	s.candidates.init()
	s.relays.init()
	s.presence.init()
	s.topics.init(!o.NoGossip)
	s.gater.blame, s.gater.home, s.gater.crowd.most = &s.blame, s, s.bounds.crowd
	var err error
	if s.host, err = s.newHost(core.Key(), o); err != nil {
		return nil, err
	}
	if err := listen(s.host, o); err != nil {
		s.host.Close()
		return nil, err
	}
	s.ctx, s.cancel = context.WithCancel(ctx)
	s.close = sync.OnceValue(s.shut)
	s.detach = context.AfterFunc(ctx, func() { s.Close() })
	watch, err := s.subscribe()
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("watch connections: %w", err)
	}
	core.Attach(s)
	s.host.SetStreamHandler(reconProtocol, s.tracked(s.acceptSession))
	s.host.SetStreamHandler(joinProtocol, s.tracked(s.acceptJoin))
	s.host.SetStreamHandler(meetProtocol, s.tracked(s.acceptMeeting))
	if !o.NoGossip {
		s.host.SetStreamHandlerMatch(gossipProtocol, isTopicProtocol, s.tracked(s.acceptGossip))
	}
	s.tasks.spawn(func() { s.watch(watch) })
	s.tasks.spawn(s.tell)
	s.tasks.spawn(s.measure)
	s.tasks.spawn(s.reserve)
	s.tasks.spawn(s.acquaint)
	if err := s.offer(o); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// offer starts what the options ask for beyond the protocol.
func (s *Server) offer(o Options) error {
	if o.Relay {
		service, err := s.serveRelay()
		if err != nil {
			return fmt.Errorf("offer to relay: %w", err)
		}
		s.relay = service
	}
	bootstrap, err := parsePeers(o.Bootstrap)
	if err != nil {
		return err
	}
	pinned, err := parsePeers(o.Peers)
	if err != nil {
		return err
	}
	if o.Rendezvous || len(bootstrap) > 0 {
		if err := s.joinTable(bootstrap); err != nil {
			return fmt.Errorf("take part in the rendezvous: %w", err)
		}
	}
	for _, info := range append(pinned, bootstrap...) {
		if p, err := toPeer(info.ID); err == nil {
			s.Keep(p, texts(info.Addrs))
		}
	}
	if o.LAN {
		if err := s.announceLAN(); err != nil { // a convenience: tickets and known addresses still work
			s.log.Warn("peers of the local network are not found by themselves", "err", err)
		}
	}
	return nil
}

// Close ends all connections and waits for what the server started. Sessions
// are reset; the core gets no more inputs.
func (s *Server) Close() error { return s.close() }

func (s *Server) shut() error {
	s.cancel()
	s.detach()
	s.tasks.stop()
	var err error
	for _, service := range []io.Closer{s.lan, s.relay, s.table} {
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
	for _, o := range e.Admit { // first: what is sent to members may be more
		s.prove(toID(o.Peer))
		s.candidates.add(o.Space, toID(o.Peer), true)
		s.admit(o.Space, toID(o.Peer))
	}
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
		s.blameFor(o.Peer, o.Err)
	}
	for _, o := range e.Expel {
		s.expel(o.Space, toID(o.Peer))
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
