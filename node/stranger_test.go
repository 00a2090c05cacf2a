package node_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"lightcone/memo"
	"lightcone/node"
	"lightcone/p2p"
	"lightcone/p2p/gossip"
)

// eavesdropper is a node that lets everybody in, and counts what the network brings.
type eavesdropper struct {
	*node.Node
	frames, topics atomic.Int64
}

func (e *eavesdropper) Admitted(memo.SpaceID, gossip.Peer) bool { return true }

func (e *eavesdropper) Input(ctx context.Context, in gossip.Input) error {
	switch in.(type) {
	case *gossip.Frame:
		e.frames.Add(1)
	case *gossip.Heard, *gossip.HeardRoot, gossip.Linked:
		e.topics.Add(1)
	}
	return e.Node.Input(ctx, in)
}

// eavesdrop starts a node that takes itself for a member of the victim's space, by its
// id, its addresses and a secret.
func eavesdrop(t *testing.T, victim *replica, secret []byte) *eavesdropper {
	t.Helper()
	dir := t.TempDir()
	state, err := json.Marshal(map[string]any{"version": 1, "spaces": []any{map[string]any{
		"id": victim.space.ID().String(), "name": "heard of", "secret": secret,
		"peers": []any{map[string]any{"id": victim.ID().String(), "addrs": victim.server.Addrs()}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "spaces.json"), state, 0o600); err != nil {
		t.Fatal(err)
	}
	n, err := node.Open(dir, node.Options{Silent: true})
	if err != nil {
		t.Fatal(err)
	}
	e := &eavesdropper{Node: n}
	s, err := p2p.Serve(context.Background(), e, p2p.Options{Listen: []string{"/ip4/127.0.0.1/tcp/0"}})
	if err != nil {
		t.Fatal(err)
	}
	r := &replica{Node: n, server: s}
	t.Cleanup(func() { r.stop(t) })
	return e
}

// secretOf reads the secret of the victim's first space from its file.
func secretOf(t *testing.T, victim *replica) (s []byte) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(victim.Dir(), "spaces.json"))
	if err != nil {
		t.Fatal(err)
	}
	var st struct{ Spaces []struct{ Secret []byte } }
	if err := json.Unmarshal(data, &st); err != nil {
		t.Fatal(err)
	}
	return st.Spaces[0].Secret
}

// TestStrangerGetsNothing: who knows a space's id and where its members are, but not its
// secret, gets no frame on any stream and no message on any topic, however often it
// asks; nor a key by an invented ticket. With the secret the same node gets all of it.
func TestStrangerGetsNothing(t *testing.T) {
	t.Parallel() // it waits for disks and links
	victim := members(t)[0]
	put(t, victim, "secret", cat)
	secret := secretOf(t, victim)
	wrong := make([]byte, len(secret))
	copy(wrong, secret)
	wrong[0]++
	stranger := eavesdrop(t, victim, wrong)
	eventually(t, "the stranger asked twice", func() bool {
		st, err := victim.Status(context.Background())
		return err == nil && st.Protocol.Refused > 1
	})
	put(t, victim, "another secret", cat)
	forged := node.Ticket{Version: 2, Issuer: victim.ID(), Uses: 1, Expires: time.Now().Add(time.Hour), Addrs: victim.server.Addrs()}
	if _, err := stranger.Join(context.Background(), forged); err == nil {
		t.Error("joined with a forged ticket")
	}
	insider := eavesdrop(t, victim, secret)
	eventually(t, "the insider got it", func() bool {
		return insider.frames.Load() > 0 && insider.topics.Load() > 0 && insider.Spaces()[0].Memos > 2
	})
	put(t, victim, "a third", cat)
	eventually(t, "the insider heard of it", func() bool { return insider.Spaces()[0].Memos > 3 })
	if f, m := stranger.frames.Load(), stranger.topics.Load(); f+m > 0 || stranger.Spaces()[0].Memos > 0 {
		t.Errorf("a stranger got %d frames, %d messages, %d memos", f, m, stranger.Spaces()[0].Memos)
	}
	if victim.Admitted(victim.space.ID(), stranger.ID()) {
		t.Error("a stranger was admitted to the topic")
	}
}
