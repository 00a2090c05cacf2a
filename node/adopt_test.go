package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	causal "lightcone/context"
	"lightcone/memo"
	"lightcone/merge"
	"lightcone/p2p/gossip"
	"lightcone/store"
)

// adopters makes a space that adopts with rows row0 to row19, each written by a memo
// of its own, and a node that holds the first so many of those memos.
func adopters(t *testing.T, o Options, held int) (maker, late *Space) {
	t.Helper()
	maker, err := openNode(t, t.TempDir(), Options{Durability: o.Durability}).CreateSpace("default", Policy{Trust: memo.Adopt})
	if err != nil {
		t.Fatal(err)
	}
	late = enter(t, openNode(t, t.TempDir(), o), maker)
	for i := range 20 {
		if _, err := maker.Put(t.Context(), "t", fmt.Sprint("row", i), Fields{"v": memo.Int(int64(i))}); err != nil {
			t.Fatal(err)
		}
	}
	copyMemos(t, maker, late, 1+held)
	return maker, late
}

func digestOf(t testing.TB, s *Space) [32]byte {
	t.Helper()
	d, err := s.Digest(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func covers(s, other *Space) bool {
	return s.node.view.Load().store.Vector(s.id).CoversAll(other.node.view.Load().store.Vector(s.id))
}

// announce tells s that peer w announced its root.
func (w word) announce(t testing.TB, s *Space) {
	t.Helper()
	s.node.onOwner(t, func(o *owner) { o.heardRoot(gossip.Announced{Space: s.id, Announcement: w.announcement()}) })
}

// adoptAll has late adopt the state of maker.
func adoptAll(t testing.TB, maker, late *Space) {
	t.Helper()
	w := wordOf(t, maker)
	w.announce(t, late)
	w.say(t, late, gossip.StatePart)
	waitUntil(t, "the state is adopted", func() bool { return covers(late, maker) })
}

// The state of a member is joined, whatever came before and comes after it in whatever
// order: digests are equal, also when all that is derived from the log is made anew.
func TestAdoptedStates(t *testing.T) {
	for seed := range Seeds(5) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel() // it waits for disks
			rng := rand.New(rand.NewPCG(seed, 3))
			maker, late := adopters(t, Options{}, 0)
			dir := late.node.dir
			for range 3 {
				edit(t, rng, maker, 12)
				copyMemos(t, maker, late, rng.IntN(8))
				edit(t, rng, late, 5)
				copyMemos(t, late, maker, 100)
				edit(t, rng, maker, 5)
				adoptAll(t, maker, late)
				edit(t, rng, late, 3)
				copyMemos(t, late, maker, 100)
				if want, got := digestOf(t, maker), digestOf(t, late); want != got {
					t.Fatalf("digests %x and %x", want, got)
				}
			}
			if diff := cmp.Diff(shown(t, maker, atOnce), shown(t, late, atOnce), differ); diff != "" {
				t.Fatal(diff)
			}
			want := digestOf(t, late)
			for _, lost := range [][]string{nil, {"kv"}, {"projection.db"}, {"kv", "projection.db"}} {
				if err := late.node.Close(); err != nil {
					t.Fatal(err)
				}
				for _, f := range lost {
					if err := os.RemoveAll(filepath.Join(dir, f)); err != nil {
						t.Fatal(err)
					}
				}
				late = reopen(t, dir)
				if got := digestOf(t, late); got != want {
					t.Fatalf("without %v the digest is %x, want %x", lost, got, want)
				}
			}
		})
	}
}

