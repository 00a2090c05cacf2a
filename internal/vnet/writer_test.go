package vnet_test

import (
	"context"
	"flag"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lightcone/internal/vnet"
	"lightcone/node"
	"lightcone/p2p/gossip"
)

// The size of TestOneWriter. That of docs/benchmarks.md is
//
//	go test ./internal/vnet -run TestOneWriter -v -timeout 30m -hosts 100 -seconds 20
var (
	writerHosts   = flag.Int("hosts", 10, "hosts of TestOneWriter")
	writerSeconds = flag.Int("seconds", 3, "virtual seconds for which TestOneWriter writes, 100 rows each")
	writerLatency = flag.Duration("latency", 25*time.Millisecond, "one-way latency of TestOneWriter; the jitter is a fifth of it")
	writerLoss    = flag.Float64("loss", 0, "share of the packets that TestOneWriter loses")
	writerApart   = flag.Duration("apart", 0, "for how long the network of TestOneWriter was in two halves before")
)

// writeEvery is the pause between two writes.
const writeEvery = 10 * time.Millisecond

// TestOneWriter writes 100 rows a second at one host and looks at when each of the
// others shows them to those who watch.
func TestOneWriter(t *testing.T) {
	writes := *writerSeconds * int(time.Second/writeEvery)
	link := vnet.Link{Latency: *writerLatency, Jitter: *writerLatency / 5, Loss: *writerLoss}
	began, before := time.Now(), (&swarm{T: t}).measure()
	inVirtualTime(t, *writerHosts, link, func(w *swarm) {
		time.Sleep(5 * time.Second) // meshes form
		if *writerApart > 0 {
			w.net.Cut(halves(*writerHosts / 2))
			time.Sleep(*writerApart)
			w.net.Cut(nil)
			time.Sleep(20 * time.Second) // connections are made again
		}
		from := w.measure()
		w.Logf("%d hosts connected: %v of CPU, heap %d MB", *writerHosts, from.cpu-before.cpu, from.heap>>20)
		seen := make([][]time.Duration, len(w.hosts)) // by host and write
		var watching sync.WaitGroup
		start := time.Now()
		for i := range w.hosts {
			watching.Go(func() { seen[i] = w.watch(i, writes, start) })
		}
		wrote := make([]time.Duration, writes)
		for n := range writes {
			wrote[n] = time.Since(start)
			w.put(0, fmt.Sprint(n), "Otto")
			time.Sleep(time.Until(start.Add(time.Duration(n+1) * writeEvery)))
		}
		watching.Wait()
		to := w.measure()
		w.settle(5 * time.Second)
		w.report(wrote, seen[1:], from, to)
	})
	t.Logf("in all %v of real time", time.Since(began).Round(time.Second))
}

// watch returns when the rows were seen at a host, counted from start.
func (w *swarm) watch(host, rows int, start time.Time) []time.Duration {
	seen := make([]time.Duration, rows)
	ctx, cancel := context.WithTimeout(w.Context(), time.Duration(rows)*writeEvery+time.Minute)
	defer cancel()
	left := rows
	for c, err := range w.hosts[host].Space.Watch(ctx, node.Query{Topic: animals}, node.Cursor{}) {
		var n int
		if err == nil {
			_, err = fmt.Sscan(c.Key, &n)
		}
		if err != nil {
			w.Errorf("host %d, with %d rows missing: %v", host, left, err)
			break
		}
		if seen[n] == 0 {
			seen[n] = time.Since(start)
			left--
		}
		if left == 0 {
			break
		}
	}
	return seen
}

// measurement is what a swarm has used so far.
type measurement struct {
	traffic gossip.Traffic // of all hosts
	cpu     time.Duration  // of the process
	heap    uint64         // bytes in use
}

func (w *swarm) measure() (m measurement) {
	w.Helper()
	for _, r := range w.hosts {
		t := r.Server.Traffic()
		m.traffic.Received += t.Received
		m.traffic.Dropped += t.Dropped
		m.traffic.Topics.Messages += t.Topics.Messages
		m.traffic.Topics.Copies += t.Topics.Copies
		m.traffic.Topics.Bytes += t.Topics.Bytes
	}
	var usage unix.Rusage
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		w.Fatal(err)
	}
	m.cpu = time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	m.heap = mem.HeapInuse
	return m
}

// report logs the figures, and fails when rows were late.
func (w *swarm) report(wrote []time.Duration, seen [][]time.Duration, from, to measurement) {
	w.Helper()
	var all []time.Duration
	for _, host := range seen {
		for n, at := range host {
			all = append(all, at-wrote[n])
		}
	}
	slices.Sort(all)
	at := func(share float64) time.Duration { return all[int(share*float64(len(all)-1))].Round(time.Millisecond) }
	w.Logf("visible after p50 %v, p90 %v, p99 %v, p99.9 %v, max %v", at(0.5), at(0.9), at(0.99), at(0.999), at(1))
	a, b := from.traffic.Topics, to.traffic.Topics
	copies, cpu := b.Copies-a.Copies, to.cpu-from.cpu
	w.Logf("%d messages in %d copies: %.2f copies of a message, %d B a write and host on topics, %d B in all; %d dropped",
		b.Messages-a.Messages, copies, float64(copies)/float64(b.Messages-a.Messages),
		(b.Bytes-a.Bytes)/int64(len(all)), (to.traffic.Received-from.traffic.Received)/int64(len(all)), to.traffic.Dropped)
	w.Logf("%v of CPU: %v a copy; heap %d MB", cpu, cpu/time.Duration(copies), to.heap>>20)
	if p99 := at(0.99); p99 >= time.Second {
		w.Errorf("99 %% are visible after %v; want less than a second", p99)
	}
}
