package store

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"lightcone/memo"
)

// The authors of a council: a space of members in which runs are made by whoever
// likes, entitled or not, and held by replicas of honest writers.
const (
	rootA    = iota // made the space
	rootB           // a root key of the genesis
	granterA        // those from here on may be granted and revoked anything
	granterB
	writerA
	writerB
	writerC
	honestA // each has a replica, and is granted by a root key and never revoked
	honestB
	honestC
	councilSize
)

// newCouncil is a space of members with two root keys, in which root key A granted
// writing to the honest ones.
func newCouncil(t tester) *world {
	w := &world{t: t, heads: make([]*memo.Memo, councilSize), rights: memo.Members}
	w.roots = []int{rootB}
	begin(w)
	for i := honestA; i < councilSize; i++ {
		w.say(rootA, &memo.Grant{Author: w.author(i)})
	}
	return w
}

// say extends the chain of author i by a run of one memo that depends on nothing but
// what is said.
func (w *world) say(i int, body memo.Body, deps ...*memo.Memo) *memo.Run {
	w.t.Helper()
	m := memo.Memo{Space: w.space, Author: w.author(i), Seq: 1, Time: memo.Next(uint64(len(w.runs))), Body: body}
	if prev := w.heads[i]; prev != nil {
		m.Seq, m.Prev, m.Time = prev.Seq+1, prev.ID(), memo.Next(0, prev.Time)
	}
	for _, d := range deps {
		known := slices.ContainsFunc(m.Deps, func(h memo.Head) bool { return h.Author == d.Author })
		if d.Author != m.Author && !known {
			m.Deps = append(m.Deps, d.Head())
		}
	}
	memo.SortDeps(m.Deps)
	w.heads[i] = w.memo(m)
	r := w.seal(i, w.heads[i])
	w.runs = append(w.runs, r)
	return r
}

// grant has one author grant another a role, and returns the memo.
func (w *world) grant(by, to int, role memo.Role, deps ...*memo.Memo) *memo.Memo {
	w.t.Helper()
	return w.say(by, &memo.Grant{Author: w.author(to), Role: role}, deps...).Memos[0]
}

// revoke has one author revoke another behind last; nil: everything.
func (w *world) revoke(by, of int, last *memo.Memo, deps ...*memo.Memo) *memo.Memo {
	w.t.Helper()
	r := &memo.Revoke{Author: w.author(of)}
	if last != nil {
		r.Seq, r.ID = last.Seq, last.ID()
	}
	return w.say(by, r, deps...).Memos[0]
}

// any draws a memo made so far, of nobody but author i unless that is negative.
func (w *world) any(t *rapid.T, i int) *memo.Memo {
	var all []*memo.Memo
	for _, r := range w.runs {
		for _, m := range r.Memos {
			if i < 0 || m.Author == w.author(i) {
				all = append(all, m)
			}
		}
	}
	if len(all) == 0 {
		return nil
	}
	return rapid.SampledFrom(all).Draw(t, "memo")
}

// opening draws what an author's first memo names: some grant to it, or the genesis.
func (w *world) opening(t *rapid.T, i int) []*memo.Memo {
	if w.heads[i] != nil {
		return nil
	}
	var grants []*memo.Memo
	for _, r := range w.runs {
		for _, m := range r.Memos {
			if g, ok := m.Body.(*memo.Grant); ok && g.Author == w.author(i) {
				grants = append(grants, m)
			}
		}
	}
	if len(grants) == 0 || i == rootB {
		return []*memo.Memo{w.genesis()}
	}
	return []*memo.Memo{rapid.SampledFrom(grants).Draw(t, "grant")}
}

