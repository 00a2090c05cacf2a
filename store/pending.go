package store

import (
	"cmp"
	"slices"

	"github.com/tidwall/btree"

	"lightcone/memo"
)

// cause names a memo that something waits for. With seq 0 it is that the space
// is added, or that somebody who is not revoked builds on the author's memos. The zero
// cause never comes: for it wait runs of a newer version.
type cause struct {
	space  memo.SpaceID
	author memo.Author
	seq    uint64
}

// waiter is a run in the pending set.
type waiter struct {
	number   uint64 // order of arrival
	run      *memo.Run
	size     int // bytes, encoded
	cause    cause
	filed    bool // under the cause
	stranger bool // nobody granted its author anything yet, or somebody revoked it
}

// What strangers have of the pending set: all of them a quarter, one of them one part
// in 64 of the runs. Whoever knows a space can send runs that will never attach, under
// as many names as it likes; those of members do not make room for them.
const (
	strangersShare = 4
	strangerShare  = 64
)

// pending is the bounded set of runs that cannot be attached yet, each filed
// under one cause it lacks. A run that lacks several is filed again when one of
// them comes: at most as often as it has causes.
type pending struct {
	maxRuns, maxBytes int

	byNumber btree.Map[uint64, *waiter]
	byHead   map[memo.ID]*waiter
	byCause  map[cause][]*waiter
	firsts   map[cause][]*waiter // those that begin an author's chain, filed or not, by its seq 1
	next     uint64              // number of the next waiter
	bytes    int

	strangers     btree.Map[uint64, *waiter]
	strangerBytes int
	byStranger    map[memo.Author]int // their runs
}

func newPending(maxRuns, maxBytes int) *pending {
	return &pending{
		maxRuns: maxRuns, maxBytes: maxBytes, next: 1,
		byHead: map[memo.ID]*waiter{}, byCause: map[cause][]*waiter{}, firsts: map[cause][]*waiter{}, byStranger: map[memo.Author]int{},
	}
}

func (p *pending) len() int { return p.byNumber.Len() }

// holds reports whether the run that ends in head waits already.
func (p *pending) holds(head memo.ID) bool { return p.byHead[head] != nil }

// has reports whether w is still in the set.
func (p *pending) has(w *waiter) bool {
	_, ok := p.byNumber.Get(w.number)
	return ok
}

// add puts w into the set, filed nowhere.
func (p *pending) add(w *waiter) {
	p.next = max(p.next, w.number+1)
	p.byNumber.Set(w.number, w)
	p.byHead[w.run.Head().ID] = w
	p.bytes += w.size
	if c := firstOf(w.run); c.seq == 1 {
		p.firsts[c] = append(p.firsts[c], w)
	}
}

// file files w under c and nowhere else.
func (p *pending) file(w *waiter, c cause, stranger bool) {
	p.unfile(w)
	w.cause, w.filed = c, true
	p.byCause[c] = append(p.byCause[c], w)
	p.estrange(w, stranger)
}

// estrange counts w among the strangers' runs, or no longer.
func (p *pending) estrange(w *waiter, stranger bool) {
	if w.stranger == stranger {
		return
	}
	author := w.run.Author()
	if w.stranger = stranger; stranger {
		p.strangers.Set(w.number, w)
		p.strangerBytes += w.size
		p.byStranger[author]++
		return
	}
	p.strangers.Delete(w.number)
	p.strangerBytes -= w.size
	if p.byStranger[author]--; p.byStranger[author] == 0 {
		delete(p.byStranger, author)
	}
}

// crowded reports whether a stranger has its share.
func (p *pending) crowded(author memo.Author) bool {
	return p.byStranger[author] >= max(p.maxRuns/strangerShare, 1)
}

// wake returns those that wait for c. They stay in the set, filed nowhere, until
// they are filed again or removed. So do those of the other methods of that name.
func (p *pending) wake(c cause) []*waiter {
	ws := p.byCause[c]
	delete(p.byCause, c)
	for _, w := range ws {
		w.filed = false
	}
	return ws
}

// wakeFirst returns those that begin the chain of an author, whatever they wait for.
func (p *pending) wakeFirst(space memo.SpaceID, author memo.Author) []*waiter {
	return slices.Clone(p.firsts[cause{space, author, 1}])
}

// wakeCovered is wake for every cause of a space that a cut covers.
func (p *pending) wakeCovered(space memo.SpaceID, cut memo.Vector) []*waiter {
	return p.wakeAll(space, func(c cause) bool { return c.seq > 0 && cut.Covers(c.author, c.seq) })
}

// wakeSpace is wake for everything that waits in a space, but for newer versions.
func (p *pending) wakeSpace(space memo.SpaceID) []*waiter {
	return p.wakeAll(space, func(c cause) bool { return c.author != (memo.Author{}) })
}

// wakeAll is wake for the causes of a space that match, in the order of authors and
// seqs.
func (p *pending) wakeAll(space memo.SpaceID, match func(cause) bool) (ws []*waiter) {
	var found []cause
	for c := range p.byCause {
		if c.space == space && match(c) {
			found = append(found, c)
		}
	}
	slices.SortFunc(found, func(a, b cause) int {
		return cmp.Or(a.author.Compare(b.author), cmp.Compare(a.seq, b.seq))
	})
	for _, c := range found {
		ws = append(ws, p.wake(c)...)
	}
	return ws
}

// excess returns the oldest waiter while the set is over its bounds, else nil: of
// strangers, while those have more than their share.
func (p *pending) excess() *waiter {
	if p.strangers.Len() > p.maxRuns/strangersShare || p.strangerBytes > p.maxBytes/strangersShare {
		_, w, _ := p.strangers.Min()
		return w
	}
	if p.len() <= p.maxRuns && p.bytes <= p.maxBytes {
		return nil
	}
	_, w, _ := p.byNumber.Min()
	return w
}

// remove takes w out of the set.
func (p *pending) remove(w *waiter) {
	if _, ok := p.byNumber.Delete(w.number); !ok {
		return
	}
	delete(p.byHead, w.run.Head().ID)
	p.bytes -= w.size
	p.estrange(w, false)
	p.unfile(w)
	unlist(p.firsts, firstOf(w.run), w)
}

// firstOf names the place of a run's first memo.
func firstOf(r *memo.Run) cause { return cause{r.Space, r.Author(), r.FirstSeq()} }

func (p *pending) unfile(w *waiter) {
	if w.filed {
		unlist(p.byCause, w.cause, w)
		w.filed = false
	}
}

// unlist takes w out of the list of a cause, if it is there.
func unlist(lists map[cause][]*waiter, c cause, w *waiter) {
	ws := lists[c]
	i := slices.Index(ws, w)
	switch {
	case i < 0:
	case len(ws) == 1:
		delete(lists, c)
	default:
		lists[c] = slices.Delete(ws, i, i+1)
	}
}
