package vnet_test

import (
	"context"
	"flag"
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

// inVirtualTime runs f in a bubble, on k replicas that share a space. The last one
// may have options of its own.
func inVirtualTime(t *testing.T, k int, link vnet.Link, f func(w *swarm), last ...vnet.Options) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &swarm{T: t, net: vnet.New(link, 7), dir: t.TempDir(), hosts: make([]*vnet.Replica, k), rows: map[string]string{}}
		defer w.close()
		for i := range w.hosts {
			var o vnet.Options
			if i == k-1 && len(last) > 0 {
				o = last[0]
			}
			w.open(i, o)
		}
		w.share()
		f(w)
	})
}

func (w *swarm) open(host int, o vnet.Options) {
	w.Helper()
	w.openAt(host, host, o)
}

// openAt opens the replica of a host where another one of the network would be.
func (w *swarm) openAt(at, host int, o vnet.Options) {
	w.Helper()
	o.Node.Durability, o.Node.SegmentSize = node.None, 1<<20
	r, err := w.net.Open(at, filepath.Join(w.dir, fmt.Sprint(host)), o)
	if err != nil {
		w.Fatal(err)
	}
	w.hosts[host] = r
}

func (w *swarm) close() {
	for i := range w.hosts {
		w.stop(i)
	}
	w.net.Close()
}

// stop ends a replica; its directory stays.
func (w *swarm) stop(host int) {
	w.Helper()
	r := w.hosts[host]
	if w.hosts[host] = nil; r == nil {
		return
	}
	if err := r.Close(); err != nil {
		w.Error(err)
	}
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

// write has the hosts write for a while, 5 rows a second each.
func (w *swarm) write(what string, hosts []int, d time.Duration) {
	w.Helper()
	const every = 200 * time.Millisecond
	for n := range int(d / every) {
		for _, i := range hosts {
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

// all is the hosts that run.
func (w *swarm) all() (hosts []int) {
	for i, r := range w.hosts {
		if r != nil {
			hosts = append(hosts, i)
		}
	}
	return hosts
}

// level reports whether those hosts hold equally many memos, and at least so many.
func (w *swarm) level(memos int, hosts []int) bool {
	first := w.hosts[hosts[0]].Spaces()[0].Memos
	for _, i := range hosts {
		if w.hosts[i].Spaces()[0].Memos != first {
			return false
		}
	}
	return first >= uint64(memos)
}

// settle waits until all replicas hold the same, and fails unless that happens within
// so much virtual time and they all have what was written, and one root.
func (w *swarm) settle(within time.Duration) {
	w.Helper()
	w.settleAt(w.all(), w.rows, within)
}

// settleAt is settle for some of the hosts, and some of the rows.
func (w *swarm) settleAt(hosts []int, rows map[string]string, within time.Duration) {
	w.Helper()
	began := time.Now()
	for {
		unlike := "not equally many memos"
		if w.level(len(rows)+1, hosts) { // the genesis is one more
			unlike = w.unlike(hosts, rows)
		}
		if unlike == "" {
			break
		}
		if time.Since(began) > within {
			w.dump()
			w.Fatalf("not settled within %v: %s", within, unlike)
		}
		time.Sleep(50 * time.Millisecond)
	}
	w.Logf("settled after %v", time.Since(began))
}

// unlike says in what the hosts differ, or what they have in place of the rows.
func (w *swarm) unlike(hosts []int, rows map[string]string) string {
	w.Helper()
	var want [32]byte
	for n, i := range hosts {
		digest, err := w.hosts[i].Space.Digest(w.Context())
		if err != nil {
			w.Fatal(err)
		}
		if n == 0 {
			want = digest
		}
		if digest != want {
			return fmt.Sprintf("host %d has digest %x, host %d has %x", i, digest, hosts[0], want)
		}
		if diff := cmp.Diff(rows, rowsOf(w.T, w.hosts[i])); diff != "" {
			return fmt.Sprintf("host %d has other rows than were written (-want +got):\n%s", i, diff)
		}
	}
	return ""
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
		w.Logf("host %d: %d memos, %d pending, %d delayed, %d peers, %d refused, %d invalid, %+v; %v", i,
			r.Spaces()[0].Memos, st.Pending, st.Delayed, len(st.Peers), st.Refused, st.Invalid, st.Protocol, err)
	}
}

// halves is a partition into the hosts below k and the others.
func halves(k int) func(from, to int) bool {
	return func(from, to int) bool { return (from < k) != (to < k) }
}

// The partitions of TestPartitionHeals. With many hosts it is run by name:
//
//	go test ./internal/vnet -run TestPartitionHeals -v -timeout 30m -partition 100
var partitioned = flag.Int("partition", 0, "hosts of TestPartitionHeals, in place of 3, 5 and 10")

func TestPartitionHeals(t *testing.T) {
	type partition struct {
		hosts int
		apart time.Duration
	}
	cases := []partition{
		{3, 5 * time.Second},
		{3, time.Minute}, // connections break
		{5, 20 * time.Second},
		{10, time.Minute},
	}
	if *partitioned > 0 {
		cases = []partition{{*partitioned, time.Minute}}
	}
	for _, c := range cases {
		t.Run(fmt.Sprintf("%d hosts apart for %v", c.hosts, c.apart), func(t *testing.T) {
			inVirtualTime(t, c.hosts, vnet.Link{Latency: 20 * time.Millisecond, Jitter: 10 * time.Millisecond, Loss: 0.2}, func(w *swarm) {
				w.write("together", w.all(), 2*time.Second)
				w.net.Cut(halves(c.hosts / 2))
				w.write("apart", w.all(), 3*time.Second)
				time.Sleep(c.apart - 3*time.Second)
				if far := fmt.Sprintf("apart-%d-0", c.hosts-1); rowsOf(t, w.hosts[0])[far] != "" {
					t.Errorf("host 0 has row %s: the partition parted nobody", far)
				}
				w.net.Cut(nil)
				w.write("again", w.all(), time.Second)
				w.settle(time.Minute)
			})
		})
	}
}