// drawCouncil has everybody but the honest say things: grants, revocations, some of
// them without a right, and edits, with or without knowing of each other. With forks
// the writers only edit, and go on from any of their memos.
func (w *world) drawCouncil(t *rapid.T, forks bool) {
	for to := granterA; to <= writerC; to++ { // most of them are somebody
		by := rapid.SampledFrom([]int{rootA, rootB, granterA, granterB}).Draw(t, "granted by")
		if by != to {
			w.grant(by, to, memo.Role(rapid.IntRange(0, 1).Draw(t, "role")), w.opening(t, by)...)
		}
	}
	for range rapid.IntRange(8, 40).Draw(t, "runs") {
		by := rapid.IntRange(0, writerC).Draw(t, "by")
		deps := w.opening(t, by)
		if rapid.Bool().Draw(t, "knows") {
			deps = append(deps, w.any(t, -1))
		}
		of := rapid.IntRange(granterA, writerC).Draw(t, "of")
		what := rapid.IntRange(0, 6).Draw(t, "what")
		if forks && by >= writerA {
			what = 6
			if prev := w.any(t, by); prev != nil && rapid.Bool().Draw(t, "fork") {
				w.heads[by] = prev
			}
		}
		switch what {
		case 0, 1:
			w.grant(by, of, memo.Role(rapid.IntRange(0, 1).Draw(t, "role")), deps...)
		case 2:
			var last *memo.Memo
			if rapid.IntRange(0, 4).Draw(t, "last") > 0 {
				last = w.any(t, of)
			}
			w.revoke(by, of, last, deps...)
		default:
			w.say(by, edit(len(w.runs)), deps...)
		}
	}
}

// seat is the replica of an honest author.
type seat struct {
	*Store
	dir    string
	author int
	queue  []*memo.Run // not delivered yet
	joined map[memo.Head]bool
	joins  int
}

// take delivers some of what is queued, and lets the replica write a join if it holds
// what is beyond a revocation. It returns the join.
func (x *seat) take(t *rapid.T, w *world) *memo.Run {
	n := rapid.IntRange(0, min(len(x.queue), 6)).Draw(t, "batch")
	attach(t, x.Store, x.queue[:n]...)
	x.queue = x.queue[n:]
	v, self := x.View(), w.author(x.author)
	var deps []memo.Head
	for _, h := range v.Beyond(w.space, self) {
		if !x.joined[h] {
			deps = append(deps, h)
		}
	}
	r := v.Rights(w.space)
	if len(deps) == 0 || r == nil || len(r.Grants(self)) == 0 {
		return nil
	}
	for _, h := range deps {
		x.joined[h] = true
	}
	x.joins++
	if w.heads[x.author] == nil { // in a memo of its own: it may be of an author that deps has
		g := r.Grants(self)[0]
		w.append(x, memo.Memo{Deps: []memo.Head{g}, Body: memo.Join{}})
	}
	return w.append(x, memo.Memo{Deps: deps, Body: memo.Join{}})
}

// append has a replica write a memo of its own.
func (w *world) append(x *seat, m memo.Memo) *memo.Run {
	m.Space, m.Author, m.Seq, m.Time = w.space, w.author(x.author), 1, memo.Next(uint64(len(w.runs)))
	if prev := w.heads[x.author]; prev != nil {
		m.Seq, m.Prev, m.Time = prev.Seq+1, prev.ID(), memo.Next(0, prev.Time)
	}
	own := w.memo(m)
	seal := w.sign(x.author, own)
	if _, err := x.AppendOwn(0, []*memo.Memo{own}, &seal); err != nil {
		w.t.Fatal(err)
	}
	w.heads[x.author] = own
	w.runs = append(w.runs, w.seal(x.author, own))
	return w.runs[len(w.runs)-1]
}

