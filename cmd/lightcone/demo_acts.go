package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/node/api"
	"lightcone/projection"
)

const (
	// staleWait is how long C waits in vain for B's edit.
	staleWait = 300 * time.Millisecond
	// crashWriters write at once while B is killed, after crashAcks acknowledged
	// writes.
	crashWriters, crashAcks = 8, 200
	// samples is the number of operations behind each latency.
	samples = 100
)

// split cuts C off and lets B and C edit one row.
func (d *demo) split() error {
	b, c := d.nodes[1], d.nodes[2]
	d.act("C is cut off by its own connection gater; B and C edit row %s/%s", d.set.topic, d.set.row)
	if err := c.Block(d.ctx); err != nil {
		return err
	}
	byB, byC := d.edits()
	r, err := b.put(d.ctx, d.set.topic, d.set.row, byB)
	if err != nil {
		return err
	}
	d.token = r.Token
	d.tell("  B writes %s   context of %d characters", assignedText(byB), len(r.Token))
	if _, err := c.put(d.ctx, d.set.topic, d.set.row, byC); err != nil {
		return err
	}
	d.tell("  C writes %s", assignedText(byC))
	return nil
}

func (n *process) put(ctx context.Context, topic, row string, fields map[string]string) (api.Receipt, error) {
	f := api.Fields{}
	for name, text := range fields {
		v, err := memo.Text(text)
		if err != nil {
			return api.Receipt{}, err
		}
		f[name] = v
	}
	r, err := n.Update(ctx, n.space, api.Update{Edits: []api.Edit{{Topic: topic, Row: api.Name(row), Fields: f}}})
	if err != nil {
		return r, fmt.Errorf("%s: %w", n.name, err)
	}
	return r, nil
}

// refuse gives C the context of B's edit: C must not answer without it.
func (d *demo) refuse() error {
	c := d.nodes[2]
	d.act("C is asked for the row under B's context, which it does not cover")
	_, err := c.Row(d.ctx, c.space, d.set.topic, d.set.row, nil, api.Read{Context: d.token, Wait: staleWait})
	var p *api.Problem
	if err == nil {
		return errors.New("peer C answered with less than the context it was given")
	}
	if !errors.As(err, &p) || p.Behind == nil {
		return err
	}
	d.tell("  C refuses to answer stale (exit status %d on the command line)", exitStale)
	for _, h := range p.Missing {
		d.tell("    missing       memo #%d of %s, digest %s…", h.Seq, d.who(h.Author), h.Digest)
	}
	for _, id := range p.Holders {
		d.tell("    may have it   %s", d.who(id))
	}
	return nil
}

// who names a peer as the story does.
func (d *demo) who(id string) string {
	for _, n := range d.nodes {
		if n.id == id {
			return n.name
		}
	}
	return id
}

// heal lets C back in; the same context now answers, and all three agree.
func (d *demo) heal() error {
	c := d.nodes[2]
	d.act("C is let back in and asked again under the same context")
	start := time.Now()
	if err := c.Unblock(d.ctx); err != nil {
		return err
	}
	row, err := c.Row(d.ctx, c.space, d.set.topic, d.set.row, nil, api.Read{Context: d.token, Wait: coverPatience})
	if err != nil {
		return err
	}
	d.report.HealSeconds = time.Since(start).Seconds()
	d.tell("  answered %s after the cut ended:", millis(time.Since(start)))
	d.tell("    %s", d.fieldsText(row.Fields))
	d.tell("    one memo won the field both wrote, by time; the fields only one wrote are both there")
	equal, err := d.converge()
	if err != nil {
		return err
	}
	d.tell("  digests of %s: %s", d.names(), d.verdict(equal))
	return nil
}

func (d *demo) verdict(equal bool) string {
	if equal {
		return d.paint(green, "equal")
	}
	return d.paint(red, "DIFFERENT")
}

// converge lets every node cover what every other has, then compares digests.
func (d *demo) converge() (bool, error) {
	for _, from := range d.nodes {
		k, err := from.Context(d.ctx, from.space)
		if err != nil {
			return false, err
		}
		for _, n := range d.nodes {
			if err := n.cover(d.ctx, k.Token); err != nil {
				return false, err
			}
		}
	}
	return d.equal()
}

func (d *demo) equal() (bool, error) {
	digests := map[string]bool{}
	for _, n := range d.nodes {
		dig, err := n.Digest(d.ctx, n.space)
		if err != nil {
			return false, err
		}
		digests[dig.Digest] = true
	}
	return len(digests) == 1, nil
}

