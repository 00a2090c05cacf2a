package p2p

import (
	"bufio"
	"context"
	"crypto/hmac"
	crand "crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/record"

	"lightcone/memo"
	"lightcone/p2p/gossip"
)

// meetProtocol is how two peers find out that they share a space, and tell each
// other of further members: a frame each way. Neither names the space, so who does
// not know it learns nothing: not its id, and not that it is served here.
const meetProtocol protocolID = "/lightcone/meet/1"

// Limits of a meeting.
const (
	meetVersion = 1
	// meetTimeout bounds a meeting, not the connecting.
	meetTimeout = 10 * time.Second
	// meetEvery and meetBurst bound the meetings a peer may ask for: a burst, since
	// one concerns one space.
	meetEvery, meetBurst = time.Second, 32
	// maxMeeting bounds a request, in bytes.
	maxMeeting = 256
	// maxTold bounds the members told of in an answer, maxRecord the bytes of each
	// one's signed record and maxAnswer those of the answer.
	maxTold, maxRecord, maxAnswer = 16, 2 << 10, 40 << 10
	// toldTTL is how long the addresses in a record are believed.
	toldTTL = time.Hour
)

// meeting asks whether the other side knows the rendezvous that Proof was made with.
type meeting struct {
	_       struct{} `cbor:",toarray"`
	Version uint64
	Nonce   [16]byte
	Proof   [sha256.Size]byte
}

// met is the answer of one that does.
type met struct {
	_       struct{} `cbor:",toarray"`
	Version uint64
	Proof   [sha256.Size]byte
	Records []memo.Bytes // libp2p's signed peer records of other members
}

// meetProof is what who knows the rendezvous can make for to, once for each nonce.
func meetProof(r gossip.Rendezvous, label string, from, to gossip.Peer, nonce [16]byte) (proof [sha256.Size]byte) {
	mac := hmac.New(sha256.New, r[:])
	mac.Write([]byte(label))
	mac.Write(from[:])
	mac.Write(to[:])
	mac.Write(nonce[:])
	return [sha256.Size]byte(mac.Sum(nil))
}

const askLabel, metLabel = "lightcone/meet/1", "lightcone/met/1"

// meet asks a connected peer whether it shares a space. If so each side knows that
// the other does, and we learn of some members the peer knows.
func (s *Server) meet(space memo.SpaceID, id peer.ID) error {
	p, err := toPeer(id)
	r, served := s.core.Rendezvous(space)
	self, err2 := toPeer(s.host.ID())
	if err := errors.Join(err, err2); err != nil || !served {
		return err
	}
	ask := meeting{Version: meetVersion}
	crand.Read(ask.Nonce[:]) // never fails
	ask.Proof = meetProof(r, askLabel, self, p, ask.Nonce)
	request, err := memo.Marshal(ask)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(s.ctx, meetTimeout)
	defer cancel()
	reply, err := s.request(ctx, id, meetProtocol, request, maxAnswer)
	if err != nil {
		return fmt.Errorf("meet %s: %w", p, err)
	}
	var answer met
	if err := memo.Unmarshal(reply, &answer); err != nil {
		return fmt.Errorf("meet %s: %w", p, err)
	}
	want := meetProof(r, metLabel, p, self, ask.Nonce)
	if answer.Version != meetVersion || !hmac.Equal(want[:], answer.Proof[:]) {
		return fmt.Errorf("meet %s: %w", p, ErrStranger)
	}
	s.meets(space, id, p)
	for _, told := range answer.Records[:min(len(answer.Records), maxTold)] {
		s.heardOf(space, []byte(told))
	}
	return nil
}

// acceptMeeting answers one question, or nothing.
func (s *Server) acceptMeeting(st network.Stream) {
	if err := s.answerMeeting(st); err != nil {
		s.log.Debug("did not answer a meeting", "peer", st.Conn().RemotePeer(), "err", err)
		st.Reset()
		return
	}
	st.Close()
}

