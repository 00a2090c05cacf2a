package node

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lightcone/memo"
	"lightcone/p2p/gossip"
)

// A ticket has at most 180 characters as a link, with three addresses of the forms that
// nodes have; what has no room is left out, never the ticket made longer.
func TestTicketsAreShort(t *testing.T) {
	relay := memo.Author{9}
	for name, c := range map[string]struct {
		addrs []string
		want  int // addresses in the ticket
	}{
		"one network": {[]string{"/ip4/192.168.178.23/udp/4001/quic-v1", "/ip4/192.168.178.23/tcp/4001", "/ip6/2003:e5:5f1a:be00:1c2:f3ff:fe4a:5b6c/udp/4001/quic-v1"}, 3},
		"three of IPv6": {[]string{
			"/ip6/2003:e5:5f1a:be00:1c2:f3ff:fe4a:5b6c/udp/4001/quic-v1", "/ip6/2003:e5:5f1a:be00:1c2:f3ff:fe4a:5b6c/tcp/4001",
			"/ip6/2003:e5:5f1a:be00:1c2:f3ff:fe4a:5b6c/tcp/4001/ws",
		}, 3},
		"a name and a web socket": {[]string{"/dns4/lightcone.example.org/tcp/443/tls/ws", "/ip4/203.0.113.7/tcp/4001"}, 2},
		"a relay":                 {[]string{"/ip4/203.0.113.7/udp/4001/quic-v1/p2p/" + relay.String() + "/p2p-circuit"}, 1},
		"more than three":         {[]string{"/ip4/10.0.0.1/tcp/1", "/ip4/10.0.0.2/tcp/1", "/ip4/10.0.0.3/tcp/1", "/ip4/10.0.0.4/tcp/1"}, 3},
		"beyond all bounds":       {[]string{"/dns4/" + strings.Repeat("long.", 40) + "example/tcp/1"}, 0},
		"loopback alone":          {[]string{"/ip4/127.0.0.1/tcp/1", "/ip6/::1/tcp/1"}, 2},
		"loopback beside others":  {[]string{"/ip4/127.0.0.1/tcp/1", "/ip4/10.0.0.1/tcp/1", "/ip6/::1/tcp/1"}, 1},
	} {
		self := PeerID{7}
		var full []string
		for _, a := range c.addrs {
			full = append(full, a+"/p2p/"+self.String())
		}
		made := newTicket(gossip.Secret{1}, Ticket{
			Space: memo.SpaceID{2}, Issuer: self, Addrs: full, Uses: 1000, Scope: ScopeGrant,
			Expires: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
		})
		link := made.Link()
		t.Logf("%3d characters, %d addresses: %s", len(link), len(made.Addrs), name)
		if len(link) > maxTicketLink || len(made.Addrs) != c.want {
			t.Errorf("%s: %d characters, %d addresses, want at most %d and %d", name, len(link), len(made.Addrs), maxTicketLink, c.want)
		}
		for _, a := range made.Addrs {
			if _, ok := shortAddr(a); !ok {
				t.Errorf("%s: %s has no short form", name, a)
			}
		}
		back, err := ParseTicket(link)
		if err != nil {
			t.Fatal(err)
		}
		made.Space = memo.SpaceID{} // the issuer tells
		if diff := cmp.Diff(made, back, cmp.Comparer(time.Time.Equal)); diff != "" {
			t.Errorf("%s: read back (-want +got):\n%s", name, diff)
		}
	}
}

// ticketV1 was made by the version before: its bytes are read for good.
const ticketV1 = "lct1iQFYIAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAaGdyw7bDn2VyWCADAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAIJ4Hy9pcDQvMTI3LjAuMC4xL3VkcC80MDAxL3F1aWMtdjF4GS9kbnMvZXhhbXBsZS5vcmcvdGNwLzQwMDEaZVPxAAEEUMzk_5LjtDuAa5Zsj8Klw9mBNU_a"

func TestTicketsOfVersion1AreRead(t *testing.T) {
	got, err := ParseTicket(ticketV1)
	if err != nil {
		t.Fatal(err)
	}
	want := Ticket{
		Version: 1, Space: memo.SpaceID{2}, Name: "größer", Issuer: PeerID{3}, Uses: 1, Nonce: 4,
		Expires: time.Unix(1_700_000_000, 0), Addrs: []string{"/ip4/127.0.0.1/udp/4001/quic-v1", "/dns/example.org/tcp/4001"},
	}
	want.Key = want.key(gossip.Secret{1})
	if diff := cmp.Diff(want, got, cmp.Comparer(time.Time.Equal)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	req, err := newJoinRequest(got, PeerID{5}, nil)
	if err != nil {
		t.Fatal(err)
	}
	back, err := readJoinRequest(req)
	if err != nil || back.ticket.Space != want.Space || back.proof != joinProof(want.Key, PeerID{5}, want.Issuer) {
		t.Errorf("its request is read as %+v: %v", back, err)
	}
}

// Every change of the text is noticed before anybody is asked.
func TestTicketsNoticeTypingMistakes(t *testing.T) {
	text := newTicket(gossip.Secret{1}, Ticket{Uses: 1, Expires: time.Unix(1, 0), Addrs: []string{"/ip4/10.0.0.1/tcp/1"}}).String()
	for i := range text {
		for _, c := range []byte("A_9") {
			if changed := fmt.Sprintf("%s%c%s", text[:i], c, text[i+1:]); changed != text {
				if _, err := ParseTicket(changed); err == nil {
					t.Errorf("accepted another character at %d", i)
				}
			}
		}
	}
}
