package store

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lightcone/memo"
)

// attachesIn gives runs to a new store one by one, from the front or from the back,
// and returns which of them are attached in the end.
func attachesIn(t *testing.T, w *world, backwards bool) (got []bool) {
	t.Helper()
	s := fresh(t, w, Options{KV: NewMemoryKV()})
	runs := slices.Clone(w.runs)
	if backwards {
		slices.Reverse(runs)
	}
	for _, r := range runs {
		attach(t, s, r)
	}
	v := s.View().Vector(w.space)
	for _, r := range w.runs {
		got = append(got, v.Covers(r.Author(), r.Head().Seq))
	}
	return got
}

// Who writes without a grant that goes back to a root key attaches nowhere, whatever
// came first; one that is granted through a granter does.
func TestGrantsReachBackToARootKey(t *testing.T) {
	w := newCouncil(t)
	began := len(w.runs)
	g := w.grant(rootB, granterA, memo.Granter, w.genesis())
	through := w.grant(granterA, writerA, memo.Writer, g)
	w.say(writerA, edit(1), through)
	w.say(writerB, edit(2), w.genesis())                    // nobody granted it anything
	fake := w.grant(writerA, writerC, memo.Writer)          // a writer may not
	w.say(writerC, edit(3), fake)                           // so this has no effect
	w.say(granterB, edit(4), w.grant(writerB, granterB, 1)) // nor has a stranger's
	want := []bool{true, true, true, false, true, false, false, false}
	for _, backwards := range []bool{false, true} {
		if diff := cmp.Diff(want, attachesIn(t, w, backwards)[began:]); diff != "" {
			t.Errorf("backwards %v, attached (-want +got):\n%s", backwards, diff)
		}
	}
}

// A writer that is made a granter may grant from its first memo on that says so.
func TestARoleIsRaisedByNamingTheGrant(t *testing.T) {
	w := newCouncil(t)
	began := len(w.runs)
	w.say(writerA, edit(1), w.grant(rootA, writerA, memo.Writer))
	raised := w.grant(rootA, writerA, memo.Granter)
	early := w.grant(writerA, writerB, memo.Writer) // does not show that it knows
	w.say(writerB, edit(2), early)
	now := w.grant(writerA, writerC, memo.Writer, raised)
	w.say(writerC, edit(3), now)
	want := []bool{true, true, true, true, false, true, true}
	for _, backwards := range []bool{false, true} {
		if diff := cmp.Diff(want, attachesIn(t, w, backwards)[began:]); diff != "" {
			t.Errorf("backwards %v, attached (-want +got):\n%s", backwards, diff)
		}
	}
}

// What a revoked author writes behind its last good memo attaches only beneath a memo
// of somebody who is not revoked, and whose standing is known.
func TestRevokedWriter(t *testing.T) {
	w := newCouncil(t)
	began := len(w.runs)
	good := w.say(writerA, edit(1), w.grant(rootA, writerA, memo.Writer)).Memos[0]
	w.revoke(rootA, writerA, good)
	seen := w.say(writerA, edit(2)).Memos[0]
	w.say(honestA, memo.Join{}, w.runs[1].Memos[0]) // names its grant, root key A's second memo
	w.say(honestA, memo.Join{}, seen)
	w.say(writerA, edit(3))
	w.say(writerB, memo.Join{}, w.heads[writerA]) // a stranger's word is none
	w.say(writerC, memo.Join{}, w.grant(rootA, writerC, memo.Writer))
	w.revoke(rootA, writerC, w.heads[writerC])
	w.say(writerC, memo.Join{}, w.heads[writerA]) // nor is that of another revoked one
	want := []bool{true, true, true, true, true, true, false, false, true, true, true, false}
	if diff := cmp.Diff(want, attachesIn(t, w, false)[began:]); diff != "" {
		t.Errorf("attached (-want +got):\n%s", diff)
	}
	w.say(honestA, edit(4), w.heads[writerC]) // but both at once are lifted by a good one
	want = []bool{true, true, true, true, true, true, true, false, true, true, true, true, true}
	if diff := cmp.Diff(want, attachesIn(t, w, false)[began:]); diff != "" {
		t.Errorf("attached beneath a good one (-want +got):\n%s", diff)
	}
}

// Who is revoked while its memo waits lifts nothing any more.
func TestRevokedWhileItWaits(t *testing.T) {
	w := newCouncil(t)
	good := w.say(writerA, edit(1), w.grant(rootA, writerA, memo.Writer)).Memos[0]
	w.revoke(rootA, writerA, good)
	first := w.say(writerB, edit(2), w.grant(rootA, writerB, memo.Writer)).Memos[0]
	before := slices.Clone(w.runs)
	beyond := w.say(writerA, edit(3))
	lifts := w.say(writerB, edit(4), beyond.Memos[0])
	w.revoke(rootA, writerB, first)
	s := fresh(t, w, Options{KV: NewMemoryKV()})
	attach(t, s, append(before, lifts, w.runs[len(w.runs)-1], beyond)...)
	if v := s.View().Vector(w.space); v.Covers(w.author(writerA), 2) || v.Covers(w.author(writerB), 2) {
		t.Errorf("attached %v", marks(v))
	}
}

