package gossip

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"lightcone/memo"
	"lightcone/merge"
)

// ends tells that the session ended, for what reason.
func (v *victim) ends(t *testing.T, want string) {
	t.Helper()
	if len(v.closes) != 1 || v.closes[0].Err == nil || !strings.Contains(v.closes[0].Err.Error(), want) {
		t.Errorf("closes %v, want one about %q", v.closes, want)
	}
}

// TestBytesOfASession: a session brings sessionBytes, and one run that was under way.
func TestBytesOfASession(t *testing.T) {
	v := newVictim(t)
	id := v.session("streaming")
	s := v.core.sessions[id]
	s.got = sessionBytes // nearly: what came is counted, the rest of the session is real
	if v.frame(id, runsOf(v.write(v.evil, 1000))); len(v.closes) > 0 {
		t.Fatalf("a run under way is refused: %v", v.closes)
	}
	s.got = sessionBytes + memo.MaxForkProofRun - 1
	v.frame(id, runsOf(v.write(v.evil, 1000)))
	v.ends(t, "more bytes than granted")
}

// TestGreatestCredit: who grants all there is in numbers is sent what it lacks.
func TestGreatestCredit(t *testing.T) {
	v := newVictim(t)
	h := v.hello()
	h.Credit = math.MaxUint64
	v.frame(1, h)
	v.frame(1, &vec{Type: typeVec, Heads: []vecHead{{Author: v.me.id}}})
	for _, m := range v.said[1] {
		if _, ok := m.(*runs); ok {
			return
		}
	}
	t.Errorf("nothing was sent: %v, closes %v", v.said[1], v.closes)
}

// TestAuthorsOfAVec: however a partner says what it holds, it says so of maxVec authors
// at most.
func TestAuthorsOfAVec(t *testing.T) {
	t.Run("listed", func(t *testing.T) {
		v := newVictim(t)
		id := v.session("greeted")
		v.core.sessions[id].listed = maxVec - 1 // 85 MB of frames came
		if v.frame(id, vecOf(true, head(lo, 1))); len(v.closes) > 0 {
			t.Fatal(v.closes)
		}
		v.frame(id, vecOf(true, head(hi, 1)))
		v.ends(t, "more than")
	})
	t.Run("as a tree", func(t *testing.T) {
		v := newVictim(t)
		_, own := crowd(v.me.head, 4, 4*treeFrom)
		v.shelf.putAll(own)
		root, err := v.shelf.VecRoot(v.space)
		if err != nil {
			t.Fatal(err)
		}
		tree, err := v.shelf.HadTree(v.space)
		if err != nil {
			t.Fatal(err)
		}
		data, err := tree.Block(root)
		if err != nil {
			t.Fatal(err)
		}
		forged, err := merge.DecodeNode(merge.DefaultParams(v.space), data, merge.Place{})
		if err != nil {
			t.Fatal(err)
		}
		forged.Items[0].Count = maxVec
		data = merge.EncodeNode(nil, forged)
		id := v.opened("opened")
		h := v.hello()
		h.VecRoot = memo.Sum(data)
		v.frame(id, h)
		v.frame(id, &vecNodes{Type: typeVecNodes, Nodes: []memo.Bytes{memo.Bytes(data)}})
		v.ends(t, "a vector of")
	})
}

// TestVecTreeIsBounded: what a partner's tree makes us keep is bounded, whatever the
// walk through it asks for.
func TestVecTreeIsBounded(t *testing.T) {
	v := newVictim(t)
	_, own := crowd(v.me.head, 4, 4*treeFrom)
	v.shelf.putAll(own)
	theirs := newShelf(v.space)
	theirs.putAll(own[1:]) // nearly the same: the walk goes on
	root, err := theirs.VecRoot(v.space)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := theirs.HadTree(v.space)
	if err != nil {
		t.Fatal(err)
	}
	id := v.opened("opened")
	h := v.hello()
	h.VecRoot = root
	v.frame(id, h)
	give := func(id memo.ID) *vecNodes {
		data, err := tree.Block(id)
		if err != nil {
			t.Fatal(err)
		}
		return &vecNodes{Type: typeVecNodes, Nodes: []memo.Bytes{memo.Bytes(data)}}
	}
	v.frame(id, give(root))
	w := v.core.sessions[id].walked
	if len(w.asked) == 0 {
		t.Fatal("nothing is asked for")
	}
	w.bytes = treeBytes
	v.frame(id, give(w.asked[0]))
	v.ends(t, "of a vector's tree")
}

// TestMembersAreBounded: of very many who prove to be members maxMembers are
// remembered; the others are served all the same.
func TestMembersAreBounded(t *testing.T) {
	v := newVictim(t)
	for i := range uint64(maxMembers + 10) {
		var p Peer
		binary.BigEndian.PutUint64(p[:], i)
		v.core.Know(v.now, v.space, p)
	}
	if n := len(v.core.spaces[v.space].members); n != maxMembers {
		t.Errorf("%d members are remembered, want %d", n, maxMembers)
	}
	v.frame(1, v.hello())
	if _, ok := v.said[1][0].(*hello); !ok || len(v.closes) > 0 {
		t.Errorf("one more is not served: %v, closes %v", v.said[1], v.closes)
	}
}

