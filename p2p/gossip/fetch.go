package gossip

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"lightcone/memo"
	"lightcone/merge"
)

// Limits of fetching.
const (
	// MaxFetches bounds the roots that are being fetched at once, maxJobs those and
	// the ones that wait for their turn.
	MaxFetches, maxJobs = 4, 64
	// fetchPatience is how long a fetch goes on without anything new, turnPatience how
	// long it waits for its turn.
	fetchPatience, turnPatience = 15 * time.Second, time.Minute
	// fetchWindow is how many bytes of blocks are under way to us, by what blocks had
	// lately; minAsked and maxAsked bound their number.
	fetchWindow        = 1 << 18
	minAsked, maxAsked = 32, 4096
	// maxLacking is how many blocks a peer may not have until another is asked.
	maxLacking = 256
)

var (
	// ErrUnavailable reports a root of which no connected peer of the space has all.
	ErrUnavailable = errors.New("no connected peer has all of this root")
	// ErrFetches reports a Fetch beyond the number that may wait.
	ErrFetches = errors.New("too many roots are being fetched")
)

// job is one root that is being fetched, for everybody who wants it.
type job struct {
	space  *space
	root   memo.ID // zero: the newest of origin, which has not said yet
	origin Peer
	parts  Parts
	memos  uint64   // that come anyway, see Fetch
	keys   []string // of rows that readers wait for
	fed    time.Time
	active bool // it is its turn
	turn   int  // where in the order of members the next is looked for

	session *session           // that serves it now, or nil
	spent   map[Peer]time.Time // not to be asked until then; zero: until something came
	liars   map[Peer]bool      // not to be asked again
	fails   int                // sessions that failed since something came
	last    error              // why the last of them did
	from    Peer               // the origin if it had a part in it, else who gave the last

	stage  Parts         // that is being fetched; 0: the root's own block
	rooted bool          // it is here
	word   *Announcement // what its maker signed of it; nil: nothing came
	made   merge.Root
	vector memo.Vector
	heads  []memo.Head // whose seals are missing, ascending by author
	seals  []SealedHead
	walk   *merge.Walk
	next   []memo.ID          // that the walk wants asked for and nobody was
	fresh  map[memo.ID][]byte // came in this Step: the owner has yet to write them
	held   Holdings
}

// Block makes a job the getter of its walks.
func (j *job) Block(id memo.ID) ([]byte, error) {
	if data, ok := j.fresh[id]; ok {
		return data, nil
	}
	return j.held.Block(j.space.id, id)
}

// fetch takes on a root, or joins who fetches it already.
func (c *Core) fetch(now time.Time, in Fetch, e *Effects) {
	c.going = true
	parts := min(max(in.Parts, VectorPart), StatePart)
	for _, j := range c.jobs {
		if j.space.id == in.Space && j.root == in.Root && (!in.Root.IsZero() || j.origin == in.Origin) {
			j.parts, j.memos = max(j.parts, parts), min(j.memos, in.Memos)
			j.tell(j.stage-min(j.stage, 1), e)
			return
		}
	}
	sp, err := c.spaces[in.Space], error(nil)
	switch {
	case sp == nil:
		err = fmt.Errorf("%w: space %s is not replicated here", ErrUnavailable, in.Space)
	case len(c.jobs) == maxJobs:
		err = fmt.Errorf("%w: %d; try again when some have ended", ErrFetches, maxJobs)
	}
	if err != nil {
		e.Fetched = append(e.Fetched, Fetched{Space: in.Space, Root: in.Root, Parts: parts, From: in.Origin, Err: err})
		return
	}
	c.jobs = append(c.jobs, &job{
		space: sp, root: in.Root, origin: in.Origin, parts: parts, memos: in.Memos, fed: now, held: c.cfg.Holdings,
		turn: c.rng.IntN(maxMembers), spent: map[Peer]time.Time{}, liars: map[Peer]bool{}, fresh: map[memo.ID][]byte{},
	})
}

// prefer lets the blocks of a row come first.
func (c *Core) prefer(in Prefer) {
	for _, j := range c.jobs {
		if j.space.id != in.Space || j.root != in.Root || len(j.keys) == merge.MaxPreferred {
			continue
		}
		j.keys = append(j.keys, in.Key)
		if j.stage == StatePart {
			j.walk.Prefer(in.Key)
		}
	}
}

// drop ends jobs that the owner has no use for.
func (c *Core) drop(now time.Time, in Drop, e *Effects) {
	for _, j := range slices.Clone(c.jobs) {
		if j.space.id == in.Space && (in.Root.IsZero() || j.root == in.Root) {
			c.finish(now, j, in.Err, e)
		}
	}
	if in.Liar != (Peer{}) {
		e.Blame = append(e.Blame, Blame{Peer: in.Liar, Err: in.Err})
	}
}