// crash kills B while it writes, and looks for every acknowledged row afterwards.
func (d *demo) crash() error {
	b := d.nodes[1]
	d.act("B gets SIGKILL while %d writers write to it, and is started again", crashWriters)
	acked := d.writeUntilKilled(b)
	if len(acked) < crashAcks {
		return fmt.Errorf("peer B acknowledged %d writes only", len(acked))
	}
	start := time.Now()
	if err := b.start(d.ctx); err != nil {
		return fmt.Errorf("peer B: %w", err)
	}
	d.tell("  back after %s", millis(time.Since(start)))
	found := map[string]bool{}
	_, err := b.Scan(d.ctx, b.space, api.Query{Topic: "notes"}, api.Read{Mode: "local"}, func(r api.Row) error {
		found[string(r.Key)] = true
		return nil
	})
	if err != nil {
		return err
	}
	missing := slices.DeleteFunc(slices.Clone(acked), func(k string) bool { return found[k] })
	d.report.CrashAcked, d.report.CrashLost = len(acked), len(missing)
	d.tell("  acknowledged before the kill: %d, missing after it: %s", len(acked), d.count(len(missing)))
	_, err = d.converge()
	return err
}

func (d *demo) count(n int) string {
	if n == 0 {
		return d.paint(green, "0")
	}
	return d.paint(red, fmt.Sprint(n))
}

// writeUntilKilled returns the rows that b acknowledged before it was killed.
func (d *demo) writeUntilKilled(b *process) (acked []string) {
	var mu sync.Mutex
	enough := make(chan struct{})
	var wg sync.WaitGroup
	for w := range crashWriters {
		wg.Go(func() {
			for i := 0; ; i++ {
				key := fmt.Sprintf("writer %d, note %d", w, i)
				if _, err := b.put(d.ctx, "notes", key, map[string]string{"text": "acknowledged means on disk"}); err != nil {
					return
				}
				mu.Lock()
				if acked = append(acked, key); len(acked) == crashAcks {
					close(enough)
				}
				mu.Unlock()
			}
		})
	}
	select {
	case <-enough:
	case <-d.ctx.Done():
	}
	b.kill() // its writers now fail and end
	wg.Wait()
	return acked
}

// latencies measures single operations, one after the other.
func (d *demo) latencies() error {
	a, b := d.nodes[0], d.nodes[1]
	for i := range samples {
		key := fmt.Sprintf("probe %d", i)
		start := time.Now()
		r, err := b.put(d.ctx, "probes", key, map[string]string{"n": fmt.Sprint(i)})
		if err != nil {
			return err
		}
		written := time.Since(start)
		if _, err := a.Row(d.ctx, a.space, "probes", key, nil, api.Read{Context: r.Token, Wait: coverPatience}); err != nil {
			return fmt.Errorf("peer A: %w", err)
		}
		visible := time.Since(start)
		start = time.Now()
		if _, err := a.Row(d.ctx, a.space, d.set.topic, d.set.row, nil, api.Read{Mode: "local"}); err != nil {
			return err
		}
		d.report.Write.add(written)
		d.report.Visible.add(visible)
		d.report.Read.add(time.Since(start))
	}
	_, err := d.converge()
	return err
}

// corrupt changes one byte of one row in C's projection, if asked to, behind the
// back of the log. Flipping it in the file would not do: checksums notice that,
// and the node refuses to open.
func (d *demo) corrupt() error {
	if !d.opts.tamper {
		return nil
	}
	c := d.nodes[2]
	d.act("one byte of row %s/%s is changed on C, past its log (--tamper)", d.set.topic, d.set.forged.row)
	id, err := c.spaceID(d.ctx)
	if err != nil {
		return err
	}
	if err := c.stop(); err != nil {
		return err
	}
	if err := forge(filepath.Join(c.dir, "projection.db"), id, d.set); err != nil {
		return fmt.Errorf("tamper with C: %w", err)
	}
	return c.start(d.ctx)
}

// spaceID returns the id of the shared space.
func (n *process) spaceID(ctx context.Context) (memo.SpaceID, error) {
	list, err := n.Spaces(ctx)
	if err != nil {
		return memo.SpaceID{}, err
	}
	for _, s := range list {
		if s.Name == n.space {
			return memo.ParseSpaceID(s.ID)
		}
	}
	return memo.SpaceID{}, fmt.Errorf("%s has no space %s", n.name, n.space)
}

// forge writes a value into a projection that no memo carries.
func forge(path string, space memo.SpaceID, set demoSet) error {
	db, err := projection.Open(path, projection.Options{})
	if err != nil {
		return err
	}
	v, err := memo.Text(set.forged.text)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	edit := &memo.Edit{Topics: []memo.TopicEdit{{Topic: set.topic, Rows: []memo.RowEdit{{
		Row: memo.Bytes(set.forged.row), Deltas: []memo.Delta{{Field: set.forged.field, Op: memo.Op{Set: true, Value: v}}},
	}}}}}
	stamp := merge.Stamp{Time: memo.MaxTime, Author: memo.Author{1}, ID: memo.Sum([]byte(set.forged.text)), Seq: 1}
	forged := projection.Change{Space: space, Stamp: stamp, Edit: edit}
	return errors.Join(db.Apply(db.Applied()+1, []projection.Change{forged}), db.Close())
}