func reopen(t *testing.T, dir string) *Space {
	t.Helper()
	s, err := openNode(t, dir, Options{}).OpenSpace("default")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// In a space that trusts memos alone nothing of a state gets into the log.
func TestVerifyNeverAdopts(t *testing.T) {
	maker, late := latecomer(t, Options{})
	before, digest := late.node.view.Load().store.Vector(late.id), digestOf(t, late)
	wordOf(t, maker).say(t, late, gossip.StatePart)
	late.node.onOwner(t, func(o *owner) {
		o.announced(gossip.Announced{Space: late.id, Announcement: &gossip.Announcement{From: maker.node.id, Memos: 1000}})
		if len(o.adopting) > 0 {
			t.Error("it thinks of adopting")
		}
		st := &foreignState{space: late, Fetched: gossip.Fetched{Space: late.id, From: maker.node.id}}
		for m := range maker.node.view.Load().store.Vector(maker.id).All() {
			st.heads = append(st.heads, store.SealedMark{Mark: m})
		}
		if err := o.adoptState(st); !errors.Is(err, store.ErrTrust) {
			t.Errorf("adopted all the same: %v", err)
		}
	})
	compared(t, late)
	after := late.node.view.Load().store.Vector(late.id)
	if !sameCut(before, after) || digestOf(t, late) != digest {
		t.Error("a peer's word changed what is here")
	}
}

// A state is refused when it stands on what its root does not cover, and remembered
// with the name of who vouched for it.
func TestFalseStatesAreNotAdopted(t *testing.T) {
	forged := func(change func(s *Space, rows map[string]merge.Row)) func(t *testing.T, s *Space) word {
		return func(t *testing.T, s *Space) word {
			return s.wordFor(t, forge(t, s, wordOf(t, s).folded, func(rows map[string]merge.Row) { change(s, rows) }))
		}
	}
	stamp := func(change func(s *merge.Stamp)) func(s *Space, rows map[string]merge.Row) {
		return func(_ *Space, rows map[string]merge.Row) {
			r := rows[merge.RowKey("t", "row19")]
			r.Cells = append([]merge.Cell(nil), r.Cells...)
			change(&r.Cells[0].Register.Stamp)
			rows[merge.RowKey("t", "row19")] = r
		}
	}
	for name, tell := range map[string]func(t *testing.T, s *Space) word{
		"a later memo":         forged(stamp(func(s *merge.Stamp) { s.Seq++ })),
		"an unknown author":    forged(stamp(func(s *merge.Stamp) { s.Author[0]++ })),
		"another memo":         forged(stamp(func(s *merge.Stamp) { s.ID[0]++ })),
		"a later time":         forged(stamp(func(s *merge.Stamp) { s.Time++ })),
		"a key that is no key": forged(func(_ *Space, rows map[string]merge.Row) { rows["no key"] = rows[merge.RowKey("t", "row19")] }),
		"a seal is missing": func(t *testing.T, s *Space) word {
			w := wordOf(t, s)
			w.seals = nil
			return w
		},
		"a wrong seal": func(t *testing.T, s *Space) word {
			w := wordOf(t, s)
			w.seals[0].Seal[5]++
			return w
		},
	} {
		t.Run(name, func(t *testing.T) {
			maker, late := adopters(t, Options{}, 3)
			digest := digestOf(t, late)
			tell(t, maker).say(t, late, gossip.StatePart)
			waitUntil(t, "it is found out", func() bool { return len(spaceStatus(t, late).Liars) > 0 })
			if st := spaceStatus(t, late); st.Liars[0] != maker.node.id {
				t.Errorf("liars: %v", st.Liars)
			}
			if covers(late, maker) || digestOf(t, late) != digest {
				t.Error("some of it was adopted")
			}
		})
	}
}

// What an adopted row says, and on whose word, shows in its history, its explanation
// and the feed; tokens that name memos behind it can be read under.
func TestReadingAdoptedRows(t *testing.T) {
	maker, late := adopters(t, Options{}, 10)
	start, err := late.Now()
	if err != nil {
		t.Fatal(err)
	}
	at15 := tokenOf(t, maker, "row14") // memo 16 of the maker
	adoptAll(t, maker, late)
	ctx := t.Context()
	row, err := late.Session(From(at15), atOnce).Get(ctx, "t", "row14")
	if err != nil || row.Fields["v"] != memo.Int(14) || row.VouchedBy != (PeerID{}) {
		t.Fatalf("under a token of a memo that is not held: %+v %v", row, err)
	}
	x := late.Session(atOnce)
	if _, err := x.Get(ctx, "t", "row14"); err != nil {
		t.Fatal(err)
	}
	if _, err := late.Session(From(x.Token()), atOnce).Get(ctx, "t", "row3"); err != nil {
		t.Errorf("under a token of its own: %v", err)
	}
	for key, by := range map[string]PeerID{"row14": maker.node.id, "row3": {}} {
		n := 0
		for e, err := range late.History(ctx, "t", key, HistoryQuery{Limit: 1}) {
			if n++; err != nil || e.VouchedBy != by || e.Memo.Author != maker.node.id || (len(e.Deltas) > 0) != (by == PeerID{}) {
				t.Errorf("history of %s: %+v %v", key, e, err)
			}
		}
		why, err := late.Why(ctx, "t", key)
		if err != nil || n != 1 || len(why.Fields) != 1 || why.Fields[0].From[0].VouchedBy != by {
			t.Errorf("%s: %d entries, %+v %v", key, n, why, err)
		}
	}
	f, err := late.Session().Follow(ctx, Query{Limit: 10}, start)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for i := 10; ; i++ {
		c, err := f.Next(ctx)
		if err == io.EOF && i == 20 {
			break
		}
		if err != nil || c.VouchedBy != maker.node.id || c.Key != fmt.Sprint("row", i) || c.Fields["v"] != memo.Int(int64(i)) || c.Seq != uint64(i+2) {
			t.Fatalf("change %d: %+v %v", i, c, err)
		}
		if heads := c.Cursor.Token().Heads; i == 19 && (len(heads) != 1 || heads[0].Seq != 21) {
			t.Errorf("behind the state are %v", heads)
		}
		again, err := late.Session().Follow(ctx, Query{Limit: 1}, c.Cursor)
		if err != nil {
			t.Fatal(err)
		}
		if i < 19 {
			if next, err := again.Next(ctx); err != nil || next.Key != fmt.Sprint("row", i+1) {
				t.Errorf("behind change %d: %+v %v", i, next, err)
			}
		}
		if err := again.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := late.Session(Read{Mode: Exact, Wait: -1}, From(at15)).Get(ctx, "t", "row3"); err == nil {
		t.Error("the exact state of a cut whose memos are not held was made up")
	}
}

// tokenOf returns a token that covers what a row shows.
func tokenOf(t testing.TB, s *Space, key string) causal.Token {
	t.Helper()
	x := s.Session()
	if _, err := x.Get(context.Background(), "t", key); err != nil {
		t.Fatal(err)
	}
	return x.Token()
}

// TestCompactNode: a node without its bodies goes on as before, restarts, is made anew
// from its log, hands on its state, and says what it cannot.
func TestCompactNode(t *testing.T) {
	ctx := t.Context()
	maker, late := adopters(t, Options{}, 5)
	tok, err := maker.Session().ExactToken(ctx)
	if err != nil {
		t.Fatal(err)
	}
	pinned := shown(t, maker, atOnce)
	if _, err := maker.Put(ctx, "t", "row3", Fields{"v": memo.Int(33)}); err != nil {
		t.Fatal(err)
	}
	before, want := maker.node.view.Load().store.Vector(maker.id), digestOf(t, maker)
	done, err := maker.node.Compact(ctx)
	if err != nil || done.LSN == 0 {
		t.Fatal(done, err)
	}
	check := func(what string, s *Space) {
		t.Helper()
		if now := s.node.view.Load().store.Vector(s.id); !sameCut(before, now) || digestOf(t, s) != want {
			t.Errorf("%s: the vector or the digest changed", what)
		}
		for e, err := range s.History(ctx, "t", "row3", HistoryQuery{}) {
			if err != nil || e.VouchedBy != s.node.id {
				t.Errorf("%s: history %+v %v", what, e, err)
			}
		}
	}
	check("at once", maker)
	exact := Read{Mode: Exact, Wait: -1}
	for k, r := range pinned {
		got, err := maker.Session(From(tok), exact).Get(ctx, "t", strings.TrimPrefix(k, "t/"))
		if err != nil || !bytes.Equal([]byte(fmt.Sprint(got.Fields)), []byte(fmt.Sprint(r.Fields))) {
			t.Errorf("the pinned root shows %s as %v, %v", k, got.Fields, err)
		}
	}
	dir := maker.node.dir
	for _, lost := range [][]string{nil, {"projection.db"}, {"kv", "projection.db"}} {
		if err := maker.node.Close(); err != nil {
			t.Fatal(err)
		}
		for _, f := range lost {
			if err := os.RemoveAll(filepath.Join(dir, f)); err != nil {
				t.Fatal(err)
			}
		}
		maker = reopen(t, dir)
		check(fmt.Sprint("without ", lost), maker)
	}
	copyMemos(t, maker, late, 100) // there are none but what late has
	adoptAll(t, maker, late)
	if _, err := maker.Put(ctx, "t", "row3", Fields{"v": memo.Int(34)}); err != nil {
		t.Fatal(err)
	}
	copyMemos(t, maker, late, 100)
	if row, err := late.Get(ctx, "t", "row3"); err != nil || row.Fields["v"] != memo.Int(34) || digestOf(t, late) != digestOf(t, maker) {
		t.Errorf("the chain went on as %v, %v", row.Fields, err)
	}
}

// TestCompactRefuses: one space that trusts memos alone keeps the bodies of all.
func TestCompactRefuses(t *testing.T) {
	maker, _ := adopters(t, Options{}, 0)
	if _, err := maker.node.CreateSpace("other", Policy{}); err != nil {
		t.Fatal(err)
	}
	if _, err := maker.node.Compact(t.Context()); !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), `"other"`) ||
		!strings.Contains(err.Error(), "receipts of keepers do not exist yet") {
		t.Errorf("compacted a space that trusts memos alone: %v", err)
	}
	if whole, err := maker.node.view.Load().store.Whole(maker.id); err != nil || !whole {
		t.Errorf("bodies are gone: %v", err)
	}
}

