package node

import (
	"errors"
	"strings"
	"testing"
	"time"

	"lightcone/memo"
	"lightcone/p2p/gossip"
)

// FuzzParseTicket: a ticket that is accepted has one spelling, the blanks around
// it aside. The input is tried as a ticket, and as what a ticket encodes, behind
// the checksum that no change would get past.
func FuzzParseTicket(f *testing.F) {
	t := newTicket(gossip.Secret{1}, Ticket{
		Space: memo.SpaceID{2}, Name: "größer", Issuer: PeerID{3}, Uses: 1, Expires: time.Unix(1_700_000_000, 0),
		Addrs: []string{"/ip4/127.0.0.1/udp/4001/quic-v1", "/dns/example.org/tcp/4001"},
	})
	t.Nonce, t.Key = 4, [16]byte{5} // the same in every run
	f.Add([]byte(t.String()))
	f.Add([]byte(t.Link()))
	f.Add(appendAddr(append(t.terms(), t.Key[:]...), "/ip6/2001:db8::1/udp/4001/quic-v1"))
	f.Add(appendAddr(append(t.terms(), t.Key[:]...), "/ip4/10.0.0.1/tcp/4001/p2p/"+t.Issuer.String()+"/p2p-circuit"))
	f.Add(appendAddr(append(t.terms(), t.Key[:]...), "/unix/of another form"))
	t.Version = 1
	wire, err := memo.Marshal(t.wire())
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(t.String()))
	f.Add(wire)
	f.Add([]byte(" " + ticketPrefix + "\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		reparsed(t, string(b))
		reparsed(t, ticketPrefix+checked(b[:len(b):len(b)], ticketChecksum))
		reparsed(t, ticketPrefix1+checked(b[:len(b):len(b)], ticketChecksum1))
	})
}

// reparsed checks that nothing is lost of a text that is a ticket.
func reparsed(t *testing.T, text string) (accepted bool) {
	t.Helper()
	ticket, err := ParseTicket(text)
	if err != nil {
		if !errors.Is(err, ErrBadTicket) {
			t.Errorf("%q: %v, want ErrBadTicket", text, err)
		}
		return false
	}
	if again := ticket.String(); again != strings.TrimPrefix(strings.TrimSpace(text), linkPrefix) {
		t.Errorf("accepted %q and wrote %q", text, again)
	}
	return true
}

// TestTicketsHaveOneSpelling: base64 readers skip line breaks; a ticket has none.
func TestTicketsHaveOneSpelling(t *testing.T) {
	s := newTicket(gossip.Secret{1}, Ticket{Name: "x", Uses: 1, Expires: time.Unix(1, 0)}).String()
	if !reparsed(t, s) || !reparsed(t, " "+s+"\r\n") {
		t.Error("a ticket is refused")
	}
	for i := 1; i < len(s); i++ {
		if reparsed(t, s[:i]+"\n"+s[i:]) {
			t.Errorf("accepted a line break at %d", i)
		}
	}
	if reparsed(t, s+strings.Repeat("A", maxTicketText)) {
		t.Error("accepted a ticket above the limit")
	}
}
