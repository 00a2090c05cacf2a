package node

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/p2p/gossip"
	"lightcone/projection"
	"lightcone/store"
)

// This file is the trust policy `adopt`: in a space whose genesis says so, the state
// that a member vouches for is joined, in place of memos that do not come.

const (
	// adoptPatience is how long recon may take to bring memos before the state of a
	// peer is asked for in their place.
	adoptPatience = 2 * time.Second
	// adoptAgain is the pause between two such questions.
	adoptAgain = 5 * time.Second
	// adoptLook is how often a space that lacks memos is looked at.
	adoptLook = time.Second
	// maxHeardRoots bounds the announcements that are remembered of a space, one a peer.
	maxHeardRoots = 64
	// maxStates bounds the states that wait to be compared with the own.
	maxStates = 8
)

// adopting is what the owner knows of a space that adopts.
type adopting struct {
	heard  []*gossip.Announcement // the last of each peer, oldest first
	behind time.Time              // since when peers have memos that are not here; zero: none is known to
	look   time.Time              // when to look next
	asked  time.Time              // when a state was asked for last
	origin PeerID                 // whose newest root that was; zero: it was an announced one
	busy   bool                   // a state is being compared
}

// adopts reports whether the genesis of s lets a state stand for memos.
func (s *Space) adopts(v *view) bool {
	g, held := v.store.Genesis(s.id)
	if !held {
		return false
	}
	rules, ok := g.Body.(*memo.Genesis)
	return ok && rules.Trust == memo.Adopt
}

// adoptingOf returns what is known of a space that adopts; nil of any other.
func (o *owner) adoptingOf(id memo.SpaceID) (*Space, *adopting) {
	s := o.coldOf(id).space
	if s == nil || !s.adopts(o.n.view.Load()) {
		return nil, nil
	}
	a := o.adopting[id]
	if a == nil {
		a = new(adopting)
		o.adopting[id] = a
	}
	return s, a
}

// lags notes that a peer has memos that are not here.
func (o *owner) lags(id memo.SpaceID) {
	if _, a := o.adoptingOf(id); a != nil && a.behind.IsZero() {
		a.behind = o.n.opts.Now()
		a.look = a.behind
	}
}

// announced remembers a root that may be adopted.
func (o *owner) announced(in gossip.Announced) {
	if _, a := o.adoptingOf(in.Space); a != nil {
		if !in.PassBy {
			a.remember(in.Announcement)
		}
		o.lags(in.Space)
	}
}

// Alarm is a peer's signed word that is false: the memos of the cut, all of which are
// held here, make another state.
type Alarm struct {
	Peer         PeerID
	Root, Ours   memo.ID // of one cut
	Announcement []byte  // as Peer signed it
}

// unequal takes a root that shows another state of a cut than the own root. Where all
// memos are held nobody's word is in the own one, and the signature proves who is wrong.
func (o *owner) unequal(in gossip.Announced) {
	c := o.coldOf(in.Space)
	if whole, err := o.n.view.Load().store.Whole(in.Space); c.space == nil || err != nil || !whole {
		return
	}
	if len(c.alarms) < maxLiars {
		c.alarms = append(c.alarms, Alarm{Peer: in.From, Root: in.ID, Ours: in.Unequal, Announcement: in.Raw})
	}
	o.lied(c, in.From, in.ID, fmt.Errorf("it signed the root %s of a cut whose memos make %s", in.ID, in.Unequal))
}

func (a *adopting) remember(in *gossip.Announcement) {
	a.heard = slices.DeleteFunc(a.heard, func(h *gossip.Announcement) bool { return h.From == in.From })
	if len(a.heard) == maxHeardRoots {
		a.heard = slices.Delete(a.heard, 0, 1)
	}
	a.heard = append(a.heard, in)
}

// tickAdopt asks for the state of a peer where memos that it has did not come.
func (o *owner) tickAdopt(now time.Time) {
	for id, a := range o.adopting {
		if a.behind.IsZero() || now.Before(a.look) || a.busy {
			continue
		}
		a.look = now.Add(adoptLook)
		ask, any := o.bestState(id, a)
		switch {
		case !any:
			a.behind = time.Time{}
		case now.Sub(a.behind) >= adoptPatience && now.Sub(a.asked) >= adoptAgain && o.ready() == nil:
			if !o.tell(ask) {
				continue // in a later tick
			}
			a.asked, a.origin = now, PeerID{}
			if ask.Root.IsZero() {
				a.origin = ask.Origin
			}
		}
	}
}

