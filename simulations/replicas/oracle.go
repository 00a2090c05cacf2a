package replicas

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"lightcone/memo"
	"lightcone/node"
)

// oracle knows what clients were promised.
type oracle struct {
	writes  []*promise
	known   map[string]fact // what replicas told before they deleted the memos
	vague   bool            // or some memos were deleted of which nobody told
	suspect map[string]fact // what was told by one whose log rots
	orphan  orphan
}

// orphan is an author whose disk was lost, and how far others had his memos then.
type orphan struct {
	author memo.Author
	known  map[*replica]uint64
}

// place is that of a memo in a chain.
type place struct {
	author memo.Author
	seq    uint64
}

// forgive excuses what was lost with a disk: what nobody had who counts in the end.
func (o *oracle) forgive(sound []*replica) {
	known := uint64(0)
	for _, p := range sound {
		known = max(known, o.orphan.known[p])
	}
	for _, x := range o.writes {
		x.excused = x.excused || x.author == o.orphan.author && x.seq > known
	}
	lost := func(_ string, f fact) bool { return f.Author == o.orphan.author && f.Seq > known }
	maps.DeleteFunc(o.known, lost)
	maps.DeleteFunc(o.suspect, lost)
}

// promise is a write that was acknowledged.
type promise struct {
	id      memo.ID
	author  memo.Author
	seq     uint64
	at      *replica
	starts  int
	when    time.Duration
	what    string
	fragile bool // it was acknowledged before it was synced, and the process is dead
	excused bool // and the power went
}

func (o *oracle) acked(out outcome) {
	o.writes = append(o.writes, &promise{id: out.receipt.ID, author: out.at.id, seq: placeOf(out.at.id, out.receipt).Seq, at: out.at, starts: out.starts, when: out.at.w.now(), what: out.what})
}

// relaxedFor is within what time a replica that acknowledges early syncs all the same.
const relaxedFor = 10 * time.Millisecond

// ended notes what a replica whose process ends acknowledged without having synced it:
// a power cut may take it, until it was started anew.
func (o *oracle) ended(p *replica) {
	for _, x := range o.writes {
		if p.relaxed && x.at == p && x.starts == p.starts && (p.disk.failed || x.when+relaxedFor+p.disk.slow >= p.w.now()) {
			x.fragile = true
		}
	}
}

// started: what is there now was read, written again and synced.
func (o *oracle) started(p *replica) {
	for _, x := range o.writes {
		x.fragile = x.fragile && x.at != p
	}
}

// powerCut excuses what it may have taken.
func (o *oracle) powerCut(p *replica) {
	for _, x := range o.writes {
		x.excused = x.excused || x.at == p && x.fragile
	}
}

// fact is what the change feed of a replica tells of a memo and a row.
type fact struct {
	node.Change
	key string
}

// facts reads the change feed of a replica from its beginning, as far as it goes.
func (p *replica) facts() (map[string]fact, error) {
	ctx, cancel := soon()
	defer cancel()
	feed, err := p.space.Session().Follow(ctx, node.Query{}, node.Cursor{})
	if err != nil {
		return nil, err
	}
	defer feed.Close()
	out := map[string]fact{}
	for {
		wait, stop := context.WithTimeout(ctx, time.Nanosecond) // time passes only at the end
		c, err := feed.Next(wait)
		stop()
		if errors.Is(err, context.DeadlineExceeded) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		if c.VouchedBy != (node.PeerID{}) {
			continue // a state, in place of memos
		}
		f := fact{c, c.Topic + "/" + c.Key}
		id := fmt.Sprintf("%x %s", c.ID, f.key)
		if _, twice := out[id]; twice {
			return out, fmt.Errorf("the change feed tells twice of memo %s and row %s", c.ID, f.key)
		}
		out[id] = f
	}
}

// fold is the naive model: what rows show, from all facts in whatever order. It shares
// no code with package merge.
func fold(facts map[string]fact) map[string]string {
	byRow := map[string][]fact{}
	for _, f := range facts {
		byRow[f.key] = append(byRow[f.key], f)
	}
	rows := map[string]string{}
	for key, fs := range byRow {
		slices.SortFunc(fs, func(a, b fact) int {
			return cmp.Or(cmp.Compare(a.Time, b.Time), bytes.Compare(a.Author[:], b.Author[:]), bytes.Compare(a.ID[:], b.ID[:]))
		})
		shows, counted := map[string]string{}, 0
		for _, f := range fs {
			if f.Tombstone {
				clear(shows)
			}
			for name, v := range f.Fields {
				shows[name] = v.String()
			}
			for _, name := range f.Deleted {
				delete(shows, name)
			}
			if len(f.Changed) > 0 { // each adds one
				counted++
				shows[f.Changed[0]] = memo.Int(int64(counted)).String()
			}
		}
		if len(shows) > 0 {
			rows[key] = fmt.Sprint(shows)
		}
	}
	return rows
}

