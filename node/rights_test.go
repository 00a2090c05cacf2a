package node_test

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"slices"
	"testing"
	"time"

	"lightcone/memo"
	"lightcone/node"
	"lightcone/p2p"
	"lightcone/p2p/gossip"
)

// joinAs has joiner enter the issuer's space with a ticket of that scope.
func joinAs(t testing.TB, issuer, joiner *replica, scope node.Scope) {
	t.Helper()
	ticket, err := issuer.Ticket(issuer.space, node.TicketOptions{Scope: scope})
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := node.ParseTicket(ticket.Link())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if joiner.space, err = joiner.Join(ctx, parsed); err != nil {
		t.Fatal(err)
	}
}

// members starts replicas in a space of members: the first made it, the others joined
// with the scopes given.
func members(t testing.TB, scopes ...node.Scope) []*replica {
	t.Helper()
	rs := []*replica{startReplica(t, t.TempDir(), p2p.Options{})}
	var err error
	if rs[0].space, err = rs[0].CreateSpace("club", node.Policy{Rights: memo.Members}); err != nil {
		t.Fatal(err)
	}
	for _, s := range scopes {
		r := startReplica(t, t.TempDir(), p2p.Options{})
		joinAs(t, rs[0], r, s)
		rs = append(rs, r)
	}
	return rs
}

// eventually waits until is says so.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

func has(r *replica, row string) bool {
	_, err := r.space.Session(node.Read{Mode: node.Local}).Get(context.Background(), "animals", row)
	return err == nil
}

func standing(r *replica) string { return r.Spaces()[0].Standing }

var cat = map[string]string{"name": "cat"}

// TestTicketScopes: who joins with a ticket to write writes at once; with one to read
// it reads, and is told whom to ask; with one to grant it lets others in.
func TestTicketScopes(t *testing.T) {
	t.Parallel() // it waits for disks and links
	rs := members(t, node.ScopeWrite, node.ScopeRead, node.ScopeGrant)
	root, writer, reader, granter := rs[0], rs[1], rs[2], rs[3]
	put(t, root, "of root", cat)
	put(t, writer, "of writer", cat)
	_, err := reader.space.Put(context.Background(), "animals", "no", node.Fields{"f": memo.Int(1)})
	if !errors.Is(err, node.ErrNotPermitted) {
		t.Errorf("a reader wrote: %v", err)
	}
	for _, r := range []*replica{writer, reader} {
		if _, err := r.Ticket(r.space, node.TicketOptions{}); !errors.Is(err, node.ErrNotPermitted) {
			t.Errorf("a %s issued a ticket to write: %v", standing(r), err)
		}
		if _, err := r.space.Grant(context.Background(), reader.ID(), memo.Writer); !errors.Is(err, node.ErrNotPermitted) {
			t.Errorf("a %s granted: %v", standing(r), err)
		}
	}
	guest := startReplica(t, t.TempDir(), p2p.Options{})
	joinAs(t, granter, guest, node.ScopeWrite)
	put(t, guest, "of guest", cat)
	if _, err := root.space.Grant(context.Background(), reader.ID(), memo.Writer); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the grant reaches the reader", func() bool { return standing(reader) == node.StandingWriter })
	put(t, reader, "of reader", cat)
	if r, err := root.space.Grant(context.Background(), reader.ID(), memo.Writer); err != nil || !r.ID.IsZero() {
		t.Errorf("granted twice: %+v, %v", r, err)
	}
	converge(t, append(rs, guest))
	if got := len(root.space.Members()); got != 5 {
		t.Errorf("%d members", got)
	}
	open := startReplica(t, t.TempDir(), p2p.Options{})
	if open.space, err = open.CreateSpace("open", node.Policy{}); err != nil {
		t.Fatal(err)
	}
	if _, err := open.Ticket(open.space, node.TicketOptions{Scope: node.ScopeRead}); !errors.Is(err, memo.ErrInvalid) {
		t.Errorf("a ticket to read an open space: %v", err)
	}
}

// forge makes a run of the replica's key that its own node refuses to write.
func forge(t testing.TB, r *replica, m memo.Memo, deps ...memo.Head) *memo.Run {
	t.Helper()
	m.Space, m.Author, m.Deps = r.space.ID(), r.ID(), deps
	if m.Time == 0 {
		m.Time = memo.Next(uint64(time.Now().UnixMilli()))
	}
	made, err := memo.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return &memo.Run{Space: m.Space, Memos: []*memo.Memo{made}, Seal: memo.Sign(ed25519.PrivateKey(r.Key()), m.Space, made.Head())}
}

// relay hands a run to a replica as another, a proven member, relays it.
func relay(t testing.TB, from, to *replica, run *memo.Run) {
	t.Helper()
	raw, err := run.Encode()
	if err != nil {
		t.Fatal(err)
	}
	data := append(binary.BigEndian.AppendUint64([]byte{1}, 0), raw...) // version, hint, run
	if err := to.Input(context.Background(), &gossip.Heard{Space: to.space.ID(), Peer: from.ID(), Data: data}); err != nil {
		t.Fatal(err)
	}
}

