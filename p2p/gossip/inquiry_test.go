package gossip

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"lightcone/memo"
)

func wantRunOf(author memo.Author, seq uint64) *wantRun {
	return &wantRun{Type: typeWantRun, Head: vecHead{Author: author, Seq: seq}}
}

// word is what an author signs of a root of the victim's space.
func (v *victim) word(a *author) *word {
	return &word{Type: typeWord, Data: memo.Bytes(a.announcement().sign(v.space, a.sign))}
}

// inquire is a command of scripts: r asks a peer for a memo, a#2, of the branch that
// somebody has it on.
func (w *world) inquire(t *testing.T, d *datadriven.TestData, r *replica) {
	var from, name, branch string
	d.ScanArgs(t, "from", &from)
	d.ScanArgs(t, "memo", &name)
	d.MaybeScanArgs(t, "branch", &branch)
	author, seq, _ := strings.Cut(name, "#")
	n, err := strconv.ParseUint(seq, 10, 64)
	if err != nil {
		d.Fatalf(t, "%v", err)
	}
	in := Inquire{Space: w.space, Peer: w.replicas[from[0]-'a'].id}
	in.Head = memo.Head{Author: w.replicas[author[0]-'a'].id, Seq: n}
	if branch != "" {
		in.Head.ID, _, err = w.replicas[branch[0]-'a'].shelf.ID(w.space, in.Head.Author, n)
		if err != nil {
			d.Fatalf(t, "%v", err)
		}
	}
	r.step(in)
}

func (w *world) traceInquired(r *replica, q Inquired) {
	text := "nothing"
	if q.Run != nil {
		id := q.Run.Memos[q.Head.Seq-q.Run.FirstSeq()].ID()
		text = fmt.Sprintf("%s:%x", w.span(q.Run), id[:2])
	}
	if q.Err != nil {
		text = q.Err.Error()
	}
	w.trace("%v asked %s for %s#%d: %s", r, w.name(q.Peer), w.name(q.Head.Author), q.Head.Seq, text)
}

// A peer that answers with what was not asked for is blamed, one that is silent is not;
// the inquiry ends either way.
func TestHostileAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(v *victim) message
		want   string // of the close; empty: none
	}{
		"nothing":  {func(*victim) message { return &runs{Type: typeRuns} }, ""},
		"two runs": {func(v *victim) message { return runsOf(v.write(v.evil, 1), v.write(v.evil, 1)) }, "unexpected RUNS"},
		"another's run": {func(v *victim) message {
			return runsOf(v.other.write(v.space, time.Second, []memo.Head{v.me.head}, 4, 10))
		}, "asked for was memo"},
		"a run before it": {func(v *victim) message { return runsOf(v.write(v.evil, 1)) }, "asked for was memo"},
		"the run": {func(v *victim) message {
			return runsOf(v.evil.write(v.space, time.Second, []memo.Head{v.me.head}, 4, 10))
		}, ""},
		"a session's end":   {func(*victim) message { return &done{Type: typeDone} }, "unexpected DONE"},
		"blocks":            {func(*victim) message { return &blocks{Type: typeBlocks, Blocks: []*memo.Bytes{nil}} }, "unexpected BLOCKS"},
		"a word":            {func(v *victim) message { return v.word(v.evil) }, "unexpected WORD"},
		"a second greeting": {func(v *victim) message { return v.fetchFrame() }, "unexpected FETCH"},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVictim(t)
			v.core.Know(v.now, v.space, v.evil.id)
			v.step(PeerUp{v.evil.id})
			v.step(Inquire{Space: v.space, Peer: v.evil.id, Head: memo.Head{Author: v.evil.id, Seq: 3}})
			var id SessionID
			for sid, s := range v.core.sessions {
				if s.supply != nil {
					id = sid
				}
			}
			if err := v.frame(id, v.fetchFrame()); err != nil {
				t.Fatal(err)
			}
			if err := v.frame(id, c.answer(v)); err != nil {
				t.Fatalf("did not pass Prepare: %v", err)
			}
			last := v.closes[len(v.closes)-1]
			if blamed := last.Err != nil; blamed != (c.want != "") || blamed && (!last.Blame || !strings.Contains(last.Err.Error(), c.want)) {
				t.Errorf("closes %v", v.closes)
			}
			if len(v.core.inquiries) > 0 || v.core.sessions[id] != nil {
				t.Error("the inquiry goes on")
			}
		})
	}
}