// answers is what a replica shows, in the same words.
func (p *replica) answers() (map[string]string, error) {
	ctx, cancel := soon()
	defer cancel()
	rows := map[string]string{}
	for row, err := range p.space.Scan(ctx, node.Query{}) {
		if err != nil {
			return nil, err
		}
		shows := map[string]string{}
		for name, v := range row.Fields {
			shows[name] = v.String()
		}
		rows[row.Topic+"/"+row.Key] = fmt.Sprint(shows)
	}
	return rows, nil
}

// stands holds the states and roots of all against each other. Memos without a seal, a
// ping as a rule, may have got one meanwhile: then it has to be tried again.
func (w *World) stands() (again bool, err error) {
	first := ""
	for i, p := range w.sound() {
		stand, err := p.stand()
		switch {
		case err != nil:
			return false, fmt.Errorf("replica %d: %w", p.index, err)
		case i == 0:
			first = stand
		case stand != first && !w.equal():
			return true, nil
		case stand != first:
			return false, fmt.Errorf("replica %d: state %s, the first has %s", p.index, stand, first)
		}
	}
	return false, nil
}

// verdict is the last judgement: all replicas are up, connected and equal by now.
func (w *World) verdict() error {
	sound := w.sound()
	w.oracle.forgive(sound)
	told := maps.Clone(w.oracle.known)
	if told == nil {
		told = map[string]fact{}
	}
	for _, p := range sound {
		facts, err := p.facts()
		if err != nil {
			return fmt.Errorf("replica %d: %w", p.index, err)
		}
		maps.Copy(told, facts)
	}
	model := fold(told)
	ids, at := map[memo.ID]bool{}, map[place]memo.ID{}
	for _, f := range told {
		ids[f.ID], at[place{f.Author, f.Seq}] = true, f.ID
		if f.Topic == forgedTopic {
			return fmt.Errorf("a forged memo of %s attached: %s", f.Author, f.ID)
		}
	}
	for _, f := range w.oracle.suspect {
		if id, ok := at[place{f.Author, f.Seq}]; ok && id != f.ID {
			return fmt.Errorf("a replica whose log rots told of memo %d of %s as %s, which nobody wrote", f.Seq, f.Author, f.ID)
		}
	}
	bodies := !w.oracle.vague && (w.kind != adoptSpace || w.oracle.orphan.known == nil) // all of them are known
	for _, x := range w.oracle.writes {
		there := ids[x.id] || !bodies && sound[0].space.Vector().Covers(x.author, x.seq)
		if !there && !x.excused && slices.Contains(sound, x.at) {
			return fmt.Errorf("a %s that replica %d acknowledged at %v is lost: %s", x.what, x.at.index, x.when, x.id)
		}
	}
	for _, p := range sound {
		err := p.agrees(told)
		if err == nil && bodies {
			err = p.shows(model)
		}
		if err != nil {
			return fmt.Errorf("replica %d: %w", p.index, err)
		}
	}
	return nil
}

// stand is the digest of a replica's state, and its newest root.
func (p *replica) stand() (string, error) {
	ctx, cancel := soon()
	defer cancel()
	digest, err := p.space.Digest(ctx)
	if err != nil {
		return "", err
	}
	token, err := p.space.Session().ExactToken(ctx)
	if err != nil {
		return "", err
	}
	status, err := p.node.Status(ctx)
	if err != nil {
		return "", err
	}
	p.w.result.Adopted += int(status.Adopted)
	for _, s := range status.Spaces {
		if len(s.Forks) > 0 {
			return "", fmt.Errorf("author %s wrote two memos in one place", s.Forks[0].Author)
		}
	}
	return fmt.Sprintf("%x, root %s", digest, token.Root), nil
}

// agrees holds the change feed of a replica against what all of them tell.
func (p *replica) agrees(told map[string]fact) error {
	facts, err := p.facts()
	if err != nil {
		return err
	}
	for id := range told {
		if _, ok := facts[id]; !ok && p.w.kind != adoptSpace {
			return fmt.Errorf("its change feed lacks %s of %d changes", id, len(told))
		}
	}
	if len(facts) != len(told) && p.w.kind != adoptSpace {
		return fmt.Errorf("its change feed has %d changes, that of replica 0 %d", len(facts), len(told))
	}
	return nil
}

// shows holds the rows of a replica against the model.
func (p *replica) shows(model map[string]string) error {
	shows, err := p.answers()
	if err != nil {
		return err
	}
	for key, want := range model {
		if shows[key] != want {
			return fmt.Errorf("row %s shows %q, the model %q", key, shows[key], want)
		}
	}
	if len(shows) != len(model) {
		return fmt.Errorf("it shows %d rows, the model %d", len(shows), len(model))
	}
	return nil
}
