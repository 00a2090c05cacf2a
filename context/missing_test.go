package causal_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	causal "lightcone/context"
	"lightcone/memo"
	"lightcone/memo/memotest"
)

// holder is a peer that has attached the past of some memos of a drawing.
type holder struct {
	cut  causal.Cut
	held map[memo.Author]map[uint64]memo.ID
}

func holding(d *memotest.DAG, names ...string) holder {
	h := holder{causal.NewCut(d.Cut(names...)), map[memo.Author]map[uint64]memo.ID{}}
	for _, n := range d.Names() {
		if m := d.Memo(n); h.cut.Covers(m.Head()) {
			if h.held[m.Author] == nil {
				h.held[m.Author] = map[uint64]memo.ID{}
			}
			h.held[m.Author][m.Seq] = m.ID()
		}
	}
	return h
}

func (h holder) digest(a memo.Author, seq uint64) (memo.ID, bool) {
	id, ok := h.held[a][seq]
	return id, ok
}

const pets = `
	G -> A1@alice -> A2@alice -> A3@alice
	     | -> B1@bob
	A2, B1 -> C1@carol
	A2: animals/11 name=Cat
`

func TestATokenIsDecidedAgainstACut(t *testing.T) {
	d := memotest.Draw(t, pets)
	qc := causal.Context{Space: d.Space}.With(d.Memo("A2").Head()).With(d.Memo("B1").Head())
	tok := token(t, qc)

	// Carol, who wrote C1, has both; so has anybody who has C1.
	carol := holding(d, "C1", "A3")
	if missing := tok.Missing(carol.cut, carol.digest); missing != nil {
		t.Errorf("carol lacks %v", missing)
	}
	back, ok := tok.Resolve(d.Space, carol.cut, carol.digest)
	if !ok {
		t.Fatal("carol cannot resolve the token")
	}
	same(t, "the context, its token resolved", qc, back)

	// Alice has A1 and lacks A2, of a chain she knows, and B1, of an author she
	// does not even know by name.
	alice := holding(d, "A1")
	var lacks []string
	for _, m := range tok.Missing(alice.cut, alice.digest) {
		if m.Conflict {
			t.Errorf("memo %d of %x is in conflict with nothing", m.Seq, m.Author)
		}
		switch {
		case m.Author == [8]byte(d.Memo("A2").Author[:8]) && m.Seq == 2 && m.Known == d.Memo("A1").Author:
			lacks = append(lacks, "A2")
		case m.Author == [8]byte(d.Memo("B1").Author[:8]) && m.Seq == 1 && m.Known == (memo.Author{}):
			lacks = append(lacks, "B1")
		default:
			t.Errorf("alice lacks %+v", m)
		}
	}
	if len(lacks) != 2 {
		t.Errorf("alice lacks %v, want A2 and B1", lacks)
	}
	if got, ok := tok.Resolve(d.Space, alice.cut, alice.digest); ok {
		t.Errorf("alice resolved what she does not have: %v", got)
	}
}

// Where the token's memo should be, this peer has another one: it was forked, or
// lost and its place taken again. That is never "covered".
func TestAnotherMemoInTheSamePlaceIsAConflict(t *testing.T) {
	d := memotest.Draw(t, pets)
	forked := memotest.Draw(t, pets+"\nA2 at 90:")
	tok := token(t, causal.Context{Space: d.Space}.With(d.Memo("A2").Head()))
	for name, names := range map[string][]string{"the same length": {"A2"}, "a longer chain": {"A3"}} {
		h := holding(forked, names...)
		want := []causal.MissingHead{{TokenHead: tok.Heads[0], Known: d.Memo("A2").Author, Conflict: true}}
		if diff := cmp.Diff(want, tok.Missing(h.cut, h.digest)); diff != "" {
			t.Errorf("%s, - wanted + got:\n%s", name, diff)
		}
		if _, ok := tok.Resolve(d.Space, h.cut, h.digest); ok {
			t.Errorf("%s: the token was resolved to another memo", name)
		}
	}
	// A digest that cannot be looked up decides nothing in the token's favour.
	h := holding(d, "A2")
	unreadable := func(memo.Author, uint64) (memo.ID, bool) { return memo.ID{}, false }
	if m := tok.Missing(h.cut, unreadable); len(m) != 1 || !m[0].Conflict {
		t.Errorf("without its digest A2 counts as held: %v", m)
	}
}