// bestState names the root that covers most of what is missing in a space: one that
// was announced, else the newest of a peer that is connected.
func (o *owner) bestState(id memo.SpaceID, a *adopting) (ask gossip.Fetch, any bool) {
	mine, c := o.n.view.Load().store.Had(id).Vector(), o.coldOf(id)
	ask = gossip.Fetch{Space: id, Parts: gossip.StatePart}
	most := lead(mine, memo.Vector{})
	for _, h := range a.heard {
		if h.Memos > most && !c.mistrusts(h.From, o.n.opts.Now()) {
			ask.Root, ask.Origin, most, any = h.ID, h.From, h.Memos, true
		}
	}
	if any {
		return ask, true
	}
	most = 0
	o.core.Members(id, func(p gossip.Peer, up bool, has memo.Vector) {
		if n := lead(has, mine); up && n > most && !c.mistrusts(p, o.n.opts.Now()) {
			ask.Origin, most, any = p, n, true
		}
	})
	return ask, any
}

// adoptFetched begins to adopt a state that came, if the space adopts and it has
// something that is not here.
func (o *owner) adoptFetched(f gossip.Fetched) {
	if f.Err != nil || f.Parts != gossip.StatePart {
		return
	}
	s, a := o.adoptingOf(f.Space)
	if a == nil || a.busy || o.n.view.Load().store.Vector(f.Space).CoversAll(f.Vector) {
		return
	}
	// Who gives blocks does not vouch for them: that does who announced the root, or was
	// asked for his newest.
	st := &foreignState{space: s, Fetched: f, lots: newLots(o.n.chance)}
	l := s.layer.Load()
	vouches := f.From == a.origin || f.From == l.peer && f.Root == l.id
	if vouches = vouches && f.Word != nil && f.Word.From == f.From; vouches {
		st.announcement = f.Word.Raw
	}
	for _, h := range a.heard {
		if h.ID == f.Root {
			st.From, st.announcement, vouches = h.From, h.Raw, true
		}
	}
	if !vouches {
		return
	}
	if o.coldOf(f.Space).mistrusts(st.From, o.n.opts.Now()) || !o.member(s, st.From) {
		return
	}
	a.busy = o.n.folder.compare(st)
}

// member reports whether p takes part in a space, as far as is known here.
func (o *owner) member(s *Space, p PeerID) bool {
	known := o.n.Admitted(s.id, p)
	o.core.Members(s.id, func(m gossip.Peer, _ bool, _ memo.Vector) { known = known || m == p })
	_, wrote := o.n.view.Load().store.Vector(s.id).Get(p)
	return known || wrote
}

// foreignState is a state that a peer vouches for, on its way to be adopted.
type foreignState struct {
	space *Space
	gossip.Fetched
	announcement []byte // as From signed it
	heads        []store.SealedMark
	rows         []merge.KeyedRow // that the own state does not include
	lots         lots             // what of it is looked into
	err          error
}

// check compares a state with the own one: what it covers, on whose seals, and which
// rows it adds. It runs on the folder's goroutine.
func (st *foreignState) check(f *folder) error {
	s, v := st.space, f.n.view.Load()
	if p := s.params(v); st.Made.Params != p {
		return lie{fmt.Errorf("its trees are made with %+v, those of the space with %+v", st.Made.Params, p)}
	}
	own, err := f.fold(s)
	if err != nil {
		return err
	}
	if err := st.checkHeads(own.vector); err != nil {
		return err
	}
	blocks, paid := f.n.store.Blocks(s.id), 0 // rows, of the budget
	for d, err := range merge.Diff(own.root.Params, blocks, own.root.State, st.Made.State) {
		if err == nil && f.closing() {
			err = ErrClosed
		}
		if err != nil {
			return err
		}
		if err := st.row(blocks, own.root, d); err != nil {
			return err
		}
		if len(st.rows)-paid == payAtOnce {
			if err := f.pay(payAtOnce); err != nil {
				return err
			}
			paid = len(st.rows)
		}
	}
	return f.pay(len(st.rows) - paid)
}

// checkHeads takes the heads that the state has ahead of the own cut, each with its
// author's seal.
func (st *foreignState) checkHeads(own memo.Vector) error {
	seals := map[memo.Head]memo.Seal{}
	for _, h := range st.Seals {
		seals[h.Head] = h.Seal
	}
	for m := range st.Vector.All() {
		if mine, _ := own.Get(m.Author); m.Seq <= mine.Seq {
			if m.Forked && !mine.Forked {
				st.markForked(mine)
			}
			continue
		}
		seal, ok := seals[m.Head]
		if !ok {
			return lie{fmt.Errorf("its root covers memo %d of %s, which that author did not seal", m.Seq, m.Author)}
		}
		if err := memo.VerifySeal(st.space.id, m.Head, seal); err != nil {
			return lie{fmt.Errorf("its root covers memo %d of %s: %w", m.Seq, m.Author, err)}
		}
		st.heads = append(st.heads, store.SealedMark{Mark: m, Seal: seal})
	}
	return nil
}

