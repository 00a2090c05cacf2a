package node

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"lightcone/memo"
	"lightcone/p2p/gossip"
)

// Limits and defaults of tickets.
const (
	ticketPrefix   = "lct2"
	linkPrefix     = "lightcone:"
	ticketVersion  = 2
	ticketChecksum = 3       // bytes of SHA-256 that catch typing mistakes
	maxTicketText  = 2 << 10 // of any version
	maxTicketLink  = 180     // characters of a ticket of this version as a link
	maxShortAddrs  = 3       // addresses of a ticket of this version
	maxTicketUses  = 1 << 31

	DefaultTicketExpiry = 24 * time.Hour
	DefaultTicketUses   = 1
)

// Scope is what a ticket lets who joins with it do.
type Scope uint8

// The scopes. In a space of members the issuer grants the key of who joins what the
// scope says; in an open space who reads may write, and there is ScopeWrite alone.
const (
	ScopeWrite Scope = iota
	ScopeRead
	ScopeGrant
)

var scopeNames = []string{ScopeWrite: "write", ScopeRead: "read", ScopeGrant: "grant"}

// String returns the scope's name: read, write or grant.
func (s Scope) String() string { return scopeNames[s] }

// ParseScope reads a scope's name. The empty text is ScopeWrite.
func ParseScope(name string) (Scope, error) {
	i := slices.Index(scopeNames, name)
	if name == "" {
		i = int(ScopeWrite)
	}
	if i < 0 {
		return 0, fmt.Errorf("%w: a scope %q; it is read, write or grant", memo.ErrInvalid, name)
	}
	return Scope(i), nil
}

// TicketOptions says how long and how often a ticket may be used, and for what. Zero
// values mean DefaultTicketExpiry, DefaultTicketUses and ScopeWrite.
type TicketOptions struct {
	Expires time.Duration
	Uses    int
	Scope   Scope
}

// Ticket invites a peer into a space. It is a bearer secret: who has it may
// join, until it expires or is used up. Its Key is derived from the space's
// secret and every other field (like a macaroon, Birgisson et al. 2014), so a
// changed or invented ticket is refused, and a ticket alone does not reveal the
// secret.
//
// As text it is "lct2" and the base64url of
//
//	version<<4 | scope   u8
//	issuer               32 bytes
//	nonce                u64be
//	expires              u32be, seconds since 1970
//	uses                 uvarint
//	key                  16 bytes
//	addresses            to the end, see ticketaddr.go
//	checksum             3 bytes of the SHA-256 of all that
//
// Space and name are not in it: the issuer tells.
type Ticket struct {
	Version int          // 2, or 1 of one from an earlier version of this program
	Space   memo.SpaceID // zero in one of version 2 that was read
	Name    string       // what the issuer calls the space; likewise
	Issuer  PeerID
	Addrs   []string // multiaddrs of the issuer
	Expires time.Time
	Uses    int
	Nonce   uint64
	Scope   Scope
	Key     [16]byte
}

// newTicket completes a ticket of this version into the space t names.
func newTicket(s gossip.Secret, t Ticket) Ticket {
	var nonce [8]byte
	rand.Read(nonce[:]) // never fails
	t.Version, t.Nonce = ticketVersion, binary.BigEndian.Uint64(nonce[:])
	addrs := make([]string, len(t.Addrs))
	for i, a := range t.Addrs { // the issuer's id stands in the ticket already
		addrs[i] = strings.TrimSuffix(a, "/p2p/"+t.Issuer.String())
	}
	room := base64.RawURLEncoding.DecodedLen(maxTicketLink-len(linkPrefix)-len(ticketPrefix)) -
		len(t.terms()) - len(t.Key) - ticketChecksum
	t.Addrs = ticketAddrs(addrs, room)
	t.Key = t.key(s)
	return t
}

// terms is the part of a ticket that its key covers, but for the space.
func (t Ticket) terms() []byte {
	b := append([]byte{ticketVersion<<4 | byte(t.Scope)}, t.Issuer[:]...)
	b = binary.BigEndian.AppendUint64(b, t.Nonce)
	b = binary.BigEndian.AppendUint32(b, uint32(t.Expires.Unix()))
	return binary.AppendUvarint(b, uint64(t.Uses))
}

// key derives a ticket's key from what it grants.
func (t Ticket) key(s gossip.Secret) (key [16]byte) {
	if t.Version == 1 {
		return ticketKey1(s, t)
	}
	mac := hmac.New(sha256.New, s[:])
	mac.Write([]byte("lightcone/ticket/2"))
	mac.Write(t.Space[:])
	mac.Write(t.terms())
	copy(key[:], mac.Sum(nil))
	return key
}

// String returns the ticket as one word of text.
func (t Ticket) String() string {
	if t.Version == 1 {
		return t.string1()
	}
	b := append(t.terms(), t.Key[:]...)
	for _, a := range t.Addrs {
		b = appendAddr(b, a)
	}
	return ticketPrefix + checked(b, ticketChecksum)
}

// Link returns the ticket as a link, for a browser or a QR code.
func (t Ticket) Link() string { return linkPrefix + t.String() }

// checked is the base64url of b and so many bytes of its checksum.
func checked(b []byte, n int) string {
	sum := sha256.Sum256(b)
	return base64.RawURLEncoding.EncodeToString(append(b, sum[:n]...))
}

