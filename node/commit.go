package node

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"lightcone/memo"
	"lightcone/p2p/gossip"
	"lightcone/store"
)

// write is one edit on its way to the log. edit is nil for a write that only
// gathers its causes into one own memo. draft is set when the edit has cells whose
// deltas go on from the node's earlier ones; the owner builds it anew.
type write struct {
	space *Space
	edit  *memo.Edit
	draft *draftEdit
	body  memo.Body   // in place of an edit
	first []memo.Head // to be named by a memo of their own ahead, known or not
	deps  []memo.Head
	done  chan written // buffered, answered exactly once
}

// written is the outcome of a write. unknown says that it may be in the log
// although err is set: the sync failed.
type written struct {
	head    memo.Head
	err     error
	unknown bool
}

// maxCommit bounds the writes taken at once, so that inputs get their turn.
const maxCommit = 4 * memo.MaxRunMemos

// runOverhead bounds the bytes of a run besides its memos' bodies and deps: the
// header, the seal and per memo its time and kind.
const runOverhead = 1 << 10

// draft is a run being filled: consecutive own memos and who waits for them. It has
// no memos when all that was asked for is in the chain already.
type draft struct {
	memos   []*memo.Memo
	bytes   int
	waiting []*write
	heads   []memo.Head // head of each waiting write
}

// openRun holds own memos of a space that are acknowledged and not yet sealed.
type openRun struct {
	memos []*memo.Memo
	bytes int
}

// commit puts first and the writes that wait behind it into the log, one sync for
// each run of them unless they are relaxed.
func (o *owner) commit(first *write) {
	bySpace := map[*Space][]*write{}
	var order []*Space
	for _, w := range o.queued(first) {
		if len(bySpace[w.space]) == 0 {
			order = append(order, w.space)
		}
		bySpace[w.space] = append(bySpace[w.space], w)
	}
	for _, s := range order {
		if err := o.sealLeftovers(s); err != nil {
			fail([]*draft{{waiting: bySpace[s]}}, err, false)
			continue
		}
		drafts := o.drafts(s, bySpace[s])
		switch o.n.opts.Durability {
		case Group, Each:
			o.commitSealed(s, drafts)
		default:
			o.commitRelaxed(s, drafts)
		}
	}
}

// queued returns first and what is queued behind it, without waiting.
func (o *owner) queued(first *write) []*write {
	ws := []*write{first}
	for len(ws) < maxCommit {
		select {
		case w := <-o.n.writes:
			ws = append(ws, w)
		default:
			return ws
		}
	}
	return ws
}

// drafts builds the memos of the writes and cuts them into runs, one for each
// write when each is to have its own sync. A write that
// breaks a rule is answered at once and leaves no record.
func (o *owner) drafts(s *Space, ws []*write) []*draft {
	last, _ := o.n.view.Load().store.All(s.id).Get(o.n.id)
	cur := new(draft)
	var out []*draft
	own := &ownState{o: o, space: s, observed: o.observed(s).Clone()}
	defer own.close()
	for _, w := range ws {
		memos, err := o.build(s, last, w, own)
		if err != nil {
			w.done <- written{err: err}
			continue
		}
		own.add(memos)
		for _, m := range memos {
			size := memoSize(m)
			if len(cur.memos) == memo.MaxRunMemos || cur.bytes+size > memo.MaxRunBytes-runOverhead {
				out = append(out, cur)
				cur = new(draft)
			}
			cur.memos, cur.bytes = append(cur.memos, m), cur.bytes+size
		}
		if len(memos) > 0 { // else the own chain has all of it behind it
			newest := memos[len(memos)-1]
			last = memo.Mark{Head: newest.Head(), Time: newest.Time}
		}
		cur.waiting, cur.heads = append(cur.waiting, w), append(cur.heads, last.Head)
		if o.n.opts.Durability == Each {
			out = append(out, cur)
			cur = new(draft)
		}
	}
	if len(cur.waiting) > 0 {
		out = append(out, cur)
	}
	return out
}

// memoSize bounds the bytes a memo takes in a run.
func memoSize(m *memo.Memo) int {
	const perMemo, perDep = 24, 96
	return perMemo + perDep*len(m.Deps) + m.BodySize()
}

// build makes the memos of one write: its edit and, when it has more causes than
// one memo may name, join memos that gather them first. Causes that the own chain
// has behind it are not named again; to gather those alone takes no memo.
func (o *owner) build(s *Space, last memo.Mark, w *write, own *ownState) ([]*memo.Memo, error) {
	if err := errors.Join(o.mayWrite(s), o.attachedAll(s, w.deps)); err != nil {
		return nil, err
	}
	what, err := w.says(o.n.id, own)
	if err != nil {
		return nil, err
	}
	parts := slices.Collect(slices.Chunk(unobserved(&own.observed, w.deps), memo.MaxDeps))
	if len(w.first) > 0 {
		parts = slices.Insert(parts, 0, w.first)
	}
	if last.Seq == 0 {
		begins, err := o.begins(s)
		if err != nil {
			return nil, err
		}
		parts = slices.Insert(parts, 0, begins)
	}
	if len(parts) == 0 && what != nil {
		parts = [][]memo.Head{nil}
	}
	out := make([]*memo.Memo, len(parts))
	for i, deps := range parts {
		var body memo.Body = memo.Join{}
		if i == len(parts)-1 && what != nil {
			body = what
		}
		ms := uint64(o.n.opts.Now().UnixMilli())
		m, err := memo.New(memo.Memo{
			Space: s.id, Author: o.n.id, Seq: last.Seq + 1, Prev: last.ID, Deps: deps,
			Time: memo.Next(ms, last.Time, o.clocks[s.id]), Body: body,
		})
		if err != nil {
			return nil, err
		}
		out[i], last = m, memo.Mark{Head: m.Head(), Time: m.Time}
	}
	return out, nil
}