// markForked takes in that an author is proved to have forked, though its head is not
// news.
func (st *foreignState) markForked(mine memo.Mark) {
	seal, ok, err := st.space.node.view.Load().store.Seal(st.space.id, mine.Author, mine.Seq)
	if mine.Forked = true; ok && err == nil {
		st.heads = append(st.heads, store.SealedMark{Mark: mine, Seal: seal})
	}
}

// row takes a row that differs, unless the own one includes it.
func (st *foreignState) row(blocks *store.Blocks, own merge.Root, d merge.Difference) error {
	if _, _, ok := merge.SplitRowKey(d.Key); !ok && d.New != nil {
		return lie{fmt.Errorf("%q is no row's key", d.Key)}
	}
	said, _, err := merge.StateRow(own.Params, blocks, st.Made.State, d.Key)
	if err != nil {
		return err
	}
	if err := st.bounds(said); err != nil {
		return lie{fmt.Errorf("row %q: %w", d.Key, err)}
	}
	mine, _, err := merge.StateRow(own.Params, blocks, own.State, d.Key)
	if err != nil {
		return err
	}
	if st.lots.lacking(d.Key, said, mine, st.Vector); mine.Includes(said) {
		return nil
	}
	st.lots.added(d.Key, said, mine)
	state, err := said.Encode()
	st.rows = append(st.rows, merge.KeyedRow{Key: d.Key, State: state})
	return err
}

// bounds refuses a row that stands on memos which the state's vector does not have.
func (st *foreignState) bounds(said merge.Row) error {
	for _, p := range said.Provenance() {
		head, _ := st.Vector.Get(p.Author)
		switch {
		case p.Seq == 0 || p.Seq > head.Seq:
			return fmt.Errorf("it stands on memo %d of %s, which its root does not cover", p.Seq, p.Author)
		case p.Seq == head.Seq && p.ID != head.ID:
			return fmt.Errorf("it stands on another memo %d of %s than its root", p.Seq, p.Author)
		case p.Time > head.Time:
			return fmt.Errorf("it stands on memo %d of %s, of a time that its chain does not have", p.Seq, p.Author)
		}
	}
	return nil
}

// do takes a state that was compared: the call of the folder to the owner.
func (st *foreignState) do(o *owner) {
	s, a := o.adoptingOf(st.space.id)
	if a == nil {
		return
	}
	a.busy = false
	var false_ lie
	err := st.err
	if errors.As(err, &false_) {
		o.lied(o.coldOf(s.id), st.From, st.Root, err)
		o.drainTodo()
		return
	}
	if err == nil {
		err = o.adoptState(st)
	}
	if err != nil && !errors.Is(err, ErrClosed) {
		o.n.log.Info("cannot adopt the state of a peer now; it is tried again", "space", s.id, "peer", st.From, "err", err)
	}
	o.drainTodo()
}

// adoptState joins a state that was checked: it is in the log, synced, and projected
// before anybody is told.
func (o *owner) adoptState(st *foreignState) error {
	limit := memo.Next(uint64(o.n.opts.Now().Add(driftBound).UnixMilli()))
	for _, h := range st.heads {
		if h.Time > limit {
			return fmt.Errorf("memo %d of %s is ahead of this node's clock; it waits until that gets there", h.Seq, h.Author)
		}
	}
	if err := o.ready(); err != nil {
		return err
	}
	rows := func(yield func(merge.KeyedRow, error) bool) {
		for _, r := range st.rows {
			if !yield(r, nil) {
				return
			}
		}
	}
	before, seq := o.n.view.Load().store.Vector(st.space.id), o.ownSeq(st.space.id)
	out, res, err := o.n.store.Adopt(store.Adoption{
		Space: st.space.id, Root: st.Root, From: st.From, Announcement: st.announcement, Heads: st.heads, Rows: rows,
	})
	if out.LSN == 0 {
		return classify(err)
	}
	// As in deliver: what is in the log must be projected before what comes next.
	for _, h := range st.heads {
		o.clocks[st.space.id] = max(o.clocks[st.space.id], h.Time)
	}
	o.skipped(st.space.id, st.heads)
	if !errors.Is(err, store.ErrBroken) {
		applied := o.n.proj.Apply(out.LSN, []projection.Change{{Space: st.space.id, Rows: st.rows}})
		if applied == nil {
			applied = o.projectFrom(out.LSN, res.Attached)
		}
		err = errors.Join(err, applied)
	}
	o.counts.adopted++
	o.lookInto(st, before)
	o.regain(st.space.id, seq)
	o.n.log.Info("adopted the state of a peer", "space", st.space.id, "peer", st.From, "root", st.Root, "authors", len(st.heads), "rows", len(st.rows))
	o.n.folder.want(st.space)
	return err
}
