package node

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"time"

	"lightcone/memo"
	"lightcone/p2p/gossip"
)

// Tickets of version 1, which earlier versions of this program made: they are read and
// honoured, and no longer made.
const (
	ticketPrefix1   = "lct1"
	ticketChecksum1 = 4 // bytes
	maxTicketAddrs  = 8
)

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

// wire returns the encoding of t; the addresses and the name are hints and not
// covered by the key.
func (t Ticket) wire() wireTicket {
	return wireTicket{
		V: 1, Space: t.Space, Name: t.Name, Issuer: t.Issuer, Addrs: t.Addrs,
		Expires: uint64(t.Expires.Unix()), Uses: uint64(t.Uses), Nonce: t.Nonce, Key: t.Key,
	}
}

// terms1 is what the joiner shows of the ticket.
func (t Ticket) terms1() wireTicket {
	w := t.wire()
	w.Key, w.Addrs = [16]byte{}, nil
	return w
}

// ticketKey1 derives a ticket's key from what it grants.
func ticketKey1(s gossip.Secret, t Ticket) (key [16]byte) {
	w := t.terms1()
	w.Name = ""
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

func (t Ticket) string1() string {
	b, err := memo.Marshal(t.wire())
	if err != nil {
		panic(err) // it was read from such bytes
	}
	return ticketPrefix1 + checked(b, ticketChecksum1)
}

// parseTicket1 reads what follows the prefix.
func parseTicket1(body string) (Ticket, error) {
	b, err := unchecked(body, ticketChecksum1)
	if err != nil {
		return Ticket{}, err
	}
	var w wireTicket
	if err := memo.Unmarshal(b, &w); err != nil {
		return Ticket{}, fmt.Errorf("%w: %w", ErrBadTicket, err)
	}
	return w.ticket()
}

func (w wireTicket) ticket() (Ticket, error) {
	if w.V != 1 || len(w.Addrs) > maxTicketAddrs || w.Uses > maxTicketUses || w.Expires > 1<<40 {
		return Ticket{}, fmt.Errorf("%w: version %d or a field out of range", ErrBadTicket, w.V)
	}
	return Ticket{
		Version: 1, Space: w.Space, Name: w.Name, Issuer: w.Issuer, Addrs: w.Addrs,
		Expires: time.Unix(int64(w.Expires), 0), Uses: int(w.Uses), Nonce: w.Nonce, Key: w.Key,
	}, nil
}

// joinRequest1 is a joinRequest with a ticket of version 1.
type joinRequest1 struct {
	_      struct{} `cbor:",toarray"`
	Ticket wireTicket
	Proof  [16]byte
	Addrs  []string
}

// joinReply1 is the answer to it.
type joinReply1 struct {
	_      struct{} `cbor:",toarray"`
	Secret gossip.Secret
	Peers  []joinPeer
}
