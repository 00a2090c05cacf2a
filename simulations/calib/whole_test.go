package calib

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"lightcone/internal/vnet"
	"lightcone/memo"
	"lightcone/node"
)

// rowsTopic is what the whole nodes write to.
const rowsTopic = "rows"

// memoBytes is about what a memo of one row takes on a topic beside its value: links, seal
// and the envelope of gossipsub.
const memoBytes = 420

// herd is whole nodes that share a space.
type herd struct {
	*testing.T
	Case
	all []*vnet.Replica
}

// whole runs a case on whole nodes: logs, indexes and rows on disk, signatures, recon,
// beacons, and p2p as production starts it. A copy counts when those who watch the topic
// see the row.
func whole(t *testing.T, c Case) (out Outcome) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		net := vnet.New(vnet.Link{Latency: c.Latency, Tail: c.Tail, Loss: c.Loss}, c.Seed)
		defer net.Close()
		h := &herd{T: t, Case: c}
		defer h.close()
		h.open(net)
		time.Sleep(settle)
		messages, copies := h.copies()
		at := make([]time.Time, c.Messages)
		seen := make([][]time.Time, c.Peers)
		var watching sync.WaitGroup
		for i := range h.all {
			watching.Go(func() { seen[i] = h.watch(i) })
		}
		began := time.Now()
		for m := range c.Messages {
			time.Sleep(time.Until(began.Add(c.at(m))))
			at[m] = time.Now()
			h.write(m)
		}
		watching.Wait()
		toldMessages, toldCopies := h.copies()
		out.Runs = 1
		for i := range seen {
			for m, when := range seen[i] {
				if i != c.writer(m) && !when.IsZero() {
					out.Delivered++
					out.Latency = append(out.Latency, when.Sub(at[m]))
				}
			}
		}
		// Others than the rows are on the topic too, pings: theirs count as well.
		per := float64(toldCopies-copies) / float64(max(1, toldMessages-messages))
		out.Duplicates = int((per - 1) * float64(out.Delivered))
	})
	return out
}

// open starts the nodes, and lets all into the space of the first.
func (h *herd) open(net *vnet.Network) {
	dir := h.TempDir()
	for i := range h.Peers {
		r, err := net.Open(i, filepath.Join(dir, fmt.Sprint(i)), vnet.Options{Node: node.Options{Durability: node.None, SegmentSize: 1 << 20}})
		if err != nil {
			h.Fatal(err)
		}
		h.all = append(h.all, r)
	}
	var err error
	if h.all[0].Space, err = h.all[0].CreateSpace("default", node.Policy{}); err == nil {
		err = h.all[0].Invite(h.Context(), h.all[1:]...)
	}
	if err != nil {
		h.Fatal(err)
	}
}

// write has the writer of a message write it.
func (h *herd) write(m int) {
	text, err := memo.Text(strings.Repeat("x", max(0, h.Size-memoBytes)))
	if err == nil {
		_, err = h.all[h.writer(m)].Space.Put(h.Context(), rowsTopic, fmt.Sprint(m), node.Fields{"v": text})
	}
	if err != nil {
		h.Fatal(err)
	}
}

// watch returns when a node showed each row, until it has shown all or the run is over.
func (h *herd) watch(i int) []time.Time {
	seen := make([]time.Time, h.Messages)
	ctx, cancel := context.WithTimeout(h.Context(), h.at(h.Messages)+drain)
	defer cancel()
	left := h.Messages
	for c, err := range h.all[i].Space.Watch(ctx, node.Query{Topic: rowsTopic}, node.Cursor{}) {
		if err != nil {
			break // the end of the run; what is missing shows in the delivery
		}
		var m int
		if _, err := fmt.Sscan(c.Key, &m); err != nil {
			h.Errorf("a row %q: %v", c.Key, err)
		} else if seen[m].IsZero() {
			seen[m] = time.Now()
			if left--; left == 0 {
				break
			}
		}
	}
	return seen
}

// copies returns how many messages the nodes got on topics, and in how many copies.
func (h *herd) copies() (messages, copies int64) {
	for _, r := range h.all {
		t := r.Server.Traffic().Topics
		messages, copies = messages+int64(t.Messages), copies+int64(t.Copies)
	}
	return messages, copies
}

func (h *herd) close() {
	for i, r := range h.all {
		if err := r.Close(); err != nil {
			h.Errorf("node %d: %v", i, err)
		}
	}
}