// TestAskingForStates: where memos do not come, the root that covers most is asked for,
// not at once, not again too soon, and not of who lied.
func TestAskingForStates(t *testing.T) {
	maker, late := adopters(t, Options{}, 3)
	one, two := PeerID{1}, PeerID{2}
	root := func(b byte, from PeerID, memos uint64) gossip.Announced {
		return gossip.Announced{Space: late.id, Announcement: &gossip.Announcement{From: from, ID: memo.ID{b}, Memos: memos}}
	}
	late.node.onOwner(t, func(o *owner) {
		start := time.Now()
		asked := func(after time.Duration) (out []memo.ID) {
			o.tickAdopt(start.Add(after))
			for _, in := range o.todo {
				f, ok := in.(gossip.Fetch)
				if ok && (f.Space != late.id || f.Parts != gossip.StatePart) {
					t.Errorf("it asks for %+v", f)
				}
				if ok {
					out = append(out, f.Root)
				}
			}
			o.todo = nil
			return out
		}
		o.announced(root(1, one, 2)) // fewer than are here
		o.announced(root(2, two, 100))
		o.announced(root(3, one, 50))
		o.announced(root(4, two, 90)) // instead of 2
		for _, step := range []struct {
			after time.Duration
			want  []memo.ID
		}{
			{adoptPatience - time.Second, nil},
			{adoptPatience + time.Second, []memo.ID{{4}}},
			{adoptPatience + 2*time.Second, nil},
			{adoptPatience + 2*time.Second + adoptAgain, []memo.ID{{4}}},
		} {
			if diff := cmp.Diff(step.want, asked(step.after)); diff != "" {
				t.Errorf("after %v: %s", step.after, diff)
			}
		}
		o.lied(o.coldOf(late.id), two, memo.ID{4}, io.ErrUnexpectedEOF)
		if diff := cmp.Diff([]memo.ID{{3}}, asked(time.Minute)); diff != "" {
			t.Error(diff)
		}
		o.lied(o.coldOf(late.id), one, memo.ID{3}, io.ErrUnexpectedEOF)
		if asked(2*time.Minute) != nil || !o.adopting[late.id].behind.IsZero() {
			t.Error("it looks for a state that nobody honest has")
		}
		for i := range 2 * maxHeardRoots {
			o.announced(root(5, PeerID{9, byte(i)}, 1))
		}
		if n := len(o.adopting[late.id].heard); n != maxHeardRoots {
			t.Errorf("%d announcements are remembered", n)
		}
	})
	if digestOf(t, maker) == digestOf(t, late) {
		t.Error("the test is none")
	}
}

