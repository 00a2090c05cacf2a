package store

import (
	"bytes"
	"cmp"
	"iter"
	"slices"

	"github.com/tidwall/btree"

	"lightcone/memo"
)

// Rights says who may write into a space of members, as far as attached memos tell.
// The genesis's author and its root keys may do everything and are never revoked.
// An author's level is its distance from them, fixed by the grants that its first
// memo names: a function of that memo's past, so no two replicas differ in it. One of
// a View never changes.
type Rights struct {
	roots     []memo.Author // ascending; the genesis's author among them
	standings *btree.BTreeG[standing]
	grants    *btree.BTreeG[given]
	stops     *btree.BTreeG[stop]
}

// standing is what an author's own chain entitles it to. It exists once the first
// memo is attached.
type standing struct {
	author memo.Author
	level  uint64
	role   memo.Role
}

// given is a grant that has an effect.
type given struct {
	to    memo.Author
	by    memo.Head // the memo
	level uint64    // of who gets it: one more than that of who gives it
	role  memo.Role
}

// stop is a revocation by one who may: of several by the same the lowest.
type stop struct {
	of, by memo.Author
	level  uint64 // of by
	seq    uint64 // of the last good memo
	id     memo.ID
}

func newRights(genesis *memo.Memo, rules *memo.Genesis) *Rights {
	roots := append(slices.Clone(rules.RootKeys), genesis.Author)
	slices.SortFunc(roots, memo.Author.Compare)
	unlocked := btree.Options{NoLocks: true} // they belong to the owner; views have copies
	return &Rights{
		roots: slices.Compact(roots),
		standings: btree.NewBTreeGOptions(func(a, b standing) bool {
			return a.author.Compare(b.author) < 0
		}, unlocked),
		grants: btree.NewBTreeGOptions(func(a, b given) bool {
			return cmp.Or(a.to.Compare(b.to), bytes.Compare(a.by.ID[:], b.by.ID[:])) < 0
		}, unlocked),
		stops: btree.NewBTreeGOptions(func(a, b stop) bool {
			return cmp.Or(a.of.Compare(b.of), a.by.Compare(b.by)) < 0
		}, unlocked),
	}
}

// clone returns a copy that does not change, in O(1).
func (r *Rights) clone() *Rights {
	if r == nil {
		return nil
	}
	return &Rights{roots: r.roots, standings: r.standings.Copy(), grants: r.grants.Copy(), stops: r.stops.Copy()}
}

// Root reports whether a is a root key.
func (r *Rights) Root(a memo.Author) bool {
	_, ok := slices.BinarySearchFunc(r.roots, a, memo.Author.Compare)
	return ok
}

// standing returns what a's chain entitles it to.
func (r *Rights) standing(a memo.Author) (standing, bool) {
	if r.Root(a) {
		return standing{author: a, role: memo.Granter}, true
	}
	return r.standings.Get(standing{author: a})
}

// begins returns the standing that m, the first memo of its author, gives it by the
// grants it names. While causes of it are missing the level may come out too high,
// never too low.
func (r *Rights) begins(m *memo.Memo) (st standing, ok bool) {
	st.author = m.Author
	for _, d := range m.Deps {
		g, held := r.grants.Get(given{to: m.Author, by: d})
		if !held {
			continue
		}
		if !ok || g.level < st.level {
			st.level = g.level
		}
		st.role, ok = max(st.role, g.role), true
	}
	return st, ok
}

// standingOf returns the standing of r's author, by what is attached or by r's first
// memo: by those of the grants it names that are here.
func (r *Rights) standingOf(run *memo.Run) (standing, bool) {
	st, known := r.standing(run.Author())
	if known || run.FirstSeq() != 1 {
		return st, known
	}
	return r.begins(run.Memos[0])
}

// named returns the role that m's author has from m on: one is raised by naming the
// grant that does it, so that who holds m knows.
func (r *Rights) named(st standing, m *memo.Memo) memo.Role {
	for _, d := range m.Deps {
		if g, ok := r.grants.Get(given{to: m.Author, by: d}); ok {
			st.role = max(st.role, g.role)
		}
	}
	return st.role
}

// mayRevoke reports whether by may revoke of: a root key anybody else, a granter whom
// it granted.
func (r *Rights) mayRevoke(by, of memo.Author) bool {
	switch {
	case r.Root(of):
		return false
	case r.Root(by):
		return true
	}
	for g := range r.given(of) {
		if g.by.Author == by {
			return true
		}
	}
	return false
}