// TestRangesAreBounded: whatever a partner says of forks, how long the comparison takes,
// what is answered and what is remembered to be asked for have an end.
func TestRangesAreBounded(t *testing.T) {
	differs := func(more bool) *ranges {
		return &ranges{Type: typeRanges, Author: testAuthor, More: more, Ranges: []runRange{{To: beyondAll, Kind: rangePrint, Print: print{Count: 3}}}}
	}
	t.Run("turns", func(t *testing.T) {
		v := comparing(t)
		for range maxTurns {
			v.frame(1, differs(false))
		}
		v.ends(t, "turns of RANGES")
	})
	t.Run("frames", func(t *testing.T) {
		v := comparing(t)
		for range maxRangeFrames {
			v.frame(1, differs(true))
		}
		v.ends(t, "turns of RANGES")
	})
	t.Run("reply", func(t *testing.T) {
		v := comparing(t)
		f := v.core.sessions[1].forks
		var held []BranchRun
		for i := range 5000 {
			held = append(held, BranchRun{Time: memo.Time(i), Seq: 9, ID: memo.ID{byte(i), byte(i >> 8)}})
		}
		f.sets[testAuthor] = newRunSet(f.key, held)
		all := &ranges{Type: typeRanges, Author: testAuthor, More: true, Ranges: []runRange{{To: beyondAll, Kind: rangePrint}}}
		for range 2 * maxReply / (len(held) * rangeHeadSize) {
			v.frame(1, all)
		}
		size := 0
		for _, r := range f.reply {
			for _, part := range r.Ranges {
				size += len(part.Heads)
			}
		}
		if most := maxReply + len(held)*rangeHeadSize; size > most || size < maxReply/2 {
			t.Errorf("a reply of %d bytes, at most %d", size, most)
		}
	})
	t.Run("listed", func(t *testing.T) {
		v := comparing(t)
		const frame = 20
		for i := range maxListed/(frame*rangesChunk) + 2 {
			m := &ranges{Type: typeRanges, Author: testAuthor, More: true}
			for j := range frame {
				var heads []rangeHead
				for k := range rangesChunk {
					heads = append(heads, rangeHead{Seq: 9, ID: memo.ID{byte(i), byte(j), byte(k), byte(k >> 8), 1}})
				}
				m.Ranges = append(m.Ranges, runRange{Kind: rangeMore, Heads: packHeads(heads)})
			}
			v.frame(1, m)
		}
		if n := len(v.core.sessions[1].forks.known); n != maxListed {
			t.Errorf("%d runs are remembered, want %d", n, maxListed)
		}
	})
}

// TestRangesAreChecked: ranges that would be answered more than once do not pass.
func TestRangesAreChecked(t *testing.T) {
	at := func(from, to uint64) runRange {
		return runRange{From: bound{Time: from}, To: bound{Time: to}, Kind: rangePrint, Print: print{Count: 1}}
	}
	for name, c := range map[string]struct {
		ranges []runRange
		fine   bool
	}{
		"side by side":    {[]runRange{at(1, 5), at(5, 9)}, true},
		"overlapping":     {[]runRange{at(1, 5), at(4, 9)}, false},
		"twice":           {[]runRange{at(1, 5), at(1, 5)}, false},
		"nothing between": {[]runRange{at(5, 5)}, false},
		"as many heads":   {[]runRange{{Kind: rangeMore, Heads: packHeads(make([]rangeHead, rangesChunk))}}, true},
		"too many heads":  {[]runRange{{Kind: rangeMore, Heads: packHeads(make([]rangeHead, rangesChunk+1))}}, false},
	} {
		err := Prepare(&Frame{Session: 1, Data: encode(&ranges{Type: typeRanges, Ranges: c.ranges})})
		if (err == nil) != c.fine {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPartedAreBounded: a partner says, or makes it look, that very many authors forked.
func TestPartedAreBounded(t *testing.T) {
	t.Run("said", func(t *testing.T) {
		v := newVictim(t)
		id := v.session("greeted")
		for i := range byte(maxParted + 1) {
			v.frame(id, &parted{Type: typeParted, Author: Peer{i + 1}, After: 1})
		}
		v.ends(t, "unexpected PARTED")
	})
	t.Run("shown", func(t *testing.T) {
		v := newVictim(t)
		_, runs := crowd(v.me.head, 6, 3*maxParted)
		v.shelf.putAll(runs)
		m := &vec{Type: typeVec}
		for mark := range v.shelf.vec.All() {
			m.Heads = append(m.Heads, vecHead{Author: mark.Author, Seq: mark.Seq, ID: memo.ID{7}})
		}
		v.frame(v.session("greeted"), m)
		if n := len(v.core.spaces[v.space].suspects); n != maxParted || len(v.closes) > 0 {
			t.Errorf("%d suspects, want %d; closes %v", n, maxParted, v.closes)
		}
	})
}

// TestVoicesAreBounded: whoever writes or is waited for under very many names.
func TestVoicesAreBounded(t *testing.T) {
	var h hearing
	var heads []memo.Head
	for i := range uint64(2 * maxVoices) {
		var a memo.Author
		binary.BigEndian.PutUint64(a[:], i)
		h.offer(a, 1)
		heads = append(heads, memo.Head{Author: a, Seq: 1})
	}
	h.wait(epoch, heads)
	if len(h.voices) != maxVoices || len(h.wanted) != maxVoices {
		t.Errorf("%d rates are known and %d authors waited for, want %d", len(h.voices), len(h.wanted), maxVoices)
	}
}