// TestWhoVouches: a root that somebody merely has blocks of is nobody's word; one that
// was announced is its announcer's, and the log keeps what he signed.
func TestWhoVouches(t *testing.T) {
	maker, late := adopters(t, Options{}, 0)
	w := wordOf(t, maker)
	bring := func() {
		late.node.onOwner(t, func(o *owner) {
			for _, blocks := range w.parts {
				o.keep(gossip.Keep{Space: late.id, Blocks: blocks})
			}
			o.fetched(gossip.Fetched{
				Space: late.id, Root: w.id, Parts: gossip.StatePart, Made: w.root, Vector: w.vector, Seals: w.seals, From: maker.node.id,
			})
		})
		compared(t, late)
	}
	if bring(); covers(late, maker) {
		t.Fatal("adopted on nobody's word")
	}
	late.node.onOwner(t, func(o *owner) {
		_, a := o.adoptingOf(late.id)
		a.origin = maker.node.id // whose newest was asked for, and who signs nothing
	})
	if bring(); covers(late, maker) {
		t.Fatal("adopted on a word that nobody signed")
	}
	w.announce(t, late)
	bring()
	waitUntil(t, "the state is adopted", func() bool { return covers(late, maker) })
	found := false
	err := late.node.store.Replay(0, func(rec store.Record) error {
		if a := rec.Adopted; a != nil {
			found = a.From() == maker.node.id && a.Root() == w.id && bytes.Equal(a.Announcement(), w.said) && string(w.said) != "signed"
		}
		return nil
	})
	if err != nil || !found {
		t.Errorf("what was signed is not in the log: %v", err)
	}
}

