package gossip

import (
	"time"

	"lightcone/memo"
)

// Peer is another replica. A peer's identity is its author key.
type Peer = memo.Author

// SessionID names one recon stream of this replica. The Core numbers the
// streams it opens with even ids, the driver those it accepts with odd ones.
type SessionID uint64

// Input is something that happened. It is one of the types below.
type Input interface{ input() }

type (
	// PeerUp reports a connection to a peer that speaks recon.
	PeerUp struct{ Peer Peer }

	// PeerDown reports that the last connection to a peer is gone.
	PeerDown struct{ Peer Peer }

	// Tick reports that time passed; the owner sends one every TickEvery.
	Tick struct{}

	// Frame is one frame of a recon stream, without its length prefix. The first
	// frame of an odd session opens it.
	Frame struct {
		Session SessionID
		Peer    Peer
		Data    []byte

		msg message // set by Prepare
	}

	// Closed reports that a recon stream ended; Err is nil for an orderly end. It
	// comes once for every stream, after its last frame, also when the Core ended it.
	Closed struct {
		Session SessionID
		Err     error
	}

	// Heard is a message on a space's topic; Peer is who relayed it to us.
	Heard struct {
		Space memo.SpaceID
		Peer  Peer
		Data  []byte

		hint uint64 // set by Prepare
		run  *memo.Run
	}

	// Linked reports that the topic of a space carries messages between us and
	// Peer from now on. What was published before did not take that way.
	Linked struct {
		Space memo.SpaceID
		Peer  Peer
	}

	// Attached reports what became of delivered runs, or of runs this replica
	// wrote itself (From zero, Session zero). It follows every Deliver.
	Attached struct {
		Space   memo.SpaceID
		From    Peer
		Session SessionID
		Own     []*memo.Run // written and sealed here, to publish
		Fresh   int         // memos newly attached by a Deliver
		Bytes   int         // bytes of the delivery, to be credited again
		Orphans bool        // some runs wait for causes not held
		Bad     error       // a run that broke a rule no honest peer breaks
	}

	// Want reports heads a reader waits for; Origin, if not zero, likely has them.
	Want struct {
		Space  memo.SpaceID
		Origin Peer
	}
)

func (PeerUp) input()    {}
func (PeerDown) input()  {}
func (Tick) input()      {}
func (*Frame) input()    {}
func (Closed) input()    {}
func (*Heard) input()    {}
func (Linked) input()    {}
func (*Attached) input() {}
func (Want) input()      {}

// Effects is what Step wants done. The owner empties it after each Step.
type Effects struct {
	Publish []Publish
	Open    []Open
	Send    []Send
	Close   []Close
	Deliver []Deliver
	Admit   []Admit
}

type (
	// Publish asks to publish Data on the topic of Space.
	Publish struct {
		Space memo.SpaceID
		Data  []byte
	}

	// Open asks to open a recon stream to Peer. What is sent on the session
	// before it stands is queued; a failure is reported with Closed.
	Open struct {
		Session SessionID
		Peer    Peer
	}

	// Send asks to send one frame.
	Send struct {
		Session SessionID
		Data    []byte
	}

	// Close asks to end a stream, orderly when Err is nil (what was sent before
	// still goes out), else by reset. Blame lowers the peer's score.
	Close struct {
		Session SessionID
		Err     error
		Blame   bool
	}

	// Deliver hands verified runs to the owner to attach. The owner answers with
	// Attached. It never leaves the replica.
	Deliver struct {
		Space   memo.SpaceID
		From    Peer
		Session SessionID // zero: came by gossip
		Runs    []*memo.Run
		Bytes   int
	}

	// Admit reports that Peer proved to know the secret of Space: it may take
	// part in the space's topic.
	Admit struct {
		Space memo.SpaceID
		Peer  Peer
	}
)

// Reset empties e and keeps its memory.
func (e *Effects) Reset() {
	clear(e.Publish)
	clear(e.Send)
	clear(e.Deliver)
	*e = Effects{
		Publish: e.Publish[:0], Open: e.Open[:0], Send: e.Send[:0],
		Close: e.Close[:0], Deliver: e.Deliver[:0], Admit: e.Admit[:0],
	}
}

// Holdings is what the protocol reads of a replica. store.View satisfies it.
// All of it describes one moment and covers sealed, attached memos only.
type Holdings interface {
	// Vector returns the attached cut of a space. What it returns never changes.
	Vector(space memo.SpaceID) memo.Vector
	// VecRoot returns the digest of the vector's search tree.
	VecRoot(space memo.SpaceID) (memo.ID, error)
	// NextRun finds the run that holds the author's first memo after seq. order
	// is its place in attach order: a run's causes have smaller ones. last is the
	// seq of its head.
	NextRun(space memo.SpaceID, author memo.Author, after uint64) (order, last uint64, ok bool, err error)
	// Run returns the encoded run whose head is the author's memo last.
	Run(space memo.SpaceID, author memo.Author, last uint64) ([]byte, error)
}

// TickEvery is the period of Tick.
const TickEvery = 100 * time.Millisecond
