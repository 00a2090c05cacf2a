package node

import (
	"context"
	"encoding/binary"
	"errors"
	"testing"

	causal "lightcone/context"
	"lightcone/memo"
)

// future is the token of a memo that its author has not written yet.
func future(s *Space, r *memo.Run, seq uint64) causal.Token {
	h := r.Head()
	return causal.Token{
		Space: [8]byte(s.id[:8]), Origin: [8]byte(h.Author[:8]),
		Heads: []causal.TokenHead{{Author: [8]byte(h.Author[:8]), Seq: seq, Digest: [8]byte(h.ID[:8])}},
	}
}

// A session takes maxTaken tokens that are not covered here, each once. One more
// must not be forgotten silently: the session then refuses what it cannot promise.
func TestTakenTokensAreBounded(t *testing.T) {
	s := newSpace(t)
	run := foreign(t, s, 1, "row")
	x := s.Session(Read{Wait: -1})
	x.Take(future(s, run, 1))
	for i := range uint64(maxTaken - 1) {
		x.Take(future(s, run, 2+i))
		x.Take(future(s, run, 2+i))
	}
	var behind *BehindError
	if _, err := x.Get(context.Background(), "t", "row"); !errors.As(err, &behind) {
		t.Fatalf("with %d tokens: %v", maxTaken, err)
	}
	deliver(t, s.node, run) // covers one token, which makes room for another
	x.Take(future(s, run, 1000))
	if _, err := x.Get(context.Background(), "t", "row"); !errors.As(err, &behind) {
		t.Fatalf("after room was made: %v", err)
	}
	x.Take(future(s, run, 1001))
	if _, err := x.Get(context.Background(), "t", "row"); !errors.Is(err, ErrTooManyTokens) {
		t.Fatalf("Get with one more: %v", err)
	}
	if _, err := x.Put(context.Background(), "t", "row", Fields{"a": memo.Int(1)}); !errors.Is(err, ErrTooManyTokens) {
		t.Fatalf("Put with one more: %v", err)
	}
	if len(x.taken) > maxTaken || !x.Token().IsZero() {
		t.Fatalf("%d tokens kept, and its own token is %s", len(x.taken), x.Token())
	}
}

// Beyond maxAdmitted a space remembers nobody new, and forgets nobody.
func TestAdmittedPeersAreBounded(t *testing.T) {
	s := newSpace(t)
	peer := func(i uint64) (p PeerID) {
		binary.BigEndian.PutUint64(p[:], i)
		return p
	}
	for i := range uint64(maxAdmitted + 10) {
		s.node.admit(s.id, peer(i))
	}
	s.node.admit(s.id, peer(0))
	for i, want := range map[uint64]bool{0: true, maxAdmitted - 1: true, maxAdmitted: false, maxAdmitted + 9: false} {
		if got := s.node.Admitted(s.id, peer(i)); got != want {
			t.Errorf("peer %d is admitted: %v", i, got)
		}
	}
}
