package p2p

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"lightcone/p2p/gossip"
)

func TestAsk(t *testing.T) {
	a := start(t, newCore(1), Options{Listen: overQUIC})
	c := newCore(2)
	c.answer = func(from gossip.Peer, request []byte) ([]byte, error) {
		if string(request) == "forged" {
			return nil, errors.New("the ticket's seal does not hold: ask for a new one")
		}
		return fmt.Appendf(nil, "%s asked %q", from, request), nil
	}
	b := start(t, c, Options{Listen: overQUIC})
	got, err := a.Ask(t.Context(), b.id, b.Addrs(), []byte("ticket"))
	if err != nil || string(got) != fmt.Sprintf("%s asked %q", a.id, "ticket") {
		t.Fatalf("%q, %v", got, err)
	}
	_, err = a.Ask(t.Context(), b.id, nil, []byte("forged"))
	if !refused(err) || !strings.Contains(err.Error(), "ask for a new one") {
		t.Fatalf("the answer's words are lost in %v", err)
	}
	if _, err := a.Ask(t.Context(), b.id, nil, make([]byte, maxJoin+1)); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("a request above the limit gives %v", err)
	}
	for range 2 * joinBurst {
		if _, err = a.Ask(t.Context(), b.id, nil, []byte("again")); err != nil {
			break
		}
	}
	if !refused(err) || !strings.Contains(err.Error(), ErrTooMany.Error()) {
		t.Fatalf("asking without end gives %v", err)
	}
	a.Block(b.id)
	if _, err := a.Ask(t.Context(), b.id, nil, []byte("x")); !errors.Is(err, ErrBlocked) {
		t.Fatalf("asking a blocked peer gives %v", err)
	}
}

func TestAskNobody(t *testing.T) {
	a := start(t, newCore(1), Options{})
	_, err := a.Ask(t.Context(), gossip.Peer{9}, []string{"/ip4/127.0.0.1/tcp/1", "nonsense"}, []byte("x"))
	if err == nil || !strings.Contains(err.Error(), "cannot reach") {
		t.Fatalf("got %v", err)
	}
}

func TestAnswerAboveLimit(t *testing.T) {
	a := start(t, newCore(1), Options{})
	c := newCore(2)
	c.answer = func(gossip.Peer, []byte) ([]byte, error) { return bytes.Repeat([]byte{'x'}, maxJoin), nil }
	b := start(t, c, Options{})
	if _, err := a.Ask(t.Context(), b.id, b.Addrs(), nil); err == nil || refused(err) {
		t.Fatalf("got %v", err)
	}
	long := strings.Repeat("why ", maxJoin)
	c.answer = func(gossip.Peer, []byte) ([]byte, error) { return nil, errors.New(long) }
	if _, err := a.Ask(t.Context(), b.id, nil, nil); !refused(err) {
		t.Fatalf("a long error gives %v", err)
	}
}

func TestAskEndsWithItsContext(t *testing.T) {
	a := start(t, newCore(1), Options{})
	ctx, cancel := context.WithCancel(t.Context())
	c := newCore(2)
	c.answer = func(gossip.Peer, []byte) ([]byte, error) {
		cancel()
		return nil, errors.New("too late")
	}
	b := start(t, c, Options{})
	connect(t, a, b)
	if _, err := a.Ask(ctx, b.id, nil, nil); err == nil {
		t.Fatal("no error")
	}
}

func TestJoinersAreBounded(t *testing.T) {
	j := quota{every: joinEvery, burst: joinBurst}
	for n := range maxAskers {
		if !j.allow(toID(gossip.Peer{byte(n), byte(n >> 8)})) {
			t.Fatalf("peer %d is refused", n)
		}
	}
	if j.allow("one more") || len(j.peers) != maxAskers {
		t.Fatalf("remembers %d", len(j.peers))
	}
	long := time.Now().Add(-time.Hour)
	for id := range j.peers {
		l := rate.NewLimiter(rate.Every(joinEvery), joinBurst)
		l.AllowN(long, 1)
		j.peers[id] = l
		break
	}
	if !j.allow("one more") || len(j.peers) != maxAskers {
		t.Fatalf("a place is free, and %d are remembered", len(j.peers))
	}
}

// refused reports whether err is the peer's own answer.
func refused(err error) bool {
	var remote *gossip.RemoteError
	return errors.As(err, &remote)
}