// A last good memo is named by its digest: another one in its place is not good.
func TestRevocationNamesADigest(t *testing.T) {
	w := newCouncil(t)
	w.grant(rootA, writerA, memo.Writer)
	w.say(rootA, &memo.Revoke{Author: w.author(writerA), Seq: 1, ID: memo.ID{1}})
	w.say(writerA, edit(1), w.runs[len(w.runs)-2].Memos[0])
	s := fresh(t, w, Options{KV: NewMemoryKV()})
	attach(t, s, w.runs...)
	if s.View().Vector(w.space).Covers(w.author(writerA), 1) {
		t.Error("another memo than the last good one attached in its place")
	}
}

// An author's level is that of the nearest of all grants that its first memo names. A
// granter may not revoke whom a root key granted too, also not while that grant is on
// its way.
func TestLevelWaitsForAllGrants(t *testing.T) {
	w := newCouncil(t)
	near := w.grant(rootA, writerA, memo.Writer)
	granter := w.grant(rootB, granterA, memo.Granter, w.genesis())
	far := w.grant(granterA, writerA, memo.Granter, granter)
	w.revoke(granterA, writerA, nil)
	w.say(writerA, edit(1), near, far)
	s := fresh(t, w, Options{KV: NewMemoryKV()})
	held := slices.IndexFunc(w.runs, func(r *memo.Run) bool { return r.Head() == near.Head() })
	attach(t, s, slices.Delete(slices.Clone(w.runs), held, held+1)...)
	attach(t, s, w.runs[held])
	if v := s.View(); !v.Vector(w.space).Covers(w.author(writerA), 1) {
		t.Error("who was granted by a root key is revoked by a granter")
	} else if m, _ := v.Rights(w.space).Of(w.author(writerA)); m.Revoked || m.Role != memo.Granter {
		t.Errorf("%+v", m)
	}
}

// A revocation by a stranger, a writer, or a granter of others has no effect.
func TestOnlyWhoGrantedRevokes(t *testing.T) {
	w := newCouncil(t)
	a := w.grant(rootA, granterA, memo.Granter)
	w.say(writerA, edit(1), w.grant(granterA, writerA, memo.Writer, a))
	b := w.grant(rootA, granterB, memo.Granter)
	c := w.grant(rootA, writerB, memo.Writer)
	w.revoke(granterB, writerA, nil, b)
	w.revoke(writerB, writerA, nil, c)
	w.revoke(writerC, writerA, nil, w.genesis())
	s := fresh(t, w, Options{KV: NewMemoryKV()})
	attach(t, s, w.runs...)
	for _, by := range []int{granterB, writerB, writerC, writerA} {
		if s.View().Rights(w.space).MayRevoke(w.author(by), w.author(writerA)) {
			t.Errorf("author %d may revoke", by)
		}
	}
	if m, _ := s.View().Rights(w.space).Of(w.author(writerA)); m.Revoked {
		t.Error("revoked by who did not grant it")
	}
	for _, by := range []int{granterA, rootA, rootB} {
		if !s.View().Rights(w.space).MayRevoke(w.author(by), w.author(writerA)) {
			t.Errorf("author %d may not revoke", by)
		}
	}
	w.revoke(granterA, writerA, nil)
	attach(t, s, w.runs...)
	if m, _ := s.View().Rights(w.space).Of(w.author(writerA)); !m.Revoked {
		t.Error("not revoked by who granted it")
	}
}

// Nobody is revoked by whom it may revoke, whoever says so first.
func TestGrantersDoNotRevokeEachOther(t *testing.T) {
	w := newCouncil(t)
	began := len(w.runs)
	a := w.grant(rootA, granterA, memo.Granter)
	b := w.grant(granterA, granterB, memo.Granter, a)
	w.grant(granterB, granterA, memo.Granter, b)
	last := w.heads[granterA]
	w.revoke(granterA, granterB, w.heads[granterB])
	w.revoke(granterB, granterA, last)
	want := []bool{true, true, true, true, false} // the one nearer to the root key prevails
	if diff := cmp.Diff(want, attachesIn(t, w, false)[began:]); diff != "" {
		t.Errorf("attached (-want +got):\n%s", diff)
	}
	first, second := w.runs[len(w.runs)-2], w.runs[len(w.runs)-1]
	s := fresh(t, w, Options{KV: NewMemoryKV()})
	attach(t, s, w.runs[:len(w.runs)-2]...)
	attach(t, s, second)
	attach(t, s, first)
	for _, m := range []struct {
		author int
		want   bool
	}{{granterA, false}, {granterB, true}} {
		if got, _ := s.View().Rights(w.space).Of(w.author(m.author)); got.Revoked != m.want {
			t.Errorf("author %d: revoked %v", m.author, got.Revoked)
		}
	}
}

