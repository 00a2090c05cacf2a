package figures

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	causal "lightcone/context"
	"lightcone/memo"
	"lightcone/memo/memotest"
	"lightcone/merge"
	"lightcone/projection"
	"lightcone/store"
	"lightcone/walfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// peer is one of the figures' people: a real store and a real projection, fed by
// hand instead of by a network, and the query context they carry with them.
type peer struct {
	t     memotest.TB
	d     *memotest.DAG
	id    memo.Author
	store *store.Store
	proj  *projection.DB
	qc    causal.Context
}

// tester is a *testing.T or *rapid.T.
type tester interface {
	memotest.TB
	Cleanup(func())
}

// one returns a peer, Alice for example.
func one(t *testing.T, d *memotest.DAG) *peer {
	t.Helper()
	return newPeer(t, d, t.TempDir())
}

// two returns Alice and Bob.
func two(t *testing.T, d *memotest.DAG) (alice, bob *peer) {
	t.Helper()
	return one(t, d), one(t, d)
}

// newPeer returns a peer that holds nothing yet and is closed with the test.
func newPeer(t tester, d *memotest.DAG, dir string) *peer {
	t.Helper()
	p := &peer{t: t, d: d, qc: causal.Context{Space: d.Space}}
	var err error
	p.store, err = store.Open(dir, store.Options{
		WAL: walfs.Options{SegmentSize: store.MinSegmentSize}, KV: store.NewMemoryKV(),
	})
	p.must(err)
	t.Cleanup(func() { p.must(p.store.Close()) })
	p.store.AddSpace(d.Space)
	p.proj, err = projection.Open(filepath.Join(dir, "projection"), projection.Options{})
	p.must(err)
	t.Cleanup(func() { p.must(p.proj.Close()) })
	return p
}

func (p *peer) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatalf("%v", err)
	}
}

// writes makes the named memo p's own: logged, sealed, projected and, with all
// that it links to, in p's context.
func (p *peer) writes(name string) {
	p.t.Helper()
	m, seal := p.d.Memo(name), p.d.Run(name).Seal
	placed, err := p.store.AppendOwn(walfs.Group, []*memo.Memo{m}, &seal)
	p.must(err)
	p.project(placed)
	p.id = m.Author
	past := causal.NewCut(p.d.Cut(name))
	loose := slices.DeleteFunc(slices.Clone(p.qc.Loose), past.Covers)
	p.qc = causal.Context{Space: p.d.Space, Loose: loose}.With(m.Head())
}

// hears delivers the runs of the named memos as the wire would, in this order.
// It does not touch p's context: hearing of something is not having read it.
func (p *peer) hears(names ...string) store.Result {
	p.t.Helper()
	var wire [][]byte
	for _, r := range p.d.Runs(names...) {
		b, err := r.Encode()
		p.must(err)
		wire = append(wire, b)
	}
	return p.receives(wire...)
}

func (p *peer) receives(wire ...[]byte) store.Result {
	p.t.Helper()
	var runs []*memo.Run
	for _, b := range wire {
		r, err := memo.DecodeRun(b)
		p.must(err)
		p.must(r.Verify())
		runs = append(runs, r)
	}
	res, err := p.store.Attach(runs)
	p.must(err)
	if len(res.Refused) > 0 {
		p.t.Fatalf("refused: %v", res.Refused)
	}
	p.project(res.Attached)
	return res
}

// project applies memos to the projection, record by record.
func (p *peer) project(placed []store.Placed) {
	p.t.Helper()
	for len(placed) > 0 {
		lsn := placed[0].LSN
		var changes []projection.Change
		for ; len(placed) > 0 && placed[0].LSN == lsn; placed = placed[1:] {
			changes = append(changes, changesOf(placed[0].Memo)...)
		}
		p.must(p.proj.Apply(lsn, changes))
	}
}

func changesOf(m *memo.Memo) []projection.Change {
	e, ok := m.Body.(*memo.Edit)
	if !ok {
		return nil
	}
	return []projection.Change{{Space: m.SpaceID(), Stamp: merge.StampOf(m), Edit: e}}
}

// cut is everything that p has attached.
func (p *peer) cut() causal.Cut { return causal.NewCut(p.store.View().All(p.d.Space)) }

func (p *peer) digestAt(a memo.Author, seq uint64) (memo.ID, bool) {
	m, ok, err := p.store.View().Memo(p.d.Space, a, seq)
	p.must(err)
	if !ok {
		return memo.ID{}, false
	}
	return m.ID(), true
}

