package gossip

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"lightcone/memo"
)

// compareSets lets two sets answer each other until nothing is left to say, and returns
// what each learnt that the other has, in how many turns and bytes.
func compareSets(t *rapid.T, x, y *runSet) (ofX, ofY map[memo.ID]bool, turns int) {
	sets, learnt := [2]*runSet{x, y}, [2]map[memo.ID]bool{{}, {}}
	say := []runRange{x.whole()}
	for turns = 1; len(say) > 0; turns++ {
		to := turns % 2
		var next []runRange
		m := &ranges{Type: typeRanges, Ranges: say}
		if err := m.check(); err != nil {
			t.Fatal(err)
		}
		for _, r := range say {
			for _, h := range r.listed() {
				learnt[to][h.ID] = true
			}
			next = append(next, sets[to].answer(r)...)
		}
		say = next
	}
	return learnt[1], learnt[0], turns
}

// TestRangesFindAll: whatever two sets hold, and however their times collide, each side
// learns of every run that it lacks.
func TestRangesFindAll(t *testing.T) {
	most := 0
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		n, times := rapid.IntRange(0, 3000).Draw(t, "runs"), rapid.SampledFrom([]int{1, 3, 1000, 1 << 40}).Draw(t, "times")
		share := rapid.SampledFrom([]int{1, 2, 50, 1000}).Draw(t, "one in so many is missing")
		var held [2][]BranchRun
		var missing [2]map[memo.ID]bool
		missing[0], missing[1] = map[memo.ID]bool{}, map[memo.ID]bool{}
		for i := range n {
			r := BranchRun{Time: memo.Time(rng.IntN(times)), Seq: uint64(i)}
			for j := range r.ID {
				r.ID[j] = byte(rng.IntN(3)) // long fronts in common
			}
			for side := range held {
				if rng.IntN(share) > 0 {
					held[side] = append(held[side], r)
				} else {
					missing[side][r.ID] = true
				}
			}
		}
		key := rangeKey(testSecret, 1, 2)
		for _, runs := range held {
			slices.SortFunc(runs, func(a, b BranchRun) int { return cmp.Or(cmp.Compare(a.Time, b.Time), a.ID.Compare(b.ID)) })
		}
		ofX, ofY, turns := compareSets(t, newRunSet(key, held[0]), newRunSet(key, held[1]))
		for side, learnt := range []map[memo.ID]bool{ofY, ofX} {
			for _, r := range held[1-side] {
				if missing[side][r.ID] && !learnt[r.ID] {
					t.Fatalf("side %d does not learn of a run", side)
				}
			}
		}
		most = max(most, turns)
	})
	if most > 12 {
		t.Errorf("%d turns", most)
	}
	t.Logf("at most %d turns", most)
}

// TestPrintsAreKeyed: what two sets look like depends on the session and the secret, so
// that nobody finds runs in advance that hide others.
func TestPrintsAreKeyed(t *testing.T) {
	id := memo.Sum([]byte("a run"))
	seen := map[print]bool{}
	for _, key := range [][32]byte{rangeKey(testSecret, 1, 2), rangeKey(testSecret, 2, 1), rangeKey(testSecret, 1, 3), rangeKey(Secret{9}, 1, 2)} {
		seen[printOf(key, id)] = true
	}
	if len(seen) != 4 {
		t.Errorf("%d fingerprints of one run in 4 sessions", len(seen))
	}
}

// comparing is a victim in whose session the runs of forked authors are compared.
func comparing(t *testing.T) *victim {
	v := newVictim(t)
	h, root := v.hello(), memo.Link{3}
	h.Root = &root
	v.frame(1, h)
	v.frame(1, &ranges{Type: typeRanges, Author: v.evil.id, Ranges: []runRange{{To: beyondAll, Kind: rangePrint, Print: print{Count: 3}}}})
	v.frame(1, vecOf(false))
	return v
}