// goOn gives jobs their turns and takes each as far as it goes: what is held is
// read, what is not is asked for, and who is asked is chosen.
func (c *Core) goOn(now time.Time, e *Effects) {
	c.goInquire(now, e)
	for i, j := range slices.Clone(c.jobs) {
		switch {
		case j.active || i < MaxFetches:
			if !j.active {
				j.active, j.fed = true, now
			}
			c.advance(now, j, e)
		case now.Sub(j.fed) > turnPatience:
			c.finish(now, j, fmt.Errorf("%w: it was not its turn within %v", ErrFetches, turnPatience), e)
		}
	}
}

// advance takes a job as far as it goes.
func (c *Core) advance(now time.Time, j *job, e *Effects) {
	for {
		quiet := j.session != nil && j.session.supply.settled()
		done, idle, err := c.ask(now, j, e)
		if err == nil && done {
			err = c.completed(now, j, e)
		}
		if quiet && !j.session.supply.settled() {
			j.session.active = now // from now on we wait
		}
		switch {
		case err != nil:
			c.finish(now, j, err, e)
		case done && j.stage > j.parts:
			c.finish(now, j, nil, e)
		case done:
			continue
		case idle && j.session != nil && j.session.supply.ready() && j.session.supply.settled():
			c.leave(now, j.session, e) // it lacks what is missing, or gave its share
			continue
		case idle && j.session == nil && c.turnTo(now, j, e):
			continue
		}
		return
	}
}

// ask asks for what the stage lacks, if somebody is there to ask. done tells that
// it lacks nothing, idle that nothing more comes without another peer.
func (c *Core) ask(now time.Time, j *job, e *Effects) (done, idle bool, err error) {
	var u *supply
	if j.session != nil && j.session.supply.ready() {
		u = j.session.supply
	}
	switch j.stage {
	case SealsPart:
		done, idle = c.askSeals(j, u, e)
	case VectorPart, StatePart:
		done, idle, err = c.askBlocks(now, j, u, e)
	default:
		done, idle, err = c.askRoot(now, j, u, e)
	}
	return done, idle, err
}

// askRoot asks for the root's own block.
func (c *Core) askRoot(now time.Time, j *job, u *supply, e *Effects) (done, idle bool, err error) {
	if j.rooted || j.root.IsZero() {
		return j.rooted, true, nil
	}
	switch data, err := j.Block(j.root); {
	case err == nil:
		return true, false, j.takeRoot(data)
	case !errors.Is(err, merge.ErrNoBlock):
		return false, false, fmt.Errorf("%w: %w", errLocal, err)
	case u != nil && u.room() > 0 && len(u.asked)+len(u.lacking) == 0:
		if n, _ := c.budget.pace(now, 1); n == 0 {
			return false, false, nil
		}
		c.wantBlocks(j.session, []memo.ID{j.root}, e)
	}
	return false, true, nil
}

// askBlocks asks for the next blocks of the walk.
func (c *Core) askBlocks(now time.Time, j *job, u *supply, e *Effects) (done, idle bool, err error) {
	room := 1
	paced := false
	if u != nil {
		room, paced = c.budget.pace(now, u.room())
	}
	if n := room - len(j.next); n > 0 {
		ids, err := j.walk.Next(n)
		if err != nil {
			return false, false, err
		}
		j.next = append(j.next, ids...)
	}
	if u != nil && len(j.next) > 0 && room > 0 {
		c.wantBlocks(j.session, j.next, e)
		j.next = j.next[:0]
	}
	// With room, and nothing open, there is more to read that is held, and without a
	// budget left more to ask for: the next Step goes on.
	return j.walk.Done(), !paced && (room == 0 || j.walk.Open() > 0), nil
}

// askSeals asks for the seals of heads that are ahead of us, one frame at a time.
func (c *Core) askSeals(j *job, u *supply, e *Effects) (done, idle bool) {
	mine := j.held.Vector(j.space.id)
	j.heads = slices.DeleteFunc(j.heads, func(h memo.Head) bool { return mine.Covers(h.Author, h.Seq) })
	if len(j.heads) == 0 || u == nil || len(u.heads) > 0 || u.room() == 0 {
		return len(j.heads) == 0, true
	}
	m := &wantSeals{Type: typeWantSeals}
	for _, h := range j.heads {
		if !u.without[h.Author] && len(m.Heads) < sealChunk {
			m.Heads = append(m.Heads, vecHead{Author: h.Author, Seq: h.Seq, ID: h.ID})
			u.heads = append(u.heads, h)
		}
	}
	if len(u.heads) > 0 {
		j.session.send(e, m)
	}
	return false, true
}

