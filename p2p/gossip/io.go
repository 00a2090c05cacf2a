package gossip

import (
	"time"

	"lightcone/memo"
	"lightcone/merge"
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

	// Turn reports that the inputs which waited had their turn, as Effects.Again asks.
	Turn struct{}

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
		Excused bool        // it may be this replica's own fault: no room, or its clock
		Bad     error       // a run that broke a rule no honest peer breaks
	}

	// Want reports heads a reader waits for; Origin, if not zero, likely has them.
	Want struct {
		Space  memo.SpaceID
		Origin Peer
		Heads  []memo.Head // their authors are heard whatever is offered
	}

	// Load tells what the owner can take in, once a second: Capacity units a second,
	// see budget.go, 0 while it has no need of a bound; Backlog are the units that
	// wait at the owner already.
	Load struct {
		Capacity float64
		Backlog  int
	}

	// Expel ends all service of a space to a peer, for good: its key was revoked there,
	// and Config.Expelled says so from now on.
	Expel struct {
		Space memo.SpaceID
		Peer  Peer
	}

	// Fetch asks for the blocks of a root. Origin, if not zero, is asked first. A
	// zero Root stands for the newest root of Origin, which then folds before it
	// answers. Fetches of one root share the way; each phase ends in a Fetched.
	Fetch struct {
		Space  memo.SpaceID
		Root   memo.ID
		Origin Peer
		Parts  Parts
		Memos  uint64 // that come by recon anyway: if they cost far less than the state, it ends in ErrCostly; 0: whatever it costs
	}

	// Prefer reports that a reader waits for one row of the state under a root that
	// is being fetched: its blocks come first.
	Prefer struct {
		Space memo.SpaceID
		Root  memo.ID
		Key   string // merge.RowKey
	}

	// Drop ends what is fetched of a root, of every root of the space where Root is
	// zero, because its blocks cannot be kept or, with Liar, because that peer's word
	// about it turned out to be false. Each fetch ends in a Fetched with Err.
	Drop struct {
		Space memo.SpaceID
		Root  memo.ID
		Liar  Peer
		Err   error
	}

	// Inquire asks a peer for the run that holds a memo, covered here or not. Each ends
	// in an Inquired.
	Inquire struct {
		Space memo.SpaceID
		Peer  Peer
		Head  memo.Head // a zero ID: whatever is in that place of the author's chain
	}

	// Folded reports a root this replica made of its own sealed cut, whose blocks
	// are held. Err says why a fold that the Core asked for failed.
	Folded struct {
		Space  memo.SpaceID
		ID     memo.ID // digest of the encoded Root
		Root   merge.Root
		Vector memo.Vector
		// Reading are the greatest pings below the root, ascending by author; nil where
		// there are no beacons. Peers is how many the owner believes to be behind it,
		// Authors how many wrote in the space in the last day, about; 0: it does not know.
		Reading []memo.Head
		Peers   uint64
		Authors uint64
		Err     error
	}

	// HeardRoot is a message on a space's topic of roots; Peer is who relayed it.
	HeardRoot struct {
		Space memo.SpaceID
		Peer  Peer
		Data  []byte

		announcement *Announcement // set by Prepare
	}
)

// Parts says how much of a root is fetched.
type Parts uint8

// The parts of a root, each with those above it.
const (
	VectorPart Parts = iota + 1 // the root's block and its vector tree
	SealsPart                   // and one seal for each author ahead of our vector
	StatePart                   // and its state tree with the rows' own blocks
)

func (PeerUp) input()     {}
func (PeerDown) input()   {}
func (Tick) input()       {}
func (Turn) input()       {}
func (*Frame) input()     {}
func (Closed) input()     {}
func (*Heard) input()     {}
func (Linked) input()     {}
func (*Attached) input()  {}
func (Want) input()       {}
func (Load) input()       {}
func (Expel) input()      {}
func (Fetch) input()      {}
func (Prefer) input()     {}
func (Drop) input()       {}
func (Inquire) input()    {}
func (Folded) input()     {}
func (*HeardRoot) input() {}

// Effects is what Step wants done. The owner empties it after each Step.
type Effects struct {
	Publish  []Publish
	Open     []Open
	Send     []Send
	Close    []Close
	Blame    []Blame
	Deliver  []Deliver
	Admit    []Admit
	Keep     []Keep
	Fetched  []Fetched
	Fold     []Fold
	Told     []Told
	Ahead    []Ahead
	Heard    []Announced
	Expel    []Expelled
	Inquired []Inquired

	// Again asks for a Turn once the inputs that wait now had theirs: a session has
	// more to send than one Step may read from Holdings.
	Again bool
}

