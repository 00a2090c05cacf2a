package vnet_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"lightcone/internal/vnet"
	"lightcone/memo"
	"lightcone/node"
)

// animals is the topic that tests write to.
const animals = "animals"

// swarm is replicas of one space on one network, and what was written there.
type swarm struct {
	*testing.T
	net   *vnet.Network
	dir   string
	hosts []*vnet.Replica
	rows  map[string]string // row → name
}

// inVirtualTime runs f in a bubble, on k replicas that share a space.
func inVirtualTime(t *testing.T, k int, link vnet.Link, f func(w *swarm)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &swarm{T: t, net: vnet.New(link, 7), dir: t.TempDir(), hosts: make([]*vnet.Replica, k), rows: map[string]string{}}
		defer w.close()
		for i := range w.hosts {
			w.open(i, vnet.Options{})
		}
		w.share()
		f(w)
	})
}

func (w *swarm) open(host int, o vnet.Options) {
	w.Helper()
	o.Node.Durability, o.Node.SegmentSize = node.None, 1<<20
	r, err := w.net.Open(host, filepath.Join(w.dir, fmt.Sprint(host)), o)
	if err != nil {
		w.Fatal(err)
	}
	w.hosts[host] = r
}

func (w *swarm) close() {
	for _, r := range w.hosts {
		if r == nil {
			continue
		}
		if err := r.Close(); err != nil {
			w.Error(err)
		}
	}
	w.net.Close()
}

// share makes a space at the first replica and lets the others join.
func (w *swarm) share() {
	w.Helper()
	var err error
	if w.hosts[0].Space, err = w.hosts[0].CreateSpace("default", node.Policy{}); err != nil {
		w.Fatal(err)
	}
	if err := w.hosts[0].Invite(w.Context(), w.hosts[1:]...); err != nil {
		w.Fatal(err)
	}
}

// write has every replica write for a while, 5 rows a second.
func (w *swarm) write(what string, d time.Duration) {
	w.Helper()
	const every = 200 * time.Millisecond
	for n := range int(d / every) {
		for i := range w.hosts {
			w.put(i, fmt.Sprintf("%s-%d-%d", what, i, n), fmt.Sprint(n))
		}
		time.Sleep(every)
	}
}

func (w *swarm) put(host int, row, name string) {
	w.Helper()
	v, err := memo.Text(name)
	if err != nil {
		w.Fatal(err)
	}
	if _, err := w.hosts[host].Space.Put(w.Context(), animals, row, node.Fields{"name": v}); err != nil {
		w.Fatal(err)
	}
	w.rows[row] = name
}

// level reports whether all replicas hold equally many memos.
func (w *swarm) level() bool {
	for _, r := range w.hosts {
		if r.Spaces()[0].Memos != w.hosts[0].Spaces()[0].Memos {
			return false
		}
	}
	return true
}

// settle waits until all replicas hold the same, and fails unless that happens within
// so much virtual time and they all have what was written, and one root.
func (w *swarm) settle(within time.Duration) {
	w.Helper()
	began := time.Now()
	for w.hosts[0].Spaces()[0].Memos < uint64(len(w.rows)) || !w.level() {
		if time.Since(began) > within {
			w.dump()
			w.Fatalf("not settled within %v", within)
		}
		time.Sleep(50 * time.Millisecond)
	}
	w.Logf("settled after %v", time.Since(began))
	want, err := w.hosts[0].Space.Digest(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	for i, r := range w.hosts {
		digest, err := r.Space.Digest(w.Context())
		if err != nil || digest != want {
			w.Errorf("host %d has digest %x, host 0 has %x; %v", i, digest, want, err)
		}
		if diff := cmp.Diff(w.rows, rowsOf(w.T, r)); diff != "" {
			w.Errorf("host %d has other rows than were written (-want +got):\n%s", i, diff)
		}
	}
}

func rowsOf(t *testing.T, r *vnet.Replica) map[string]string {
	t.Helper()
	rows := map[string]string{}
	for row, err := range r.Space.Scan(context.Background(), node.Query{Topic: animals}) {
		if err != nil {
			t.Fatal(err)
		}
		rows[row.Key] = row.Fields["name"].Text()
	}
	return rows
}

// dump logs what each replica says of itself.
func (w *swarm) dump() {
	for i, r := range w.hosts {
		st, err := r.Status(w.Context())
		w.Logf("host %d: %+v; %v", i, st, err)
	}
}

// halves is a partition into the hosts below k and the others.
func halves(k int) func(from, to int) bool {
	return func(from, to int) bool { return (from < k) != (to < k) }
}

func TestPartitionHeals(t *testing.T) {
	for _, c := range []struct {
		hosts int
		apart time.Duration
	}{
		{3, 5 * time.Second},
		{3, time.Minute}, // connections break
		{5, 20 * time.Second},
		{10, 5 * time.Second},
		{10, time.Minute},
	} {
		t.Run(fmt.Sprintf("%d hosts apart for %v", c.hosts, c.apart), func(t *testing.T) {
			inVirtualTime(t, c.hosts, vnet.Link{Latency: 20 * time.Millisecond, Jitter: 10 * time.Millisecond, Loss: 0.2}, func(w *swarm) {
				w.write("together", 2*time.Second)
				w.net.Cut(halves(c.hosts / 2))
				w.write("apart", 3*time.Second)
				time.Sleep(c.apart - 3*time.Second)
				if far := fmt.Sprintf("apart-%d-0", c.hosts-1); rowsOf(t, w.hosts[0])[far] != "" {
					t.Errorf("host 0 has row %s: the partition parted nobody", far)
				}
				w.net.Cut(nil)
				w.write("again", time.Second)
				w.settle(time.Minute)
			})
		})
	}
}