func edit(row string) *memo.Edit {
	return &memo.Edit{Topics: []memo.TopicEdit{{Topic: "animals", Rows: []memo.RowEdit{{
		Row: memo.Bytes(row), Deltas: []memo.Delta{{Field: "f", Op: memo.Op{Set: true, Value: memo.Int(1)}}},
	}}}}}
}

// TestWriterWithoutAGrant: what a reader's changed client writes attaches nowhere, also
// when an honest member relays it; the member is not blamed.
func TestWriterWithoutAGrant(t *testing.T) {
	rs := members(t, node.ScopeWrite, node.ScopeRead)
	root, writer, cheat := rs[0], rs[1], rs[2]
	genesis := memo.Head{Author: root.ID(), Seq: 1, ID: memo.ID(root.space.ID())}
	run := forge(t, cheat, memo.Memo{Seq: 1, Body: edit("forged")}, genesis)
	relay(t, writer, root, run)
	relay(t, root, writer, run)
	put(t, root, "one", cat) // behind the forged run in the same queues
	put(t, writer, "two", cat)
	converge(t, rs)
	for _, r := range rs[:2] { // what is told may overtake what is decoded
		eventually(t, "the forged run is refused", func() bool { return statusOf(t, r).Refused > 0 })
	}
	for _, r := range rs {
		if has(r, "forged") || !has(r, "two") {
			t.Errorf("forged %v, honest %v", has(r, "forged"), has(r, "two"))
		}
	}
	if n := statusOf(t, root).Refused; n != 1 {
		t.Errorf("%d runs refused", n)
	}
}

// TestRevocation: a revoked writer writes no more, here or by a changed client; what it
// wrote before stays everywhere; nobody serves it.
func TestRevocation(t *testing.T) {
	rs := members(t, node.ScopeWrite, node.ScopeWrite)
	root, witness, bad := rs[0], rs[1], rs[2]
	put(t, bad, "before", cat)
	converge(t, rs)
	if _, err := witness.space.Revoke(context.Background(), bad.ID()); !errors.Is(err, node.ErrNotPermitted) {
		t.Errorf("a writer revoked another: %v", err)
	}
	if _, err := root.space.Revoke(context.Background(), bad.ID()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the witness hears of it", func() bool {
		return slices.ContainsFunc(witness.space.Members(), func(m node.Member) bool { return m.Author == bad.ID() && m.Revoked })
	})
	last := head(t, bad)
	run := forge(t, bad, memo.Memo{Seq: last.Seq + 1, Prev: last.ID, Body: edit("after")})
	for _, r := range rs[:2] {
		relay(t, rs[1-slices.Index(rs, r)], r, run)
	}
	put(t, root, "one", cat)
	converge(t, rs[:2])
	for _, r := range rs[:2] { // what is told may overtake what is decoded
		eventually(t, "what it wrote waits", func() bool { return statusOf(t, r).Pending > 0 })
		if has(r, "after") || !has(r, "before") {
			t.Errorf("after %v, before %v", has(r, "after"), has(r, "before"))
		}
		if st := statusOf(t, r); st.Pending != 1 || st.Refused != 0 {
			t.Errorf("%d runs wait, %d refused", st.Pending, st.Refused)
		}
		if r.Admitted(r.space.ID(), bad.ID()) {
			t.Error("a revoked peer is still admitted to the topic")
		}
	}
	if has(bad, "one") {
		t.Error("a revoked peer is still served")
	}
	if _, err := root.space.Grant(context.Background(), bad.ID(), memo.Writer); !errors.Is(err, node.ErrNotPermitted) {
		t.Errorf("granted what was revoked: %v", err)
	}
}

// head returns the last memo of a replica's own chain, as its context names it.
func head(t testing.TB, r *replica) memo.Head {
	t.Helper()
	for _, h := range r.space.Context().Loose {
		if h.Author == r.ID() {
			return h
		}
	}
	t.Fatal("no own memo in the context")
	return memo.Head{}
}

// TestLateRevocation: a member that holds more than the revocation calls good when it
// hears of it keeps that, and makes everybody attach it.
func TestLateRevocation(t *testing.T) {
	rs := members(t, node.ScopeWrite, node.ScopeWrite)
	root, witness, bad := rs[0], rs[1], rs[2]
	converge(t, rs)
	if err := root.Block(); err != nil {
		t.Fatal(err)
	}
	put(t, bad, "unseen by root", cat)
	eventually(t, "the witness has it", func() bool { return has(witness, "unseen by root") })
	if _, err := root.space.Revoke(context.Background(), bad.ID()); err != nil {
		t.Fatal(err)
	}
	if err := root.Unblock(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the root has it", func() bool { return has(root, "unseen by root") })
	converge(t, rs[:2])
}
