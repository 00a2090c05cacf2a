package node

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/p2p/gossip"
	"lightcone/store"
)

const (
	// DefaultRetention is how long a root is kept after it was named in a token.
	DefaultRetention = 24 * time.Hour
	// foldEvery is how often the folder looks for a space at rest: one that has not
	// changed since it looked last is folded, if it is not yet.
	foldEvery = 10*time.Second + gossip.TickEvery/2 // never at the time of a tick: in virtual time the order would be open
	// foldAfter is after how many memos a busy space is folded too, so that the next
	// fold, which somebody may wait for, has no more to do.
	foldAfter = 10_000
	// maxChangedRows bounds the keys a fold gathers; with more of them the tree is
	// built anew.
	maxChangedRows = 1 << 17
	// maxWantedFolds bounds the spaces that peers wait to be folded, maxAudits the
	// layers that wait to be compared with the memos behind them.
	maxWantedFolds, maxAudits = 64, 16
	// collectAfter is after how many blocks, at least, garbage is collected.
	collectAfter = 1 << 14
)

// folder computes roots, on a goroutine of its own: the state of the sealed cut
// of a space, from what the projection shows and the root before. Its fields
// belong to that goroutine but for last.
type folder struct {
	n       *Node
	asks    chan foldAsk
	wanted  chan *Space // folds that the protocol waits for
	audits  chan audit
	states  chan *foreignState
	spots   chan *spot
	done    chan struct{}
	seen    map[memo.SpaceID]uint64 // memos at the last look, but pings
	written int                     // blocks since the last collection
	others  atomic.Int64            // that others wrote since
	kept    int                     // blocks it left

	keeping sync.RWMutex // read-held by others who write a root, until it is pinned

	mu   sync.Mutex
	last map[memo.SpaceID]folded
}

// folded is a root, and where it stands.
type folded struct {
	id     memo.ID // of the encoded root
	root   merge.Root
	vector memo.Vector // what it covers; not to be changed
	memos  uint64      // their number, but for pings since the node started
	lsn    uint64      // the record of the log up to which it has everything
}

type foldAsk struct {
	space *Space
	reply chan foldReply // buffered
}

type foldReply struct {
	folded folded
	err    error
}

func newFolder(n *Node) *folder {
	return &folder{
		n: n, asks: make(chan foldAsk), done: make(chan struct{}),
		wanted: make(chan *Space, maxWantedFolds), audits: make(chan audit, maxAudits),
		states: make(chan *foreignState, maxStates), spots: make(chan *spot, 1),
		seen: map[memo.SpaceID]uint64{}, last: map[memo.SpaceID]folded{},
	}
}

// fold returns the root of the sealed cut, which is computed if it is not known,
// and pins it. What waits for a seal is sealed first.
func (s *Space) fold(ctx context.Context) (folded, error) {
	ask := foldAsk{s, make(chan foldReply, 1)}
	select {
	case s.node.folder.asks <- ask:
	case <-ctx.Done():
		return folded{}, ctx.Err()
	case <-s.node.quit:
		return folded{}, ErrClosed
	}
	select {
	case r := <-ask.reply:
		return r.folded, r.err
	case <-ctx.Done():
		return folded{}, ctx.Err()
	case <-s.node.folder.done:
		return folded{}, ErrClosed
	}
}

// latest returns the last fold of a space, if there is one.
func (f *folder) latest(id memo.SpaceID) (folded, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	last, ok := f.last[id]
	return last, ok
}

func (f *folder) run() {
	defer close(f.done)
	look := time.NewTicker(foldEvery)
	defer look.Stop()
	for {
		select {
		case ask := <-f.asks:
			next, err := f.fold(ask.space)
			ask.reply <- foldReply{next, err}
		case s := <-f.wanted:
			if _, err := f.fold(s); err != nil {
				f.tell(gossip.Folded{Space: s.id, Err: err})
			}
		case a := <-f.audits:
			f.report(a.space, a.layer, f.audited(a.space, a.layer))
		case st := <-f.states:
			st.err = st.check(f)
			_ = f.n.submit(context.Background(), st) // fails on a node that closes
		case sp := <-f.spots:
			_ = f.n.submit(context.Background(), f.examined(sp)) // fails on a node that closes
		case <-look.C:
			f.look()
		case <-f.n.quit:
			return
		}
		f.collect()
	}
}

// look folds the spaces that are at rest or far from their last root.
func (f *folder) look() {
	for _, s := range f.n.allSpaces() {
		v := f.n.view.Load()
		memos := v.settled(s)
		before, known := f.seen[s.id]
		f.seen[s.id] = memos
		last, _ := f.base(s, v)
		stale := memos != last.memos || v.store.Branched(s.id) > last.lsn
		rests := known && before == memos && stale
		if !rests && memos-min(memos, last.memos) < foldAfter {
			continue
		}
		if _, err := f.fold(s); err != nil && !errors.Is(err, ErrClosed) {
			f.n.log.Warn("cannot fold a space now; it is tried again", "space", s.id, "err", err)
		}
	}
}