// wantBlocks asks for blocks, in frames.
func (c *Core) wantBlocks(s *session, ids []memo.ID, e *Effects) {
	s.supply.asked = append(s.supply.asked, ids...)
	c.budget.aside += len(ids)
	for chunk := range slices.Chunk(ids, wantChunk) {
		s.send(e, &want{Type: typeWant, IDs: chunk})
	}
}

// ready tells whether the peer may be asked.
func (u *supply) ready() bool { return u.greeted || u.sure }

// settled tells whether nothing is under way.
func (u *supply) settled() bool { return len(u.asked)+len(u.heads) == 0 }

// room is how many more blocks may be asked for now.
func (u *supply) room() int {
	if u.yield || u.bytes >= sessionBytes || len(u.lacking) >= maxLacking {
		return 0
	}
	return max(0, min(max(fetchWindow/max(u.mean, 1), minAsked), maxAsked)-len(u.asked))
}

// completed goes to the next stage. An error says that the root is of no use.
func (c *Core) completed(now time.Time, j *job, e *Effects) (err error) {
	_, own, _ := c.cfg.Holdings.Root(j.space.id)
	if own.Params != j.made.Params {
		own = merge.Root{}
	}
	o := merge.WalkOptions{Params: j.made.Params, Tree: j.made.Vector, Base: own.Vector}
	switch j.stage {
	case VectorPart:
		if j.vector, err = merge.ReadVector(j.made.Params, j, j.made.Vector); err != nil {
			return err
		}
		for m := range j.vector.All() {
			j.heads = append(j.heads, m.Head)
		}
	case SealsPart:
		o.Tree, o.Base, o.Rows = j.made.State, own.State, true
	}
	if j.stage == 0 || j.stage == SealsPart && j.parts == StatePart {
		if j.walk, err = merge.NewWalk(j, o); err != nil {
			return err
		}
	}
	if j.stage++; j.stage == StatePart && j.parts == StatePart {
		for _, key := range j.keys {
			j.walk.Prefer(key)
		}
	}
	j.fed = now
	j.tell(j.stage-1, e)
	return nil
}

// tell reports that a part is here.
func (j *job) tell(part Parts, e *Effects) {
	if part >= VectorPart {
		e.Fetched = append(e.Fetched, Fetched{
			Space: j.space.id, Root: j.root, Parts: part, Made: j.made, Vector: j.vector, Seals: j.seals, From: j.voucher(), Word: j.signed(),
		})
	}
}

// voucher is who gave the root: its origin when nobody had to.
func (j *job) voucher() Peer {
	if j.from == (Peer{}) {
		return j.origin
	}
	return j.from
}

// finish ends a job that has all its parts or, with an error, cannot get them.
func (c *Core) finish(now time.Time, j *job, err error, e *Effects) {
	c.jobs = slices.DeleteFunc(c.jobs, func(o *job) bool { return o == j })
	c.look = true
	if err != nil {
		e.Fetched = append(e.Fetched, Fetched{
			Space: j.space.id, Root: j.root, Parts: j.parts, Made: j.made, Vector: j.vector, From: j.voucher(), Err: err,
		})
	}
	if j.session != nil {
		c.leave(now, j.session, e)
	}
}

// takeRoot takes the root's own block, which has its digest.
func (j *job) takeRoot(data []byte) error {
	r, err := merge.DecodeRoot(data)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", merge.ErrTree, j.root, err)
	}
	want, known := j.held.Params(j.space.id)
	if r.Params.Space != j.space.id || known && r.Params != want {
		return fmt.Errorf("%w: root %s has %+v, the space %+v", merge.ErrTree, j.root, r.Params, want)
	}
	j.made, j.rooted = r, true
	return nil
}

// take takes one block that was asked for. merge.ErrTree says that the root is of
// no use, any other error that who sent the block lied.
func (j *job) take(id memo.ID, b Block) error {
	if j.stage > 0 {
		return j.walk.TakeHashed(id, b.Data, b.ID)
	}
	if b.ID != id {
		return fmt.Errorf("block %s was asked for, what came has digest %s", id, b.ID)
	}
	return j.takeRoot(b.Data)
}

// gave notes that a peer brought something new.
func (j *job) gave(now time.Time, p Peer) {
	j.fed, j.fails = now, 0
	clear(j.spent)
	if j.from != j.origin || j.from == (Peer{}) {
		j.from = p
	}
}