func (s *Server) answerMeeting(st network.Stream) error {
	id := st.Conn().RemotePeer()
	if !s.meetings.allow(id) {
		return ErrTooMany
	}
	if err := st.SetDeadline(time.Now().Add(meetTimeout)); err != nil {
		return err
	}
	p, err := toPeer(id)
	if err != nil {
		return err
	}
	self, err := toPeer(s.host.ID())
	if err != nil {
		return err
	}
	request, err := readFrame(bufio.NewReader(st), maxMeeting)
	if err != nil {
		return noEOF(err)
	}
	var ask meeting
	if err := memo.Unmarshal(request, &ask); err != nil || ask.Version != meetVersion {
		return fmt.Errorf("version %d: %w", ask.Version, errors.Join(gossip.ErrWire, err))
	}
	for _, space := range s.topics.served() {
		r, served := s.core.Rendezvous(space)
		want := meetProof(r, askLabel, p, self, ask.Nonce)
		if !served || !hmac.Equal(want[:], ask.Proof[:]) {
			continue
		}
		s.meets(space, id, p)
		answer := met{Version: meetVersion, Proof: meetProof(r, metLabel, self, p, ask.Nonce), Records: s.others(space, id)}
		reply, err := memo.Marshal(answer)
		if err != nil {
			return err
		}
		w := bufio.NewWriter(st)
		return errors.Join(writeFrame(w, reply, maxAnswer), w.Flush())
	}
	return ErrStranger
}

// meets tells the core of a peer that knows the rendezvous of a space.
func (s *Server) meets(space memo.SpaceID, id peer.ID, p gossip.Peer) {
	s.prove(id)
	if err := s.core.Input(s.ctx, gossip.Met{Space: space, Peer: p}); err != nil && s.ctx.Err() == nil {
		s.log.Debug("core refused to hear of a member", "space", space, "peer", p, "err", err)
	}
}

// others returns the signed records of some connected members of a space, for one
// that proved to be a member.
func (s *Server) others(space memo.SpaceID, to peer.ID) (records []memo.Bytes) {
	book, ok := peerstore.GetCertifiedAddrBook(s.host.Peerstore())
	if !ok {
		return nil
	}
	ids := s.host.Network().Peers()
	rand.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	for _, id := range ids {
		p, err := toPeer(id)
		if err != nil || id == to || !s.core.Admitted(space, p) {
			continue
		}
		if e := book.GetPeerRecord(id); e != nil {
			if data, err := e.Marshal(); err == nil && len(data) <= maxRecord && len(records) < maxTold {
				records = append(records, memo.Bytes(data))
			}
		}
	}
	return records
}

// keepRecord remembers where a peer said it is, to tell other members.
func (s *Server) keepRecord(id peer.ID, e *record.Envelope) {
	if book, ok := peerstore.GetCertifiedAddrBook(s.host.Peerstore()); ok && e != nil {
		if _, err := book.ConsumePeerRecord(e, toldTTL); err != nil {
			s.log.Debug("a peer has a record that does not hold", "peer", id, "err", err)
		}
	}
}

// heardOf takes the signed record of a peer that is said to be a member: that is
// for it to prove, but where it is, it said itself.
func (s *Server) heardOf(space memo.SpaceID, data []byte) {
	if len(data) > maxRecord {
		return
	}
	e, rec, err := record.ConsumeEnvelope(data, peer.PeerRecordEnvelopeDomain)
	if err != nil {
		s.log.Debug("a peer tells of another with a record that does not hold", "err", err)
		return
	}
	r, ok := rec.(*peer.PeerRecord)
	if !ok || !r.PeerID.MatchesPublicKey(e.PublicKey) || r.PeerID == s.host.ID() {
		return
	}
	s.keepRecord(r.PeerID, e)
	s.rumor(space, r.PeerID)
}