// fold computes the root of what s has now.
func (f *folder) fold(s *Space) (folded, error) {
	m, err := f.n.sealedMoment(s)
	if err != nil {
		return folded{}, fmt.Errorf("fold: %w", err)
	}
	defer m.Close()
	next := folded{vector: m.view.store.Vector(s.id), memos: m.view.settled(s), lsn: m.view.lsn}
	if last, ok := f.base(s, m.view); ok && last.shows(s, m.view.store) {
		next.id, next.root = last.id, last.root
	} else if err := f.write(s, m, last, ok, &next); err != nil {
		return folded{}, fmt.Errorf("fold: %w", err)
	}
	if err := f.n.pin(s, next.id, next.lsn); err != nil {
		return folded{}, fmt.Errorf("fold: %w", err)
	}
	f.found(s, next)
	return next, nil
}

// found notes the newest root of a space, and lets the protocol announce it.
func (f *folder) found(s *Space, r folded) {
	f.mu.Lock()
	f.last[s.id] = r
	f.mu.Unlock()
	f.tell(gossip.Folded{Space: s.id, ID: r.id, Root: r.root, Vector: r.vector})
}

// foundBefore notes the last root of an earlier run of the node, unless a newer one is
// known by now, and returns the one to go on from.
func (f *folder) foundBefore(s *Space, r folded) folded {
	f.mu.Lock()
	newer, ok := f.last[s.id]
	if !ok {
		f.last[s.id] = r
	}
	f.mu.Unlock()
	if ok {
		return newer
	}
	f.tell(gossip.Folded{Space: s.id, ID: r.id, Root: r.root, Vector: r.vector})
	return r
}

// tell tells the protocol what came of a fold.
func (f *folder) tell(in gossip.Folded) {
	_ = f.n.submit(context.Background(), stepped{in}) // fails on a node that closes
}

// stepped has the owner step the protocol on an input of the node's own.
type stepped struct{ in gossip.Input }

func (c stepped) do(o *owner) {
	if f, ok := c.in.(gossip.Folded); ok && f.Err == nil {
		f.Reading, f.Peers = o.behind(f.Space, f.Vector)
		f.Authors = o.authorsOf(f.Space)
		c.in = f
	}
	o.step(c.in)
}

// want has a space folded soon; false when too many wait.
func (f *folder) want(s *Space) bool {
	select {
	case f.wanted <- s:
		return true
	default:
		return false
	}
}

// audit is a layer to be compared with the memos behind it.
type audit struct {
	space *Space
	layer *layer
}

// audit has a layer compared; one too many is not.
func (f *folder) audit(s *Space, l *layer) {
	select {
	case f.audits <- audit{s, l}:
	default:
		f.n.log.Warn("too many states of peers wait to be compared with the memos; one is not", "space", s.id, "peer", l.peer)
	}
}

// compare has a state compared with the own one, to be adopted; false when too many
// wait.
func (f *folder) compare(st *foreignState) bool {
	select {
	case f.states <- st:
		return true
	default:
		return false
	}
}

// pin keeps a root for the retention window. lsn is 0 unless the root is that of
// everything up to there.
func (n *Node) pin(s *Space, id memo.ID, lsn uint64) error {
	return n.store.Blocks(s.id).Pin(store.Pin{Root: id, Until: n.opts.Now().Add(n.opts.Retention), LSN: lsn})
}

// base returns the root to go on from: the last fold, or that of an earlier run
// of the node.
func (f *folder) base(s *Space, v *view) (folded, bool) {
	if last, ok := f.latest(s.id); ok {
		return last, true
	}
	pins, err := f.n.store.Blocks(s.id).Pins()
	if err != nil || len(pins) == 0 || pins[0].LSN == 0 || pins[0].LSN > v.lsn || pins[0].Foreign {
		return folded{}, false
	}
	last := folded{id: pins[0].Root, lsn: pins[0].LSN}
	if last.root, err = s.root(last.id); err == nil {
		last.vector, err = merge.ReadVector(last.root.Params, f.n.store.Blocks(s.id), last.root.Vector)
	}
	if err != nil || last.root.Params != s.params(v) || !v.store.Vector(s.id).CoversAll(last.vector) {
		f.n.log.Warn("the last root of a space is of no use; folding it from the start", "space", s.id, "err", err)
		return folded{}, false
	}
	for m := range last.vector.All() {
		last.memos += m.Seq
	}
	return f.foundBefore(s, last), true
}

// shows tells whether r is the root of what v has sealed of s: the same heads, and no
// branch of a forked author behind them that came later.
func (r folded) shows(s *Space, v *store.View) bool {
	return sameCut(r.vector, v.Vector(s.id)) && v.Branched(s.id) <= r.lsn
}

// sameCut tells whether two cuts of one log are equal.
func sameCut(a, b memo.Vector) bool { return a.CoversAll(b) && b.CoversAll(a) }