// TestAnyOrderOfRightsEndsTheSame: whatever is granted, revoked and written by whoever
// likes, replicas of honest writers that get it all, in whatever order, attach the same
// once each has written the joins that it owes. Writers may fork. A replica opened from its log alone has
// the same cut and the same rights.
func TestAnyOrderOfRightsEndsTheSame(t *testing.T) {
	base := t.TempDir()
	var joins, left, stops, forks int
	rapid.Check(t, func(t *rapid.T) {
		w := newCouncil(t)
		w.drawCouncil(t, rapid.Bool().Draw(t, "forks"))
		seats := make([]*seat, 3)
		for i := range seats {
			x := &seat{author: honestA + i, dir: tempDir(t, base), joined: map[memo.Head]bool{}}
			x.Store = open(t, x.dir, Options{WAL: smallSegments, KV: NewMemoryKV()})
			x.AddSpace(w.space)
			x.queue = rapid.Permutation(slices.Clone(w.runs)).Draw(t, "order")
			seats[i] = x
		}
		late := seats[2] // hears of nothing until the others are done
		meet(t, w, seats, seats[:2])
		late.queue = rapid.Permutation(late.queue).Draw(t, "late order")
		meet(t, w, seats, seats)
		want := seats[0].View()
		for _, x := range seats {
			got := x.View()
			if diff := cmp.Diff(marks(want.Vector(w.space)), marks(got.Vector(w.space))); diff != "" {
				t.Fatalf("replica %d attached another cut:\n%s", x.author, diff)
			}
			if diff := cmp.Diff(branches(want, w), branches(got, w)); diff != "" {
				t.Fatalf("replica %d attached other branches:\n%s", x.author, diff)
			}
			if diff := cmp.Diff(membersOf(want, w.space), membersOf(got, w.space)); diff != "" {
				t.Fatalf("replica %d knows other members:\n%s", x.author, diff)
			}
			joins += x.joins
			runs, _ := x.Pending()
			left += runs
			checkReplay(t, w, x)
			closeStore(t, x.Store)
		}
		stops += len(slices.Collect(want.Rights(w.space).Revoked()))
		forks += len(want.Forks(w.space))
	})
	t.Logf("%d joins, %d runs left waiting, %d authors revoked, %d forked", joins, left, stops, forks)
	if joins == 0 || left == 0 || stops == 0 || forks == 0 {
		t.Error("nothing of interest happened: the test shows nothing")
	}
}

// meet delivers until nothing is left for any of active, what one writes going to all.
func meet(t *rapid.T, w *world, all, active []*seat) {
	for busy := true; busy; {
		busy = false
		for _, x := range active {
			made := len(w.runs)
			joined := x.take(t, w)
			busy = busy || joined != nil || len(x.queue) > 0
			for _, r := range w.runs[made:] {
				for _, o := range all {
					if o != x {
						at := rapid.IntRange(0, len(o.queue)).Draw(t, "at")
						o.queue = slices.Insert(o.queue, at, r)
					}
				}
			}
		}
		for _, x := range active {
			busy = busy || len(x.queue) > 0
		}
	}
}

// branches tells which of w's memos v has, on whatever branch.
func branches(v *View, w *world) (all []string) {
	for _, r := range w.runs {
		for _, m := range r.Memos {
			if have, err := v.Holds(w.space, m.Head()); err != nil {
				w.t.Fatal(err)
			} else if have {
				all = append(all, m.Head().String())
			}
		}
	}
	return all
}

func membersOf(v *View, space memo.SpaceID) []Member {
	return slices.Collect(v.Rights(space).Members())
}

// checkReplay opens the log of x without its index.
func checkReplay(t *rapid.T, w *world, x *seat) {
	before := x.View()
	closeStore(t, x.Store)
	x.Store = open(t, x.dir, Options{WAL: smallSegments, KV: NewMemoryKV()})
	after := x.View()
	if diff := cmp.Diff(marks(before.Vector(w.space)), marks(after.Vector(w.space))); diff != "" {
		t.Fatalf("the log replays to another cut:\n%s", diff)
	}
	if diff := cmp.Diff(membersOf(before, w.space), membersOf(after, w.space)); diff != "" {
		t.Fatalf("the log replays to other members:\n%s", diff)
	}
}
