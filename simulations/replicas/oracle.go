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
	writes []*promise
	known  map[string]fact // what replicas told before they deleted the memos
}

// remember takes what a replica tells, before it deletes the memos.
func (o *oracle) remember(p *replica) error {
	facts, err := p.facts()
	if o.known == nil {
		o.known = map[string]fact{}
	}
	maps.Copy(o.known, facts)
	return err
}

// promise is a write that was acknowledged.
type promise struct {
	id      memo.ID
	seq     uint64 // in the chain of at
	at      *replica
	starts  int
	when    time.Duration
	what    string
	excused bool // it was acknowledged before it was synced, and the power went
}

func (o *oracle) acked(out outcome) {
	o.writes = append(o.writes, &promise{id: out.receipt.ID, seq: placeOf(out.at.id, out.receipt).Seq, at: out.at, starts: out.starts, when: out.at.w.now(), what: out.what})
}

// relaxedFor is within what time a replica that acknowledges early syncs all the same.
const relaxedFor = 10 * time.Millisecond

// powerCut excuses what a replica acknowledged without having synced it.
func (o *oracle) powerCut(p *replica) {
	for _, x := range o.writes {
		if p.relaxed && x.at == p && x.starts == p.starts && (p.disk.failed || x.when+relaxedFor+p.disk.slow >= p.w.now()) {
			x.excused = true
		}
	}
}

// fact is what the change feed of a replica tells of a memo and a row.
type fact struct {
	node.Change
	key string
}

// facts reads the change feed of a replica from its beginning.
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
			return nil, err
		}
		if c.VouchedBy != (node.PeerID{}) {
			continue // a state, in place of memos
		}
		f := fact{c, c.Topic + "/" + c.Key}
		id := fmt.Sprintf("%x %s", c.ID, f.key)
		if _, twice := out[id]; twice {
			return nil, fmt.Errorf("the change feed tells twice of memo %s and row %s", c.ID, f.key)
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

// verdict is the last judgement: all replicas are up, connected and equal by now.
func (w *World) verdict() error {
	sound := w.sound()
	first := sound[0]
	for i, p := range sound { // at one moment, as time passes below
		stand, err := p.stand()
		if err == nil && i > 0 && stand != first.stood {
			err = fmt.Errorf("state %s, replica 0 has %s", stand, first.stood)
		}
		if err != nil {
			return fmt.Errorf("replica %d: %w", p.index, err)
		}
		p.stood = stand
	}
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
	ids := map[memo.ID]bool{}
	for _, f := range told {
		ids[f.ID] = true
		if f.Topic == forgedTopic {
			return fmt.Errorf("a forged memo of %s attached: %s", f.Author, f.ID)
		}
	}
	for _, x := range w.oracle.writes {
		if !ids[x.id] && !x.excused && slices.Contains(sound, x.at) {
			return fmt.Errorf("a %s that replica %d acknowledged at %v is lost: %s", x.what, x.at.index, x.when, x.id)
		}
	}
	for _, p := range sound {
		if err := p.agrees(told, model); err != nil {
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

// agrees holds a replica against what all of them tell, and against the model.
func (p *replica) agrees(told map[string]fact, model map[string]string) error {
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
