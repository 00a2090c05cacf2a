package p2p

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"lightcone/p2p/gossip"
)

func TestFramesInOrderBothWays(t *testing.T) {
	for name, listen := range map[string][]string{"tcp": overTCP, "quic": overQUIC, "ws": overWS} {
		t.Run(name, func(t *testing.T) {
			n := startN(t, 2, Options{Listen: listen})
			a, b := n[0], n[1]
			connect(t, a, b)
			if got := peerOf(t, a, b).Transports; !slices.Equal(got, []string{name}) {
				t.Fatalf("connected over %v", got)
			}
			admitEachOther(space, a, b) // strangers may not send such frames
			const frames = 200
			e := gossip.Effects{Open: []gossip.Open{{Session: 2, Peer: b.id}}}
			for i := range frames {
				e.Send = append(e.Send, gossip.Send{Session: 2, Data: frameOf("a", i)})
			}
			e.Send = append(e.Send, gossip.Send{Session: 2, Data: make([]byte, gossip.MaxFrame)})
			a.Do(&e)
			got := b.awaitFrames(t, frames+1)
			session := got[0].Session
			if session%2 != 1 {
				t.Fatalf("b numbered a session it accepted %d", session)
			}
			for i, f := range got[:frames] {
				if f.Session != session || f.Peer != a.id || !bytes.Equal(f.Data, frameOf("a", i)) {
					t.Fatalf("frame %d is %d %s %.20q", i, f.Session, f.Peer, f.Data)
				}
			}
			if len(got[frames].Data) != gossip.MaxFrame {
				t.Fatalf("the largest frame came with %d bytes", len(got[frames].Data))
			}
			var back gossip.Effects
			for i := range frames {
				back.Send = append(back.Send, gossip.Send{Session: session, Data: frameOf("b", i)})
			}
			b.Do(&back)
			for i, f := range a.awaitFrames(t, frames) {
				if f.Session != 2 || f.Peer != b.id || !bytes.Equal(f.Data, frameOf("b", i)) {
					t.Fatalf("frame %d is %d %s %.20q", i, f.Session, f.Peer, f.Data)
				}
			}
			// What is sent before an orderly end arrives, then both are told once.
			a.Do(&gossip.Effects{
				Send:  []gossip.Send{{Session: 2, Data: []byte("last")}},
				Close: []gossip.Close{{Session: 2}},
			})
			for _, x := range []node{a, b} {
				if end := x.awaitClosed(t, 1)[0]; end.Err != nil {
					t.Fatalf("an orderly end was reported as %v", end.Err)
				}
			}
			if got := b.awaitFrames(t, frames+2); string(got[frames+1].Data) != "last" {
				t.Fatalf("the last frame is %.20q", got[frames+1].Data)
			}
		})
	}
}

func frameOf(who string, i int) []byte { return fmt.Appendf(nil, "%s %d", who, i) }

// Whatever ends a session, each side hears of it once. The session after it
// shows that nothing more came for the first.
func TestClosedExactlyOnce(t *testing.T) {
	boom := errors.New("boom")
	hello := gossip.Send{Session: 2, Data: []byte("hello")}
	open := gossip.Open{Session: 2}
	for name, ending := range map[string]struct {
		act    func(a, b node)
		local  error // what a is told, nil for an orderly end
		remote bool  // whether b is told of an error
	}{
		"orderly": {func(a, b node) {
			a.Do(&gossip.Effects{Close: []gossip.Close{{Session: 2}}})
		}, nil, false},
		"reset": {func(a, b node) {
			a.Do(&gossip.Effects{Close: []gossip.Close{{Session: 2, Err: boom, Blame: true}}})
		}, boom, true},
		"too large": {func(a, b node) {
			a.Do(&gossip.Effects{Send: []gossip.Send{{Session: 2, Data: make([]byte, gossip.MaxFrame+1)}}})
		}, ErrTooLarge, true},
		"queue overflow": {func(a, b node) {
			b.mu.Lock()
			b.busy = make(chan struct{})
			defer close(b.busy)
			b.mu.Unlock()
			var e gossip.Effects
			for range 2*maxQueuedBytes/gossip.MaxFrame + 64 {
				e.Send = append(e.Send, gossip.Send{Session: 2, Data: make([]byte, gossip.MaxFrame)})
			}
			a.Do(&e)
		}, ErrQueueFull, true},
	} {
		t.Run(name, func(t *testing.T) {
			n := startN(t, 2, Options{})
			a, b := n[0], n[1]
			connect(t, a, b)
			open.Peer = b.id
			a.Do(&gossip.Effects{Open: []gossip.Open{open}, Send: []gossip.Send{hello}})
			first := b.awaitFrames(t, 1)[0].Session
			ending.act(a, b)
			if end := a.awaitClosed(t, 1)[0]; end.Session != 2 || !errors.Is(end.Err, ending.local) {
				t.Fatalf("a was told %+v, want %v", end, ending.local)
			}
			if end := b.awaitClosed(t, 1)[0]; end.Session != first || (end.Err != nil) != ending.remote {
				t.Fatalf("b was told %+v", end)
			}
			a.Do(&gossip.Effects{
				Open:  []gossip.Open{{Session: 4, Peer: b.id}},
				Send:  []gossip.Send{{Session: 4, Data: []byte("again")}},
				Close: []gossip.Close{{Session: 4}, {Session: 2, Err: boom}},
			})
			a.awaitClosed(t, 2)
			ends := b.awaitClosed(t, 2)
			if len(ends) != 2 || len(pick[gossip.Closed](a.all())) != 2 || ends[1].Session == first {
				t.Fatalf("ends at b %v, at a %v", ends, pick[gossip.Closed](a.all()))
			}
		})
	}
}