// write makes the trees of next, which m shows, from those of last if there is
// one, and next's root.
func (f *folder) write(s *Space, m *moment, last folded, ok bool, next *folded) error {
	var changed []string
	if ok {
		var err error
		if changed, ok, err = f.changed(s.id, m.view, last.lsn); err != nil {
			return err
		}
	}
	p, blocks := s.params(m.view), f.n.store.Blocks(s.id)
	return blocks.Write(func(put merge.BlockPutter) (err error) {
		counted := &counter{put, &f.written}
		next.root.Params = p
		if ok {
			next.root.State, err = merge.ApplyState(p, blocks, last.root.State, f.open(m.rows(s.id, changed)), counted)
			if err == nil {
				next.root.Vector, err = merge.ApplyVector(p, blocks, last.root.Vector, ahead(next.vector, last.vector), counted)
			}
		} else {
			next.root.State, err = merge.BuildState(p, f.open(m.snap.States(s.id)), counted)
			if err == nil {
				next.root.Vector, err = merge.BuildVector(p, next.vector, counted)
			}
		}
		if err == nil {
			next.id, err = putRoot(next.root, counted)
		}
		return err
	})
}

// ahead yields the heads of v that before does not have.
func ahead(v, before memo.Vector) iter.Seq[memo.Mark] {
	return func(yield func(memo.Mark) bool) {
		for m := range v.All() {
			if had, ok := before.Get(m.Author); (!ok || had != m) && !yield(m) {
				return
			}
		}
	}
}

// putRoot puts the block of a root and returns its digest, which tokens name.
func putRoot(r merge.Root, put merge.BlockPutter) (memo.ID, error) {
	data, err := r.Encode()
	if err != nil {
		return memo.ID{}, err
	}
	id := memo.Sum(data)
	return id, put.PutBlock(id, data)
}

// counter counts blocks on their way.
type counter struct {
	merge.BlockPutter
	n *int
}

func (c *counter) PutBlock(id memo.ID, data []byte) error {
	*c.n++
	return c.BlockPutter.PutBlock(id, data)
}

// changed returns the keys of the rows that memos behind a record changed,
// ascending; ok is false when they are too many or the log does not reach back.
func (f *folder) changed(id memo.SpaceID, v *view, after uint64) (keys []string, ok bool, err error) {
	feed, err := v.store.Feed(after + 1)
	if errors.Is(err, store.ErrPruned) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, feed.Close()) }()
	found := map[string]struct{}{}
	for len(found) <= maxChangedRows {
		if f.closing() {
			return nil, false, ErrClosed
		}
		rec, more, err := feed.Next(v.lsn)
		if err != nil {
			return nil, false, err
		}
		if !more {
			return slices.Sorted(maps.Keys(found)), true, nil
		}
		for _, m := range rec.Memos {
			if m.SpaceID() == id {
				addKeys(found, m)
			}
		}
		if a := rec.Adopted; a != nil && !a.Own && a.Space() == id {
			for r, err := range a.Rows() {
				if err != nil {
					return nil, false, err
				}
				found[r.Key] = struct{}{}
			}
		}
	}
	return nil, false, nil
}

func addKeys(to map[string]struct{}, m *memo.Memo) {
	for key := range merge.RowEdits(m) {
		to[key] = struct{}{}
	}
}

// rows yields the rows of the given keys.
func (m *moment) rows(id memo.SpaceID, keys []string) iter.Seq2[merge.KeyedRow, error] {
	return func(yield func(merge.KeyedRow, error) bool) {
		for _, key := range keys {
			topic, row, _ := merge.SplitRowKey(key) // made by RowKey
			state, _, err := m.snap.Get(id, topic, row)
			out := merge.KeyedRow{Key: key}
			if err == nil {
				out.State, err = state.Encode()
			}
			if !yield(out, err) || err != nil {
				return
			}
		}
	}
}

// open passes rows on until the node is closed.
func (f *folder) open(rows iter.Seq2[merge.KeyedRow, error]) iter.Seq2[merge.KeyedRow, error] {
	return func(yield func(merge.KeyedRow, error) bool) {
		for r, err := range rows {
			if err == nil && f.closing() {
				err = ErrClosed
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

func (f *folder) closing() bool {
	select {
	case <-f.n.quit:
		return true
	default:
		return false
	}
}

// collect deletes the blocks that no pinned root needs, once as many were written
// as are needed.
func (f *folder) collect() {
	f.written += int(f.others.Swap(0))
	if f.written < max(collectAfter, f.kept) || f.closing() {
		return
	}
	f.written, f.kept = 0, 0
	f.keeping.Lock()
	defer f.keeping.Unlock()
	for _, s := range f.n.allSpaces() {
		c, err := f.n.store.Blocks(s.id).Collect(f.n.opts.Now())
		if err != nil {
			f.n.log.Warn("cannot collect old roots", "space", s.id, "err", err)
			continue
		}
		f.kept += c.Kept
		f.n.log.Debug("collected old roots", "space", s.id, "roots", c.Pins, "blocks", c.Blocks, "kept", c.Kept)
	}
}