type (
	// Publish asks to publish Data on the topic of memos of Space, or on that of its
	// roots.
	Publish struct {
		Space memo.SpaceID
		Roots bool
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

	// Blame lowers a peer's score for what no session of it shows.
	Blame struct {
		Peer Peer
		Err  error
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

	// Keep hands over blocks of a root that is being fetched, checked, parents before
	// children. The owner writes them before the next Step. It never leaves the
	// replica.
	Keep struct {
		Space  memo.SpaceID
		Blocks []Block
	}

	// Fetched reports that a Fetch has all of Part, the owner having kept it; or that
	// it ended without, Err then saying why. It never leaves the replica.
	Fetched struct {
		Space  memo.SpaceID
		Root   memo.ID
		Parts  Parts // what is here now; with Err, what was asked for
		Made   merge.Root
		Vector memo.Vector   // what the root covers
		Seals  []SealedHead  // of the authors it has ahead of us, from SealsPart on
		From   Peer          // who gave the last of it, or who vouches for it
		Word   *Announcement // of the root, by the peer whose newest it is; nil: none came
		Err    error
	}

	// Inquired is the answer to an Inquire. The run's seal holds and it has a memo in that
	// place, of another digest where the peer has no other; nil: the peer does not hold
	// it, or, with Err, did not say. It never leaves the replica.
	Inquired struct {
		Inquire
		Run *memo.Run
		Err error
	}

	// Fold asks the owner to fold a space and to answer with Folded, because a peer
	// asks for our newest root. It never leaves the replica.
	Fold struct{ Space memo.SpaceID }

	// Told tells the owner how far Peer has the chain of this replica, by its own word,
	// once in each session that shows it. It never leaves the replica.
	Told struct {
		Space memo.SpaceID
		Peer  Peer
		Own   uint64 // seq; 0: nothing
	}

	// Ahead tells the owner that Peer has so many memos that are not here, once in
	// each session that shows it. It never leaves the replica.
	Ahead struct {
		Space memo.SpaceID
		Peer  Peer
		Memos uint64
	}

	// Announced tells the owner of a root that From vouches for and that is news:
	// neither made nor heard of here before, and not of the cut held here; or of one
	// that disagrees with ours. It never leaves the replica.
	Announced struct {
		Space memo.SpaceID
		*Announcement
		// Unequal is a root made here of the same cut with another state: who announces
		// computes wrongly, or we do. Zero: there is none.
		Unequal memo.ID
		// PassBy says that this root is none of those to merge: not all can be.
		PassBy bool
	}

	// Expelled reports that Peer takes no part in Space any more: it leaves the topic,
	// and its connections end.
	Expelled struct {
		Space memo.SpaceID
		Peer  Peer
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
	clear(e.Keep)
	clear(e.Fetched)
	clear(e.Heard)
	clear(e.Inquired)
	*e = Effects{
		Publish: e.Publish[:0], Open: e.Open[:0], Send: e.Send[:0],
		Close: e.Close[:0], Blame: e.Blame[:0], Deliver: e.Deliver[:0], Admit: e.Admit[:0],
		Keep: e.Keep[:0], Fetched: e.Fetched[:0], Fold: e.Fold[:0], Told: e.Told[:0], Ahead: e.Ahead[:0],
		Heard: e.Heard[:0], Expel: e.Expel[:0], Inquired: e.Inquired[:0],
	}
}

// Block is a block with its digest.
type Block struct {
	ID   memo.ID
	Data []byte
}

// SealedHead is the head of a run and its author's seal.
type SealedHead struct {
	memo.Head
	Seal memo.Seal
}

// BranchRun is a run of a forked author, by its head.
type BranchRun struct {
	Time memo.Time
	ID   memo.ID
	Seq  uint64
}

// Holdings is what the protocol reads of a replica. store.View satisfies it.
// All of it describes one moment and covers sealed memos only.
type Holdings interface {
	// Vector returns the attached cut of a space. What it returns never changes.
	Vector(space memo.SpaceID) memo.Vector
	// VecRoot returns the digest of the vector's search tree.
	VecRoot(space memo.SpaceID) (memo.ID, error)
	// Had returns what of a space need not be sent to this replica: the attached cut,
	// and runs that it holds back from it. Recon says it and serves it; what is attached
	// is announced, claimed and folded. What it returns never changes.
	Had(space memo.SpaceID) memo.Vector
	// HadRoot returns the digest of the search tree of Had.
	HadRoot(space memo.SpaceID) (memo.ID, error)
	// HadTree returns the blocks of that tree.
	HadTree(space memo.SpaceID) (merge.BlockGetter, error)
	// NextRun finds, of what Had covers, the run that holds the author's first memo after seq. order
	// is its place in attach order: a run's causes have smaller ones. last is the
	// seq of its head. Where that memo is covered and not held, ok is false and order
	// is that of the state that stands for it.
	NextRun(space memo.SpaceID, author memo.Author, after uint64) (order, last uint64, ok bool, err error)
	// Run returns the encoded run whose head is the author's memo last.
	Run(space memo.SpaceID, author memo.Author, last uint64) ([]byte, error)
	// ID returns the digest of the author's memo seq, false if it is not held; of an
	// author who forked that of the branch that came first.
	ID(space memo.SpaceID, author memo.Author, seq uint64) (memo.ID, bool, error)

	// Forked returns the authors of whom two branches are held, ascending.
	Forked(space memo.SpaceID) []memo.Author
	// BranchRuns returns the runs held of an author of Forked from the fork on, those
	// of all branches, ascending by (time, digest) of their heads.
	BranchRuns(space memo.SpaceID, author memo.Author) ([]BranchRun, error)
	// RunByID returns the encoded run of an author of Forked whose head has that digest.
	RunByID(space memo.SpaceID, id memo.ID) ([]byte, error)
	// Holds reports whether the memo of a head is held, on whatever branch.
	Holds(space memo.SpaceID, h memo.Head) (bool, error)

	// Params returns the tree parameters of a space, false while its genesis is not
	// held here.
	Params(space memo.SpaceID) (merge.Params, bool)
	// Root returns the newest root of the replica's own sealed cut, which may be
	// behind Vector; false when there is none.
	Root(space memo.SpaceID) (id memo.ID, r merge.Root, ok bool)
	// Adopts reports whether a member's root may stand for memos in a space.
	Adopts(space memo.SpaceID) bool
	// Block returns a block of the space, or an error that is merge.ErrNoBlock.
	Block(space memo.SpaceID, id memo.ID) ([]byte, error)
	// Seal returns the seal of the author's memo seq, false if that is no sealed head
	// held here.
	Seal(space memo.SpaceID, author memo.Author, seq uint64) (memo.Seal, bool, error)
}

// TickEvery is the period of Tick.
const TickEvery = 100 * time.Millisecond
