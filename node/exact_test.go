package node

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	causal "lightcone/context"
	"lightcone/memo"
	"lightcone/merge"
)

// shows is all that a session sees: every row, upward and downward, and the digest.
func shows(t testing.TB, x *Session) string {
	t.Helper()
	ctx := context.Background()
	var up, down []string
	for _, reverse := range []bool{false, true} {
		for r, err := range x.Scan(ctx, Query{Reverse: reverse}) {
			if err != nil {
				t.Fatal(err)
			}
			one, err := x.Get(ctx, r.Topic, r.Key)
			if err != nil {
				t.Fatalf("the scan shows %s/%s, get: %v", r.Topic, r.Key, err)
			}
			if diff := cmp.Diff(fmt.Sprint(r), fmt.Sprint(one)); diff != "" {
				t.Fatalf("scan and get differ:\n%s", diff)
			}
			if line := fmt.Sprint(r); reverse {
				down = append(down, line)
			} else {
				up = append(up, line)
			}
		}
	}
	slices.Reverse(down)
	if diff := cmp.Diff(up, down); diff != "" {
		t.Fatalf("the two directions differ:\n%s", diff)
	}
	d, err := x.Digest(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x\n%v", d, up)
}

// at is an exact session under a token that was written down.
func at(t testing.TB, s *Space, tok causal.Token) *Session {
	t.Helper()
	back, err := causal.ParseToken(tok.String())
	if err != nil {
		t.Fatal(err)
	}
	return s.Session(From(back), Read{Mode: Exact})
}

func exactToken(t testing.TB, s *Space) causal.Token {
	t.Helper()
	tok, err := s.Session().ExactToken(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// edit makes random changes, deletions of whole rows among them.
func edit(t testing.TB, rng *rand.Rand, s *Space, n int) (last causal.Token) {
	t.Helper()
	ctx := context.Background()
	for range n {
		row, field := fmt.Sprint("row", rng.IntN(40)), fmt.Sprint("f", rng.IntN(3))
		var r Receipt
		var err error
		switch rng.IntN(8) {
		case 0:
			r, err = s.Delete(ctx, "t", row)
		case 1:
			r, err = s.Delete(ctx, "t", row, field)
		case 2:
			r, err = s.Add(ctx, "u", row, "n", int64(rng.IntN(9)))
		default:
			r, err = s.Put(ctx, "t", row, Fields{field: text(t, fmt.Sprint(rng.Uint64()))})
		}
		if err != nil {
			t.Fatal(err)
		}
		last = r.Token
	}
	return last
}

// Roots are folded at random moments of random histories, across restarts. Each
// must be what BuildState makes of the snapshot, and show for good what the newest
// state showed then; so must the token of the last write, which names heads alone.
func TestExactReadsOfRandomHistories(t *testing.T) {
	for seed := range Seeds(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel() // it waits for disks
			rng := rand.New(rand.NewPCG(seed, 1))
			dir, o := t.TempDir(), Options{Durability: []Durability{Group, None}[seed%2]}
			n := openNode(t, dir, o)
			s, err := n.CreateSpace("default", Policy{})
			if err != nil {
				t.Fatal(err)
			}
			type pinned struct {
				rooted, heads causal.Token
				shown         string
			}
			var pins []pinned
			check := func() {
				for _, p := range pins {
					for _, tok := range []causal.Token{p.rooted, p.heads} {
						if got := shows(t, at(t, s, tok)); got != p.shown {
							t.Fatalf("token %s shows\n%s\nwant\n%s", tok, got, p.shown)
						}
					}
				}
			}
			for range 6 {
				heads := edit(t, rng, s, 1+rng.IntN(60))
				p := pinned{exactToken(t, s), heads, ""}
				m, err := n.sealedMoment(s)
				if err != nil {
					t.Fatal(err)
				}
				whole, err := merge.BuildState(s.params(m.view), m.snap.States(s.id), nil)
				m.Close()
				root, rootErr := s.root(p.rooted.Root)
				if err := errors.Join(err, rootErr); err != nil || root.State != whole {
					t.Fatalf("state %s, want that of the snapshot, %s (%v)", root.State, whole, err)
				}
				p.shown = shows(t, s.Session(Read{Mode: Local}))
				pins = append(pins, p)
				check()
				if rng.IntN(3) == 0 {
					n.Close()
					n = openNode(t, dir, o)
					if s, err = n.OpenSpace("default"); err != nil {
						t.Fatal(err)
					}
				}
			}
			edit(t, rng, s, 30)
			check()
		})
	}
}

func TestExactSessions(t *testing.T) {
	ctx := context.Background()
	s, err := openNode(t, t.TempDir(), Options{}).CreateSpace("default", Policy{})
	if err != nil {
		t.Fatal(err)
	}
	put := func(v string) {
		t.Helper()
		if _, err := s.Put(ctx, "t", "r", Fields{"v": text(t, v)}); err != nil {
			t.Fatal(err)
		}
	}
	put("old")
	old := exactToken(t, s)
	put("new")
	x := at(t, s, old)
	r, err := x.Get(ctx, "t", "r")
	if err != nil || r.Fields["v"].Text() != "old" {
		t.Fatalf("%v (%v), want the old row", r, err)
	}
	if got := x.Token(); got.String() != old.String() {
		t.Errorf("an exact session's token is %v, want %v", got, old)
	}
	if _, err := x.Put(ctx, "t", "r", Fields{"v": text(t, "w")}); !errors.Is(err, memo.ErrInvalid) {
		t.Errorf("write in an exact session: %v", err)
	}
	if _, err := x.Get(ctx, "t", "none"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a row that never was: %v", err)
	}
	if _, err := s.Session(Read{Mode: Exact}).Get(ctx, "t", "r"); !errors.Is(err, ErrContextUnavailable) {
		t.Errorf("exact without a context: %v", err)
	}

	// At least the old root is also what a newer state shows, and the token of that
	// read covers it.
	y := s.Session(From(old))
	if r, err := y.Get(ctx, "t", "r"); err != nil || r.Fields["v"].Text() != "new" {
		t.Errorf("at least the old root: %v (%v)", r, err)
	}
	if lost, err := old.Beyond(y.Token()); err != nil || len(y.Token().Heads) == 0 || len(lost) > 0 && lost[0].Author != y.Token().Heads[0].Author {
		t.Errorf("the session un-knew %v (%v)", lost, err)
	}

	// A union of two roots of one chain is the later one.
	later := exactToken(t, s)
	z := s.Session(From(old), From(later), Read{Mode: Exact})
	if got := shows(t, z); got != shows(t, at(t, s, later)) || z.Token().Root != later.Root {
		t.Errorf("the union of two roots shows %s", got)
	}

	unknown := old
	unknown.Root, unknown.Heads = memo.Sum([]byte("nobody's")), nil
	for _, mode := range []Mode{Exact, AtLeast} {
		if _, err := s.Session(From(unknown), Read{Mode: mode}).Get(ctx, "t", "r"); !errors.Is(err, ErrContextUnavailable) {
			t.Errorf("a root of others, mode %d: %v", mode, err)
		}
	}
}

// A root is there for its time, whatever is collected, and then not.
func TestRootsAreCollected(t *testing.T) {
	ctx, now := context.Background(), time.Now()
	n := openNode(t, t.TempDir(), Options{Retention: time.Hour, Now: func() time.Time { return now }})
	s, err := n.CreateSpace("default", Policy{})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	edit(t, rng, s, 20)
	old := exactToken(t, s)
	old.Heads = nil // else its past is walked when the root is gone
	want := shows(t, at(t, s, old))
	edit(t, rng, s, 60)
	exactToken(t, s)
	blocks := n.store.Blocks(s.id)
	if c, err := blocks.Collect(now); err != nil || c.Pins != 0 {
		t.Fatalf("%+v %v", c, err)
	}
	if got := shows(t, at(t, s, old)); got != want {
		t.Errorf("after a collection the root shows\n%s\nwant\n%s", got, want)
	}
	if c, err := blocks.Collect(now.Add(2 * time.Hour)); err != nil || c.Pins != 1 || c.Blocks == 0 {
		t.Fatalf("%+v %v", c, err)
	}
	if _, err := at(t, s, old).Get(ctx, "t", "row1"); !errors.Is(err, ErrContextUnavailable) {
		t.Errorf("a root past its time: %v", err)
	}
	if _, err := s.Digest(ctx); err != nil {
		t.Error(err)
	}
}

// With the index all roots are lost. The heads in a token still lead to its state,
// and its root is then held again.
func TestRootsOfALostIndex(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	n := openNode(t, dir, Options{})
	s, err := n.CreateSpace("default", Policy{})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	edit(t, rng, s, 40)
	old := exactToken(t, s)
	want := shows(t, at(t, s, old))
	edit(t, rng, s, 40)
	n.Close()
	if err := os.RemoveAll(filepath.Join(dir, "kv")); err != nil {
		t.Fatal(err)
	}

	n = openNode(t, dir, Options{})
	if s, err = n.OpenSpace("default"); err != nil {
		t.Fatal(err)
	}
	bare := old
	bare.Heads = nil
	if _, err := at(t, s, bare).Get(ctx, "t", "row1"); !errors.Is(err, ErrContextUnavailable) {
		t.Errorf("under a lost root: %v", err)
	}
	for _, tok := range []causal.Token{old, bare} {
		if got := shows(t, at(t, s, tok)); got != want {
			t.Errorf("the state of the token's heads is\n%s\nwant\n%s", got, want)
		}
	}
}