// says returns the body of the write's last memo, nil for one that only gathers causes.
func (w *write) says(self memo.Author, own *ownState) (memo.Body, error) {
	edit := w.edit
	if w.draft != nil {
		var err error
		if edit, err = w.draft.build(self, own.row); err != nil {
			return nil, err
		}
	}
	if edit == nil {
		return w.body, nil
	}
	return edit, nil
}

// begins returns what this node's first memo in s depends on: in a space of members
// the grants to it, else, and with a root key, the genesis.
func (o *owner) begins(s *Space) ([]memo.Head, error) {
	v := o.n.view.Load().store
	g, ok := v.Genesis(s.id)
	if !ok {
		return nil, fmt.Errorf("space %s: its genesis has not arrived yet; wait for a peer", s.name)
	}
	if r := v.Rights(s.id); r != nil && !r.Root(o.n.id) {
		grants := r.Grants(o.n.id)
		grants = grants[:min(len(grants), memo.MaxDeps)]
		memo.SortDeps(grants)
		return grants, nil
	}
	return []memo.Head{g.Head()}, nil
}

// attachedAll refuses causes that are not here, as what a peer vouches for is not: a
// memo's causes are attached before it.
func (o *owner) attachedAll(s *Space, causes []memo.Head) error {
	all := o.n.view.Load().store.All(s.id)
	behind := &BehindError{}
	for _, h := range causes {
		if have, _ := all.Get(h.Author); h.Seq > have.Seq {
			behind.Missing = append(behind.Missing, h)
			behind.Lag.miss(h.Seq-have.Seq, have, o.n.opts.Now())
		}
	}
	if len(behind.Missing) > 0 {
		return behind
	}
	return nil
}

// commitSealed appends each run with its seal and syncs. Only then is it
// projected, acknowledged and sent.
func (o *owner) commitSealed(s *Space, drafts []*draft) {
	for i, d := range drafts {
		if len(d.memos) == 0 {
			d.answer(nil)
			continue
		}
		if err := o.ready(); err != nil {
			fail(drafts[i:], err, false)
			return
		}
		r := o.sealRun(s, d.memos)
		placed, err := o.n.store.AppendOwn(o.n.opts.Durability, d.memos, &r.Seal)
		if err != nil {
			fail(drafts[i:i+1], err, errors.Is(err, store.ErrUnsure))
			fail(drafts[i+1:], err, false)
			return
		}
		d.answer(o.project(placed))
		o.step(&gossip.Attached{Space: s.id, Own: []*memo.Run{r}})
	}
}

// commitRelaxed appends the memos unsynced and acknowledges them; sealOpen seals
// and sends them soon.
func (o *owner) commitRelaxed(s *Space, drafts []*draft) {
	for i, d := range drafts {
		if len(d.memos) == 0 {
			d.answer(nil)
			continue
		}
		err := o.ready()
		run := o.open[s]
		if err == nil && run != nil && (len(run.memos)+len(d.memos) > memo.MaxRunMemos || run.bytes+d.bytes > memo.MaxRunBytes-runOverhead) {
			err = o.sealOpen()
			run = o.open[s]
		}
		var placed []store.Placed
		if err == nil {
			placed, err = o.n.store.AppendOwn(o.n.opts.Durability, d.memos, nil)
		}
		if err != nil {
			fail(drafts[i:i+1], err, errors.Is(err, store.ErrUnsure))
			fail(drafts[i+1:], err, false)
			return
		}
		if run == nil {
			run = new(openRun)
			o.open[s] = run
		}
		run.memos, run.bytes = append(run.memos, d.memos...), run.bytes+d.bytes
		if o.seal == nil {
			o.seal = time.After(sealDelay)
		}
		d.answer(o.project(placed))
	}
}

// sealOpen seals, syncs and sends what durabilities None and Interval left open.
// What it cannot seal it keeps for the next time; the error is the last one.
func (o *owner) sealOpen() (err error) {
	o.seal = nil
	for s, run := range o.open {
		r := o.sealRun(s, run.memos)
		if failed := o.n.store.SealOwn(s.id, o.n.id, r.Seal); failed != nil {
			o.seal, err = time.After(sealRetry), failed
			continue
		}
		delete(o.open, s)
		o.publish(o.n.view.Load().lsn)
		o.step(&gossip.Attached{Space: s.id, Own: []*memo.Run{r}})
	}
	return err
}

func (o *owner) sealRun(s *Space, memos []*memo.Memo) *memo.Run {
	head := memos[len(memos)-1].Head()
	return &memo.Run{Space: s.id, Memos: memos, Seal: memo.Sign(o.n.key, s.id, head)}
}

// answer tells the writers of d that it is in the log, and projected unless err
// says otherwise.
func (d *draft) answer(err error) {
	for i, w := range d.waiting {
		w.done <- written{head: d.heads[i], err: err, unknown: err != nil}
	}
}

// fail answers every write of the drafts.
func fail(drafts []*draft, err error, unknown bool) {
	err = fmt.Errorf("write to the log: %w", classify(err))
	for _, d := range drafts {
		for _, w := range d.waiting {
			w.done <- written{err: err, unknown: unknown}
		}
	}
}