// unchecked reads what checked wrote.
func unchecked(text string, n int) ([]byte, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) < n || strings.ContainsAny(text, "\r\n") { // which base64 skips
		return nil, fmt.Errorf("%w: it is damaged or cut short", ErrBadTicket)
	}
	b, check := b[:len(b)-n], b[len(b)-n:]
	if sum := sha256.Sum256(b); !bytes.Equal(check, sum[:n]) {
		return nil, fmt.Errorf("%w: its checksum does not match, a character was changed", ErrBadTicket)
	}
	return b, nil
}

// ParseTicket reads what String or Link wrote, in this version or an earlier one. It
// cannot tell a forged ticket from a real one: its issuer does, on Join.
func ParseTicket(text string) (Ticket, error) {
	text = strings.TrimPrefix(strings.TrimSpace(text), linkPrefix)
	if len(text) > maxTicketText {
		return Ticket{}, fmt.Errorf("%w: it has %d characters", ErrBadTicket, len(text))
	}
	if body, ok := strings.CutPrefix(text, ticketPrefix1); ok {
		return parseTicket1(body)
	}
	body, ok := strings.CutPrefix(text, ticketPrefix)
	if !ok {
		return Ticket{}, fmt.Errorf("%w: it does not start with %q", ErrBadTicket, ticketPrefix)
	}
	b, err := unchecked(body, ticketChecksum)
	if err != nil {
		return Ticket{}, err
	}
	t, err := readTicket(b)
	if err != nil {
		return Ticket{}, err
	}
	if t.String() != ticketPrefix+body {
		return Ticket{}, fmt.Errorf("%w: it is not written as tickets are", ErrBadTicket)
	}
	return t, nil
}

// readTicket reads the parts of a ticket.
func readTicket(b []byte) (Ticket, error) {
	t, rest, err := readTerms(b)
	if err != nil || len(rest) < len(t.Key) {
		return Ticket{}, fmt.Errorf("%w: a field is missing or out of range", ErrBadTicket)
	}
	rest = rest[copy(t.Key[:], rest):]
	for len(rest) > 0 {
		var a string
		if a, rest, err = readAddr(rest); err != nil {
			return Ticket{}, err
		}
		if t.Addrs = append(t.Addrs, a); len(t.Addrs) > maxTicketAddrs {
			return Ticket{}, fmt.Errorf("%w: more than %d addresses", ErrBadTicket, maxTicketAddrs)
		}
	}
	return t, nil
}

// readTerms reads what terms wrote, and returns what follows.
func readTerms(b []byte) (t Ticket, rest []byte, err error) {
	const fixed = 1 + len(t.Issuer) + 8 + 4
	if len(b) < fixed || b[0]>>4 != ticketVersion || int(b[0]&0xf) >= len(scopeNames) {
		return t, nil, ErrBadTicket
	}
	t.Version, t.Scope = ticketVersion, Scope(b[0]&0xf)
	at := 1 + copy(t.Issuer[:], b[1:])
	t.Nonce = binary.BigEndian.Uint64(b[at:])
	t.Expires = time.Unix(int64(binary.BigEndian.Uint32(b[at+8:])), 0)
	uses, n := binary.Uvarint(b[fixed:])
	if n <= 0 || uses > maxTicketUses {
		return t, nil, ErrBadTicket
	}
	t.Uses = int(uses)
	return t, b[fixed+n:], nil
}

// joinRequest is what a joining peer sends to the issuer: the ticket without its
// key and addresses, a proof of the key bound to both peers, and where the joiner can be
// reached.
type joinRequest struct {
	_     struct{} `cbor:",toarray"`
	V     uint64
	Terms []byte
	Proof [16]byte
	Addrs []string
}

// joinReply is the issuer's answer: the space, its secret and who else is there.
type joinReply struct {
	_      struct{} `cbor:",toarray"`
	Space  memo.SpaceID
	Name   string
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
	p := joinProof(t.Key, self, t.Issuer)
	if t.Version == 1 {
		return memo.Marshal(joinRequest1{Ticket: t.terms1(), Proof: p, Addrs: addrs})
	}
	return memo.Marshal(joinRequest{V: ticketVersion, Terms: t.terms(), Proof: p, Addrs: addrs})
}

// asked is a join request of any version, read.
type asked struct {
	ticket Ticket // without key and, in version 2, space
	proof  [16]byte
	addrs  []string
}

func readJoinRequest(b []byte) (asked, error) {
	var old joinRequest1
	if memo.Unmarshal(b, &old) == nil {
		t, err := old.Ticket.ticket()
		return asked{t, old.Proof, old.Addrs}, err
	}
	var req joinRequest
	if err := memo.Unmarshal(b, &req); err != nil {
		return asked{}, err
	}
	t, rest, err := readTerms(req.Terms)
	if err != nil || len(rest) > 0 || req.V != ticketVersion {
		return asked{}, fmt.Errorf("%w: the terms of version %d", ErrBadTicket, req.V)
	}
	return asked{t, req.Proof, req.Addrs}, nil
}

// readJoinReply reads the answer to a request of t's version.
func readJoinReply(b []byte, t Ticket) (rep joinReply, err error) {
	if t.Version == 1 {
		var old joinReply1
		err = memo.Unmarshal(b, &old)
		return joinReply{Space: t.Space, Name: t.Name, Secret: old.Secret, Peers: old.Peers}, err
	}
	return rep, memo.Unmarshal(b, &rep)
}

// expirable bounds the expiry of a ticket to what it has room for.
func expirable(at time.Time) bool { return at.Unix() >= 0 && at.Unix() <= math.MaxUint32 }