// TestBranchLies: what a partner must not say of forks.
func TestBranchLies(t *testing.T) {
	more := func(ids ...memo.ID) *ranges {
		heads := make([]rangeHead, len(ids))
		for i, id := range ids {
			heads[i] = rangeHead{Seq: 9, ID: id}
		}
		return &ranges{Type: typeRanges, Author: testAuthor, Ranges: []runRange{{Kind: rangeMore, Heads: packHeads(heads)}}}
	}
	ids := func(n int) (out []memo.ID) {
		for i := range n {
			out = append(out, memo.ID{byte(i), byte(i >> 8), 1})
		}
		return out
	}
	for name, c := range map[string]struct {
		say  func(v *victim)
		want string // of the error; "": none
	}{
		"more than may be wanted": {func(v *victim) {
			for range maxWants/needChunk + 1 {
				v.core.sessions[1].credit = 0 // nothing is answered meanwhile
				v.frame(1, &need{Type: typeNeed, IDs: ids(needChunk)})
			}
		}, "unexpected NEED"},
		"needs after the last": {func(v *victim) { v.frame(1, &need{Type: typeNeed}); v.frame(1, &need{Type: typeNeed}) }, "unexpected NEED"},
		"branches nobody asked for": {func(v *victim) {
			b := raw(v.write(v.evil, 9))
			v.frame(1, &branches{Type: typeBranches, Runs: []*memo.Bytes{&b}})
		}, "unexpected BRANCHES"},
		"no branches": {func(v *victim) { v.frame(1, &branches{Type: typeBranches}) }, "unexpected BRANCHES"},
		"another run than asked for": {func(v *victim) {
			b := raw(v.write(v.evil, 9))
			v.frame(1, more(ids(1)...))
			v.frame(1, &branches{Type: typeBranches, Runs: []*memo.Bytes{&b}})
		}, "asked for was"},
		"a turn that is ours":   {func(v *victim) { v.core.sessions[1].forks.mine = true; v.frame(1, more()) }, "unexpected RANGES"},
		"a probe too late":      {func(v *victim) { v.frame(1, &probe{Type: typeProbe, Author: v.me.id, Seqs: []uint64{1}}) }, "unexpected PROBE"},
		"an answer to no probe": {func(v *victim) { v.frame(1, &probed{Type: typeProbed, IDs: ids(1)}) }, "unexpected PROBED"},
		"parted too late":       {func(v *victim) { v.frame(1, &parted{Type: typeParted, Author: v.me.id, After: 1}) }, "unexpected PARTED"},
		"runs that it has not": {func(v *victim) {
			const frames = sessionWaste/missCost/needChunk + 1
			for i := range frames {
				var many []memo.ID
				for j := range needChunk {
					many = append(many, memo.ID{byte(j), byte(j >> 8), byte(i), 1})
				}
				m := more(many...)
				m.More = i+1 < frames
				v.frame(1, m)
			}
			for i := 0; i <= frames && len(v.closes) == 0; i++ {
				v.frame(1, &branches{Type: typeBranches, Runs: make([]*memo.Bytes, needChunk)})
			}
		}, "brought nothing new"},
	} {
		t.Run(name, func(t *testing.T) {
			v := comparing(t)
			if len(v.closes) > 0 {
				t.Fatal(v.closes)
			}
			c.say(v)
			if len(v.closes) != 1 || !v.closes[0].Blame || !strings.Contains(v.closes[0].Err.Error(), c.want) {
				t.Fatalf("closes %v, want one with blame about %q", v.closes, c.want)
			}
		})
	}
}

// TestProbesAreBounded: a partner that asks for digests without end is sent away.
func TestProbesAreBounded(t *testing.T) {
	v := newVictim(t)
	id := v.session("greeted")
	for range maxProbes {
		v.frame(id, &probe{Type: typeProbe, Author: v.me.id, Seqs: []uint64{1}})
	}
	if len(v.closes) > 0 {
		t.Fatal(v.closes)
	}
	if v.frame(id, &probe{Type: typeProbe, Author: v.me.id, Seqs: []uint64{1}}); len(v.closes) != 1 {
		t.Error("one more is answered")
	}
}

// TestWantsAreBounded: however many runs a partner lists, few are asked for at once,
// and all in the end.
func TestWantsAreBounded(t *testing.T) {
	v := comparing(t)
	var heads []rangeHead
	for i := range 3 * maxWants {
		heads = append(heads, rangeHead{Seq: 9, ID: memo.ID{byte(i), byte(i >> 8), 1}})
	}
	asked := func() (n int) {
		for _, m := range v.said[1] {
			if need, ok := m.(*need); ok {
				n += len(need.IDs)
			}
		}
		return n
	}
	v.frame(1, &ranges{Type: typeRanges, Author: testAuthor, Ranges: more(heads)})
	for answered := 0; answered < len(heads); answered += needChunk {
		if open := asked() - answered; open > maxWants || open < min(maxWants, len(heads)-answered) {
			t.Fatalf("%d are asked for and open", open)
		}
		v.core.sessions[1].useless = 0
		v.frame(1, &branches{Type: typeBranches, Runs: make([]*memo.Bytes, needChunk)})
	}
	if asked() != len(heads) || len(v.closes) > 0 {
		t.Errorf("%d were asked for, closes %v", asked(), v.closes)
	}
}