// token is p's context, written down and read again.
func (p *peer) token() causal.Token {
	p.t.Helper()
	tok, err := p.qc.Token(p.id)
	p.must(err)
	tok, err = causal.ParseToken(tok.String())
	p.must(err)
	return tok
}

// takes makes q's context part of p's: p learns from the token alone that it is
// behind, gets what it lacks from q's store, and takes the context in.
func (p *peer) takes(q *peer) {
	p.t.Helper()
	tok := q.token()
	if len(tok.Missing(p.cut(), p.digestAt)) > 0 {
		p.receives(q.newerThan(p.store.View().Vector(p.d.Space))...)
	}
	qc, ok := tok.Resolve(p.d.Space, p.cut(), p.digestAt)
	if !ok {
		p.t.Fatalf("still missing: %v", tok.Missing(p.cut(), p.digestAt))
	}
	qc, err := causal.Join(p.qc, qc)
	p.must(err)
	p.qc = qc
}

// newerThan returns the runs p holds beyond a cut.
func (p *peer) newerThan(v memo.Vector) (wire [][]byte) {
	p.t.Helper()
	view := p.store.View()
	for mark := range view.Vector(p.d.Space).All() {
		have, _ := v.Get(mark.Author)
		for seq := have.Seq; seq < mark.Seq; {
			_, last, _, err := view.NextRun(p.d.Space, mark.Author, seq)
			p.must(err)
			b, err := view.Run(p.d.Space, mark.Author, last)
			p.must(err)
			wire, seq = append(wire, b), last
		}
	}
	return wire
}

// exchange is two people bumping into each other: each takes the other's context.
func exchange(p, q *peer) {
	p.t.Helper()
	p.takes(q)
	q.takes(p)
}

// sees answers a query for "topic/row" under p's context: the fields in order, or
// "nothing". It fails when p's view would be staler than its context.
func (p *peer) sees(place string) string {
	p.t.Helper()
	if missing := p.qc.Missing(p.cut()); missing != nil {
		p.t.Fatalf("the context holds what is not attached: %v", missing)
	}
	topic, row, _ := strings.Cut(place, "/")
	snap := p.snapshot()
	defer snap.Close()
	state, live, err := snap.Get(p.d.Space, topic, row)
	p.must(err)
	if !live {
		return "nothing"
	}
	var fields []string
	for _, c := range state.Cells {
		if c.Register.Set {
			fields = append(fields, fmt.Sprintf("%s=%s", c.Field, c.Register.Value))
		}
	}
	return strings.Join(fields, " ")
}

func (p *peer) snapshot() *projection.Snapshot {
	p.t.Helper()
	snap, err := p.proj.Snapshot()
	p.must(err)
	return snap
}

// states are the bytes of every row of p's projection.
func (p *peer) states() map[string]string {
	p.t.Helper()
	snap := p.snapshot()
	defer snap.Close()
	rows := map[string]string{}
	for r, err := range snap.States(p.d.Space) {
		p.must(err)
		rows[r.Key] = string(r.State)
	}
	return rows
}

func (p *peer) digest() memo.ID {
	p.t.Helper()
	snap := p.snapshot()
	defer snap.Close()
	id, err := snap.Digest(merge.DefaultParams(p.d.Space))
	p.must(err)
	return id
}

// want compares what somebody sees with what they should.
func want(t *testing.T, who string, p *peer, place, fields string) {
	t.Helper()
	if got := p.sees(place); got != fields {
		t.Errorf("%s sees %q at %s, want %q", who, got, place, fields)
	}
}

// agree demands equal bytes of two projections and equal digests.
func agree(t *testing.T, p, q *peer) {
	t.Helper()
	if diff := cmp.Diff(p.states(), q.states()); diff != "" {
		t.Errorf("the projections differ:\n%s", diff)
	}
	if a, b := p.digest(), q.digest(); a != b {
		t.Errorf("the digests differ: %s and %s", a, b)
	}
}

// holds demands that p's context is exactly the named heads.
func holds(t *testing.T, who string, p *peer, names ...string) {
	t.Helper()
	var got []string
	for _, h := range p.qc.Loose {
		got = append(got, p.d.Name(h.ID))
	}
	slices.Sort(got)
	if !slices.Equal(got, names) {
		t.Errorf("%s's context holds %v, want %v", who, got, names)
	}
}