func TestOpenToNobody(t *testing.T) {
	a := start(t, newCore(1), Options{})
	a.Do(&gossip.Effects{
		Open: []gossip.Open{{Session: 2, Peer: gossip.Peer{7}}},
		Send: []gossip.Send{{Session: 2, Data: []byte("x")}},
	})
	if end := a.awaitClosed(t, 1)[0]; end.Session != 2 || end.Err == nil {
		t.Fatalf("told %+v", end)
	}
}

// A length above the limit ends the session before memory is taken for it.
func TestFrameAboveLimit(t *testing.T) {
	n := startN(t, 2, Options{})
	a, b := n[0], n[1]
	connect(t, a, b)
	admitEachOther(space, a, b) // what strangers may send is less
	st, err := a.host.NewStream(network.WithNoDial(t.Context(), "test"), toID(b.id), reconProtocol)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Write([]byte{0x81, 0x80, 0x40}); err != nil { // 2²⁰ + 1
		t.Fatal(err)
	}
	if end := b.awaitClosed(t, 1)[0]; !errors.Is(end.Err, ErrTooLarge) {
		t.Fatalf("b was told %+v, want %v", end, ErrTooLarge)
	}
	if frames := pick[*gossip.Frame](b.all()); len(frames) != 0 {
		t.Fatalf("%d frames came", len(frames))
	}
}

func TestRefusedFrameEndsSession(t *testing.T) {
	nonsense := errors.New("nonsense")
	c := newCore(2)
	c.refuse = func(in gossip.Input) error {
		if _, ok := in.(*gossip.Frame); ok {
			return nonsense
		}
		return nil
	}
	a, b := start(t, newCore(1), Options{}), start(t, c, Options{})
	connect(t, a, b)
	a.Do(&gossip.Effects{
		Open: []gossip.Open{{Session: 2, Peer: b.id}},
		Send: []gossip.Send{{Session: 2, Data: []byte("x")}},
	})
	if end := b.awaitClosed(t, 1)[0]; !errors.Is(end.Err, ErrRefused) || !errors.Is(end.Err, nonsense) {
		t.Fatalf("b was told %v", end.Err)
	}
	if end := a.awaitClosed(t, 1)[0]; end.Err == nil {
		t.Fatal("a was told of an orderly end")
	}
	if b.blame.score(toID(a.id)) > blameScore/2 {
		t.Fatal("a is not blamed")
	}
}

func TestInboundSessionLimit(t *testing.T) {
	n := startN(t, 2, Options{})
	a, b := n[0], n[1]
	connect(t, a, b)
	for id := range gossip.SessionID(maxInboundPeerSessions) {
		a.Do(&gossip.Effects{
			Open: []gossip.Open{{Session: 2 + 2*id, Peer: b.id}},
			Send: []gossip.Send{{Session: 2 + 2*id, Data: []byte("x")}},
		})
	}
	b.awaitFrames(t, maxInboundPeerSessions)
	a.Do(&gossip.Effects{
		Open: []gossip.Open{{Session: 100, Peer: b.id}},
		Send: []gossip.Send{{Session: 100, Data: []byte("one more")}},
	})
	if end := a.awaitClosed(t, 1)[0]; end.Session != 100 || end.Err == nil {
		t.Fatalf("a was told %+v", end)
	}
	a.Do(&gossip.Effects{Close: []gossip.Close{{Session: 2}}})
	b.awaitClosed(t, 1)
	a.Do(&gossip.Effects{
		Open: []gossip.Open{{Session: 102, Peer: b.id}},
		Send: []gossip.Send{{Session: 102, Data: []byte("in its place")}},
	})
	if got := b.awaitFrames(t, maxInboundPeerSessions+1); string(got[maxInboundPeerSessions].Data) != "in its place" {
		t.Fatalf("got %q", got[maxInboundPeerSessions].Data)
	}
}