// given yields the grants to a.
func (r *Rights) given(a memo.Author) iter.Seq[given] {
	return func(yield func(given) bool) {
		r.grants.Ascend(given{to: a}, func(g given) bool { return g.to == a && yield(g) })
	}
}

// stopsOf yields the revocations of a that count against one of that level: those by
// authors nearer to a root key. So nobody is revoked by whom it may revoke, and what
// is revoked is the same whatever came first.
func (r *Rights) stopsOf(a memo.Author, level uint64) iter.Seq[stop] {
	return func(yield func(stop) bool) {
		r.stops.Ascend(stop{of: a}, func(s stop) bool {
			return s.of == a && (s.level >= level || yield(s))
		})
	}
}

// beyond reports whether a memo of an author of that level is beyond its last good
// one, or another one in its place.
func (r *Rights) beyond(head memo.Head, level uint64) bool {
	for s := range r.stopsOf(head.Author, level) {
		if head.Seq > s.seq || head.Seq == s.seq && head.ID != s.id {
			return true
		}
	}
	return false
}

// Member is an author that may write into a space, or might once.
type Member struct {
	Author  memo.Author
	Role    memo.Role
	Root    bool
	Revoked bool
	// LastGood is the seq of a revoked author's last memo that needs nobody else's.
	LastGood uint64
}

// Of returns what is known of a; false when nobody granted it anything.
func (r *Rights) Of(a memo.Author) (Member, bool) {
	st, wrote := r.standing(a)
	m, known := Member{Author: a, Root: r.Root(a), Role: st.role}, wrote
	for g := range r.given(a) {
		if !wrote && (!known || g.level < st.level) {
			st.level = g.level
		}
		m.Role, known = max(m.Role, g.role), true
	}
	for s := range r.stopsOf(a, st.level) {
		if !m.Revoked || s.seq < m.LastGood {
			m.Revoked, m.LastGood = true, s.seq
		}
	}
	return m, known
}

// Members yields the root keys, and then all who were granted something, ascending.
func (r *Rights) Members() iter.Seq[Member] {
	return func(yield func(Member) bool) {
		for _, a := range r.roots {
			if m, _ := r.Of(a); !yield(m) {
				return
			}
		}
		var last memo.Author
		r.grants.Scan(func(g given) bool {
			if g.to == last || r.Root(g.to) {
				return true
			}
			last = g.to
			m, _ := r.Of(g.to)
			return yield(m)
		})
	}
}

// Grants returns the grants that a's first memo has to name one of, those of the
// highest role and the lowest level first, one an author.
func (r *Rights) Grants(a memo.Author) (heads []memo.Head) {
	var all []given
	for g := range r.given(a) {
		all = append(all, g)
	}
	slices.SortFunc(all, func(a, b given) int {
		return cmp.Or(cmp.Compare(b.role, a.role), cmp.Compare(a.level, b.level), cmp.Compare(a.by.Seq, b.by.Seq), a.by.Author.Compare(b.by.Author))
	})
	for _, g := range all {
		if !slices.ContainsFunc(heads, func(h memo.Head) bool { return h.Author == g.by.Author }) {
			heads = append(heads, g.by)
		}
	}
	return heads
}

// MayGrant reports whether a may grant. Where only a grant that its chain does not
// name yet says so, names is that: a memo of a must depend on it first.
func (r *Rights) MayGrant(a memo.Author) (names memo.Head, ok bool) {
	m, known := r.Of(a)
	if !known || m.Revoked || m.Role != memo.Granter {
		return memo.Head{}, false
	}
	if st, wrote := r.standing(a); wrote && st.role == memo.Granter {
		return memo.Head{}, true
	}
	return r.Grants(a)[0], true
}

// MayRevoke reports whether a revocation of one author by another has an effect.
func (r *Rights) MayRevoke(by, of memo.Author) bool {
	m, known := r.Of(by)
	if !known || m.Revoked || !r.mayRevoke(by, of) {
		return false
	}
	mine, _ := r.standing(by)
	theirs, wrote := r.standing(of)
	if !wrote {
		theirs.level = mine.level + 1
		for g := range r.given(of) {
			theirs.level = min(theirs.level, g.level)
		}
	}
	return mine.level < theirs.level
}

// Revoked yields the authors somebody revoked with effect, ascending.
func (r *Rights) Revoked() iter.Seq[Member] {
	return func(yield func(Member) bool) {
		var last memo.Author
		r.stops.Scan(func(s stop) bool {
			if s.of == last {
				return true
			}
			last = s.of
			m, _ := r.Of(s.of)
			return !m.Revoked || yield(m)
		})
	}
}