// What a replica attached before it knew stays, and is what a join has to name.
func TestWhatAttachedStays(t *testing.T) {
	eachIndex(t, func(t *testing.T, o Options) {
		w := newCouncil(t)
		good := w.say(writerA, edit(1), w.grant(rootA, writerA, memo.Writer)).Memos[0]
		more := w.say(writerA, edit(2)).Memos[0]
		s := fresh(t, w, o)
		attach(t, s, w.runs...)
		revocation := w.revoke(rootA, writerA, good)
		late := w.say(writerA, edit(3))
		attach(t, s, w.runs...)
		v := s.View()
		if got, _ := v.Vector(w.space).Get(more.Author); got.Head != more.Head() {
			t.Errorf("attached up to %s", got.Head)
		}
		if diff := cmp.Diff([]memo.Head{more.Head()}, v.Beyond(w.space, w.author(honestA))); diff != "" {
			t.Errorf("beyond the revocation (-want +got):\n%s", diff)
		}
		if m, _ := v.Rights(w.space).Of(more.Author); !m.Revoked || m.LastGood != good.Seq {
			t.Errorf("%+v after %s", m, revocation.Head())
		}
		if v.Vector(w.space).Covers(late.Author(), 3) {
			t.Error("a memo beyond the revocation attached")
		}
	})
}

// The index holds the rights: a store that is opened again judges on as before.
func TestRightsAreReadBack(t *testing.T) {
	w := newCouncil(t)
	granted := w.grant(rootA, granterA, memo.Granter)
	last := w.say(writerA, edit(1), w.grant(granterA, writerA, memo.Writer, granted)).Memos[0]
	w.revoke(granterA, writerA, last)
	late := w.say(writerA, edit(2))
	dir, o := t.TempDir(), Options{WAL: smallSegments}
	s := open(t, dir, o)
	s.AddSpace(w.space)
	attach(t, s, w.runs...)
	before := membersOf(s.View(), w.space)
	if err := s.Checkpoint(); err != nil { // nothing is left to replay
		t.Fatal(err)
	}
	closeStore(t, s)
	s = open(t, dir, o)
	defer closeStore(t, s)
	if diff := cmp.Diff(before, membersOf(s.View(), w.space)); diff != "" {
		t.Errorf("members (-before +after):\n%s", diff)
	}
	fresh := w.say(writerB, edit(3), w.grant(granterA, writerB, memo.Writer))
	attach(t, s, w.runs...)
	if v := s.View().Vector(w.space); v.Covers(late.Author(), late.Head().Seq) || !v.Covers(fresh.Author(), 1) {
		t.Errorf("revoked %v, granted %v", v.Covers(late.Author(), late.Head().Seq), v.Covers(fresh.Author(), 1))
	}
}

// A replica writes nothing that nobody else would attach.
func TestOwnMemosNeedARight(t *testing.T) {
	w := newCouncil(t)
	stranger := w.next(writerB, 1)
	good := w.say(writerA, edit(1), w.grant(rootA, writerA, memo.Writer)).Memos[0]
	w.revoke(rootA, writerA, good)
	s := fresh(t, w, Options{KV: NewMemoryKV()})
	attach(t, s, w.runs...)
	for name, memos := range map[string][]*memo.Memo{"stranger": stranger, "revoked": w.next(writerA, 1)} {
		if _, err := s.AppendOwn(0, memos, nil); !errors.Is(err, ErrNotPermitted) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.AppendOwn(0, w.next(rootA, 1), nil); err != nil {
		t.Errorf("a root key: %v", err)
	}
}

// Runs that will never attach do not make room for those of members.
func TestStrangersHaveAShareOfPending(t *testing.T) {
	const runs = 256
	w := newCouncil(t)
	first := w.say(rootA, edit(0))
	var members []*memo.Run
	for range runs / 2 { // they wait for the first
		members = append(members, w.say(rootA, edit(1)))
	}
	s := fresh(t, w, Options{KV: NewMemoryKV(), MaxPendingRuns: runs})
	attach(t, s, w.runs[:slices.Index(w.runs, first)]...)
	attach(t, s, members...)
	var theirs []*memo.Run
	for i := writerA; i <= writerC; i++ { // all know the space, none was granted anything
		for n := range 2 * runs {
			theirs = append(theirs, w.say(i, edit(n), w.genesis()))
		}
	}
	slices.Reverse(theirs) // so that each waits for the one before
	res := attach(t, s, theirs...)
	if got, _ := s.Pending(); got > len(members)+3*runs/strangerShare || res.Evicted == 0 {
		t.Errorf("%d runs wait, %d of them members', %d were dropped", got, len(members), res.Evicted)
	}
	if res = attach(t, s, first); len(res.Runs) != len(members)+1 {
		t.Errorf("%d runs of members attached, want %d", len(res.Runs), len(members)+1)
	}
}
