package gossip

import (
	"crypto/ed25519"
	"fmt"

	"lightcone/memo"
	"lightcone/merge"
)

// This file is the announcement of a root: what it says, its bytes, its signature.

// Limits of an announcement, checked before anything is built from it.
const (
	// MaxAnnouncement is the size of the longest: all integers and lists at their
	// most, 85 B for a head.
	MaxAnnouncement = 158 + 2*MaxAnnouncedHeads*85 + 66
	// MaxAnnouncedHeads bounds the heads it names beyond the root, and the pings of
	// its reading.
	MaxAnnouncedHeads = 8
)

// announceDomain is what is signed with an announcement, so that the signature is
// one of nothing else.
const announceDomain = "lightcone/announce/1"

// Announcement is a peer's signed word that a root is that of a cut it has.
type Announcement struct {
	From    Peer
	ID      memo.ID // of the encoded root
	Root    merge.Root
	Memos   uint64      // that the root covers
	Peers   uint64      // estimate of the peers behind it, at least 1
	Reading []memo.Head // of the root: greatest pings below it, ascending by author
	Heads   []memo.Head // that the announcer has beyond it, ascending by author
	Raw     []byte      // as signed, to be shown to others
}

// announcement is one on the wire. What is signed is the same array without its
// last element.
type announcement struct {
	_       struct{} `cbor:",toarray"`
	Version uint64
	Space   memo.SpaceID
	From    Peer
	Vector  memo.ID
	State   memo.ID
	Memos   uint64
	Peers   uint64
	Reading []announcedHead
	Heads   []announcedHead
	Sig     memo.Seal
}

// The head of the array that is signed, and what the signature takes on the wire.
const (
	arrayOfNine = 0x89
	encodedSeal = 2 + ed25519.SignatureSize
)

type announcedHead struct {
	_      struct{} `cbor:",toarray"`
	Author memo.Author
	Seq    uint64
	ID     memo.Link
}

// sign returns the encoding of an announcement for a space. Its root's parameters
// are not in it: they are the space's.
func (a *Announcement) sign(space memo.SpaceID, sign func([]byte) memo.Seal) []byte {
	data, err := memo.Marshal(announcement{
		Version: wireVersion, Space: space, From: a.From, Vector: a.Root.Vector, State: a.Root.State,
		Memos: a.Memos, Peers: a.Peers, Reading: toWire(a.Reading), Heads: toWire(a.Heads),
	})
	if err != nil {
		panic(err) // it is built of encodable parts
	}
	sig := sign(signedPart(data))
	copy(data[len(data)-len(sig):], sig[:])
	return data
}

// signedPart is what is signed of an encoded announcement.
func signedPart(data []byte) []byte {
	b := append([]byte(announceDomain), arrayOfNine)
	return append(b, data[1:len(data)-encodedSeal]...)
}

// parseAnnouncement reads an announcement strictly and checks who signed it. Its
// ID and its root's parameters are still missing.
func parseAnnouncement(data []byte) (memo.SpaceID, *Announcement, error) {
	if len(data) > MaxAnnouncement {
		return memo.SpaceID{}, nil, fmt.Errorf("%w: an announcement of %d bytes", ErrWire, len(data))
	}
	var s announcement
	if err := memo.Unmarshal(data, &s); err != nil {
		return memo.SpaceID{}, nil, fmt.Errorf("%w: announcement: %w", ErrWire, err)
	}
	switch {
	case s.Version != wireVersion:
		return memo.SpaceID{}, nil, fmt.Errorf("%w: announcement version %d", ErrWire, s.Version)
	case s.Peers == 0 || s.Memos == 0:
		return memo.SpaceID{}, nil, fmt.Errorf("%w: a root of %d peers and %d memos", ErrWire, s.Peers, s.Memos)
	case !inOrder(s.Reading) || !inOrder(s.Heads):
		return memo.SpaceID{}, nil, fmt.Errorf("%w: announced heads are too many or not in order", ErrWire)
	case !ed25519.Verify(s.From[:], signedPart(data), s.Sig[:]):
		return memo.SpaceID{}, nil, fmt.Errorf("announcement: %w", memo.ErrBadSeal)
	}
	return s.Space, &Announcement{
		From: s.From, Root: merge.Root{Vector: s.Vector, State: s.State}, Memos: s.Memos, Peers: s.Peers,
		Reading: fromWire(s.Reading), Heads: fromWire(s.Heads), Raw: data,
	}, nil
}

// inOrder reports whether heads are few, ascending by author, one for each.
func inOrder(heads []announcedHead) bool {
	for i, h := range heads {
		if h.Seq == 0 || i > 0 && heads[i-1].Author.Compare(h.Author) >= 0 {
			return false
		}
	}
	return len(heads) <= MaxAnnouncedHeads
}

func toWire(heads []memo.Head) []announcedHead {
	out := make([]announcedHead, len(heads))
	for i, h := range heads {
		out[i] = announcedHead{Author: h.Author, Seq: h.Seq, ID: memo.Link(h.ID)}
	}
	return out
}

func fromWire(heads []announcedHead) (out []memo.Head) {
	for _, h := range heads {
		out = append(out, memo.Head{Author: h.Author, Seq: h.Seq, ID: memo.ID(h.ID)})
	}
	return out
}

func (h *HeardRoot) prepare() error {
	space, a, err := parseAnnouncement(h.Data)
	if err != nil {
		return err
	}
	if space != h.Space {
		return fmt.Errorf("%w: a root of space %s on the topic of %s", ErrWire, space, h.Space)
	}
	h.announcement = a
	return nil
}

// AnnouncementID names an announcement for duplicate suppression, by all of it.
func AnnouncementID(data []byte) string {
	id := memo.Sum(data)
	return string(id[:])
}