func TestSessionPlaces(t *testing.T) {
	var ss sessions
	var open []*session
	for n := range byte(maxInboundSessions) {
		x := newSession(t.Context(), gossip.Peer{n})
		if err := ss.accept(x); err != nil || x.id != gossip.SessionID(2*n+1) {
			t.Fatalf("session %d got id %d, %v", n, x.id, err)
		}
		open = append(open, x)
	}
	late := newSession(t.Context(), gossip.Peer{99})
	if err := ss.accept(late); !errors.Is(err, ErrSessions) {
		t.Fatalf("one more than may be: %v", err)
	}
	ss.remove(open[0])
	if err := ss.accept(late); err != nil {
		t.Fatal(err)
	}
	for _, x := range append(open[1:], late) {
		ss.remove(x)
	}
	if ss.all != 0 || len(ss.inbound) != 0 || len(ss.byID) != 0 {
		t.Fatalf("left behind: %+v", &ss)
	}
}

func TestScoreFallsAndRecovers(t *testing.T) {
	var b blame
	p, id := gossip.Peer{1}, toID(gossip.Peer{1})
	if got := b.score(id); got != 0 {
		t.Fatalf("score of a stranger %v", got)
	}
	for range 5 {
		b.add(p)
	}
	if got := b.score(id); got > grayScore {
		t.Fatalf("score after five blames %v", got)
	}
	old := b.peers[p]
	b.peers[p] = mark{weight: old.weight, at: old.at.Add(-10 * blameHalfLife)}
	if got := b.score(id); got < blameScore/10 {
		t.Fatalf("score long after %v", got)
	}
	for n := range 2 * maxBlamed {
		b.add(gossip.Peer{2, byte(n), byte(n >> 8)})
	}
	if len(b.peers) > maxBlamed {
		t.Fatalf("remembers %d", len(b.peers))
	}
}

// A peer that only takes is not idle, over whatever transport.
func TestTakingIsNotIdle(t *testing.T) {
	for name, listen := range map[string][]string{"tcp": overTCP, "quic": overQUIC} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // it waits for a moment to pass
			o := Options{Listen: listen, bounds: defaultBounds()}
			o.bounds.idle = moment
			a, b := start(t, newCore(1), o), start(t, newCore(2), o)
			connect(t, a, b)
			admitEachOther(space, a, b)
			a.Do(&gossip.Effects{
				Open: []gossip.Open{{Session: 2, Peer: b.id}},
				Send: []gossip.Send{{Session: 2, Data: []byte("give")}},
			})
			session := b.awaitFrames(t, 1)[0].Session
			for end := time.Now().Add(moment * 3 / 2); time.Now().Before(end); time.Sleep(moment / 100) { // longer than it may be idle
				b.Do(&gossip.Effects{Send: []gossip.Send{{Session: session, Data: []byte("taken")}}})
			}
			if ends := pick[gossip.Closed](b.all()); len(ends) > 0 {
				t.Fatalf("it ended with %v", ends[0].Err)
			}
			if end := b.awaitClosed(t, 1)[0]; !errors.Is(end.Err, ErrIdle) {
				t.Fatalf("an idle session ended with %v", end.Err)
			}
		})
	}
}

// What waits for a peer that takes nothing in is bounded, by frames and by bytes.
func TestQueuesAreBounded(t *testing.T) {
	for name, c := range map[string]struct{ size, most int }{
		"frames": {1, maxQueuedFrames},
		"bytes":  {1 << 20, maxQueuedBytes >> 20},
	} {
		var o outbox
		data, n := make([]byte, c.size), 0
		for err := error(nil); err == nil && n <= 2*c.most; {
			if err = o.put(data, true); err == nil {
				n++
			} else if !errors.Is(err, ErrQueueFull) {
				t.Fatal(err)
			}
		}
		if n != c.most {
			t.Errorf("%d of %s wait, want %d", n, name, c.most)
		}
	}
}