// TestAlarms: who signs another state of a cut than its memos make is named, with the
// signed announcement; not where somebody's word is in the own state.
func TestAlarms(t *testing.T) {
	maker, late := adopters(t, Options{}, 0)
	said := gossip.Announced{Space: late.id, Unequal: memo.ID{1}, Announcement: &gossip.Announcement{From: PeerID{3}, ID: memo.ID{2}, Raw: []byte("signed")}}
	for _, s := range []*Space{maker, late} {
		s.node.onOwner(t, func(o *owner) {
			o.heardRoot(said)
			if o.tickDoubts(o.n.opts.Now()); len(o.doubts) != 1 || len(o.coldOf(s.id).alarms) > 0 {
				t.Error("blamed before a fork could explain it")
			}
			o.tickDoubts(o.n.opts.Now().Add(doubtFor))
		})
		want := []Alarm{{Peer: PeerID{3}, Root: memo.ID{2}, Ours: memo.ID{1}, Announcement: []byte("signed")}}
		if st := spaceStatus(t, s); !cmp.Equal(want, st.Alarms) || len(st.Liars) != 1 {
			t.Errorf("alarms %+v, liars %v", st.Alarms, st.Liars)
		}
	}
	third := enter(t, openNode(t, t.TempDir(), Options{}), maker)
	copyMemos(t, maker, third, 1)
	adoptAll(t, maker, third)
	third.node.onOwner(t, func(o *owner) {
		o.heardRoot(said)
		o.tickDoubts(o.n.opts.Now().Add(doubtFor))
	})
	if st := spaceStatus(t, third); len(st.Alarms)+len(st.Liars) > 0 {
		t.Errorf("alarms %+v, liars %v", st.Alarms, st.Liars)
	}
}
