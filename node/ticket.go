package node

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"lightcone/memo"
	"lightcone/p2p/gossip"
)

// Limits and defaults of tickets.
const (
	ticketPrefix   = "lct1"
	ticketVersion  = 1
	ticketChecksum = 4 // bytes of SHA-256 that catch typing mistakes
	maxTicketAddrs = 8
	maxTicketText  = 2 << 10

	DefaultTicketExpiry = 24 * time.Hour
	DefaultTicketUses   = 1
)

// TicketOptions says how long and how often a ticket may be used. Zero values
// mean DefaultTicketExpiry and DefaultTicketUses.
type TicketOptions struct {
	Expires time.Duration
	Uses    int
}

// Ticket invites a peer into a space. It is a bearer secret: who has it may
// join, until it expires or is used up. Its Key is derived from the space's
// secret and every other field (like a macaroon, Birgisson et al. 2014), so a
// changed or invented ticket is refused, and a ticket alone does not reveal the
// secret.
type Ticket struct {
	Space   memo.SpaceID
	Name    string // what the issuer calls the space
	Issuer  PeerID
	Addrs   []string // multiaddrs of the issuer
	Expires time.Time
	Uses    int
	Nonce   uint64
	Key     [16]byte
}

type wireTicket struct {
	_       struct{} `cbor:",toarray"`
	V       uint64
	Space   memo.SpaceID
	Name    string
	Issuer  PeerID
	Addrs   []string
	Expires uint64
	Uses    uint64
	Nonce   uint64
	Key     [16]byte
}

func newTicket(s gossip.Secret, t Ticket) Ticket {
	var nonce [8]byte
	rand.Read(nonce[:]) // never fails
	t.Nonce = binary.BigEndian.Uint64(nonce[:])
	t.Addrs = slices.Clone(t.Addrs[:min(len(t.Addrs), maxTicketAddrs)])
	for i, a := range t.Addrs { // the issuer's id stands in the ticket already
		t.Addrs[i] = strings.TrimSuffix(a, "/p2p/"+t.Issuer.String())
	}
	t.Key = ticketKey(s, t)
	return t
}

// wire returns the encoding of t; the addresses and the name are hints and not
// covered by the key.
func (t Ticket) wire() wireTicket {
	return wireTicket{
		V: ticketVersion, Space: t.Space, Name: t.Name, Issuer: t.Issuer, Addrs: t.Addrs,
		Expires: uint64(t.Expires.Unix()), Uses: uint64(t.Uses), Nonce: t.Nonce, Key: t.Key,
	}
}

// ticketKey derives a ticket's key from what it grants.
func ticketKey(s gossip.Secret, t Ticket) (key [16]byte) {
	w := t.wire()
	w.Name, w.Addrs, w.Key = "", nil, [16]byte{}
	b, err := memo.Marshal(w)
	if err != nil {
		panic(err) // fixed-size parts always encode
	}
	mac := hmac.New(sha256.New, s[:])
	mac.Write([]byte("lightcone/ticket/1"))
	mac.Write(b)
	copy(key[:], mac.Sum(nil))
	return key
}

// String returns the ticket as one word of text.
func (t Ticket) String() string {
	b, err := memo.Marshal(t.wire())
	if err != nil {
		panic(err) // names are checked to be UTF-8 when a space is made
	}
	sum := sha256.Sum256(b)
	return ticketPrefix + base64.RawURLEncoding.EncodeToString(append(b, sum[:ticketChecksum]...))
}

// ParseTicket reads what String wrote. It cannot tell a forged ticket from a
// real one: its issuer does, on Join.
func ParseTicket(text string) (Ticket, error) {
	text = strings.TrimSpace(text)
	body, ok := strings.CutPrefix(text, ticketPrefix)
	if !ok || len(text) > maxTicketText {
		return Ticket{}, fmt.Errorf("%w: it does not start with %q", ErrBadTicket, ticketPrefix)
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(body)
	if err != nil || len(b) < ticketChecksum || strings.ContainsAny(body, "\r\n") { // which base64 skips
		return Ticket{}, fmt.Errorf("%w: it is damaged or cut short", ErrBadTicket)
	}
	b, check := b[:len(b)-ticketChecksum], b[len(b)-ticketChecksum:]
	if sum := sha256.Sum256(b); !bytes.Equal(check, sum[:ticketChecksum]) {
		return Ticket{}, fmt.Errorf("%w: its checksum does not match, a character was changed", ErrBadTicket)
	}
	var w wireTicket
	if err := memo.Unmarshal(b, &w); err != nil {
		return Ticket{}, fmt.Errorf("%w: %w", ErrBadTicket, err)
	}
	if w.V != ticketVersion || len(w.Addrs) > maxTicketAddrs || w.Uses > 1<<31 || w.Expires > 1<<40 {
		return Ticket{}, fmt.Errorf("%w: version %d or a field out of range", ErrBadTicket, w.V)
	}
	return Ticket{
		Space: w.Space, Name: w.Name, Issuer: w.Issuer, Addrs: w.Addrs,
		Expires: time.Unix(int64(w.Expires), 0), Uses: int(w.Uses), Nonce: w.Nonce, Key: w.Key,
	}, nil
}

// joinRequest is what a joining peer sends to the issuer: the ticket without its
// key, a proof of the key bound to both peers, and where the joiner can be reached.
type joinRequest struct {
	_      struct{} `cbor:",toarray"`
	Ticket wireTicket
	Proof  [16]byte
	Addrs  []string
}

// joinReply is the issuer's answer: the space's secret and who else is there.
type joinReply struct {
	_      struct{} `cbor:",toarray"`
	Secret gossip.Secret
	Peers  []joinPeer
}

type joinPeer struct {
	_     struct{} `cbor:",toarray"`
	ID    PeerID
	Addrs []string
}

func joinProof(key [16]byte, joiner, issuer PeerID) (p [16]byte) {
	mac := hmac.New(sha256.New, key[:])
	mac.Write([]byte("lightcone/join/1"))
	mac.Write(joiner[:])
	mac.Write(issuer[:])
	copy(p[:], mac.Sum(nil))
	return p
}

func newJoinRequest(t Ticket, self PeerID, addrs []string) ([]byte, error) {
	w := t.wire()
	w.Key, w.Addrs = [16]byte{}, nil
	return memo.Marshal(joinRequest{Ticket: w, Proof: joinProof(t.Key, self, t.Issuer), Addrs: addrs})
}
