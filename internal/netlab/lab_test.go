package netlab

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// patience bounds what must come; a packet that must not come is waited for
// briefly, after one that was sent behind it came.
const patience = time.Minute

// newLab makes a lab that is gone, without a trace, when the test ends.
func newLab(t *testing.T, hosts int) Lab {
	t.Helper()
	if err := Usable(t.Context()); err != nil {
		t.Skip(err)
	}
	lab := Lab{ID: NewID(), Hosts: hosts}
	t.Cleanup(func() {
		if err := lab.Remove(context.Background()); err != nil {
			t.Error(err)
		}
		if left := trace(t, lab); len(left) > 0 {
			t.Errorf("the lab left %q behind", left)
		}
	})
	if err := lab.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	return lab
}

// trace lists what there is of a lab.
func trace(t *testing.T, lab Lab) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(namespaces)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.Contains(e.Name(), lab.ID) {
			names = append(names, e.Name())
		}
	}
	return names
}

// socket opens a UDP socket on a host.
func socket(t *testing.T, lab Lab, host int) *net.UDPConn {
	t.Helper()
	var c *net.UDPConn
	err := lab.Enter(host, func() (err error) {
		c, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(lab.Addr(host)), Port: 7})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// again begins what passes sends; more of it than is waited for may come.
const again = "again "

// passes sends datagrams until one of them comes. ARP takes its time.
func passes(t *testing.T, from, to *net.UDPConn) {
	t.Helper()
	text := again + from.LocalAddr().String()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		send(t, from, to, text)
		switch got, _ := receive(to, make([]byte, 64), 50*time.Millisecond); {
		case got == text:
			return
		case got != "" && !strings.HasPrefix(got, again):
			t.Errorf("%v got %q", to.LocalAddr(), got)
		}
	}
	t.Fatalf("nothing came from %v to %v", from.LocalAddr(), to.LocalAddr())
}

func send(t *testing.T, from, to *net.UDPConn, text string) {
	t.Helper()
	if _, err := from.WriteTo([]byte(text), to.LocalAddr()); err != nil {
		t.Fatal(err)
	}
}

func receive(c *net.UDPConn, buf []byte, wait time.Duration) (string, error) {
	c.SetReadDeadline(time.Now().Add(wait))
	n, err := c.Read(buf)
	return string(buf[:n]), err
}

// next returns what comes next and is not sent by passes.
func next(c *net.UDPConn, wait time.Duration) (string, error) {
	for {
		got, err := receive(c, make([]byte, 64), wait)
		if err != nil || !strings.HasPrefix(got, again) {
			return got, err
		}
	}
}

func apply(t *testing.T, lab Lab, r Rules) {
	t.Helper()
	if err := lab.Apply(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

func TestPartition(t *testing.T) {
	lab := newLab(t, 4)
	var hosts []*net.UDPConn
	for host := 1; host <= 4; host++ {
		hosts = append(hosts, socket(t, lab, host))
	}
	all := func(reach func(from, to int) bool) {
		t.Helper()
		for to := range hosts {
			last := -1
			for from := range hosts {
				if from == to {
					continue
				}
				if reach(from, to) {
					passes(t, hosts[from], hosts[to])
					last = from
				} else {
					send(t, hosts[from], hosts[to], "never")
				}
			}
			if last >= 0 { // behind what must not come
				send(t, hosts[last], hosts[to], "last")
				if got, err := next(hosts[to], patience); got != "last" {
					t.Errorf("host %d got %q, %v", to+1, got, err)
				}
			} else if got, err := next(hosts[to], 100*time.Millisecond); err == nil {
				t.Errorf("host %d got %q", to+1, got)
			}
		}
	}
	all(func(_, _ int) bool { return true })
	apply(t, lab, Rules{Groups: [][]int{{1, 2}, {3, 4}}})
	all(func(from, to int) bool { return from/2 == to/2 })
	apply(t, lab, Rules{Groups: [][]int{{3}}}) // the rest stays together
	all(func(from, to int) bool { return from != 2 && to != 2 })
	apply(t, lab, Rules{})
	all(func(_, _ int) bool { return true })
}

func TestLoss(t *testing.T) {
	lab := newLab(t, 2)
	a, b := socket(t, lab, 1), socket(t, lab, 2)
	passes(t, a, b) // their addresses are known
	apply(t, lab, Rules{Loss: 0.3})
	const sent = 2000
	came := 0
	for range sent {
		send(t, a, b, "x")
		if got, _ := receive(b, make([]byte, 64), time.Millisecond); got == "x" {
			came++
		}
	}
	apply(t, lab, Rules{})
	send(t, a, b, "last") // behind all that came and was not read in time
	for {
		got, err := next(b, patience)
		if err != nil {
			t.Fatal(err)
		}
		if got == "last" {
			break
		}
		came++
	}
	// Ten standard deviations: √(2000 · 0.3 · 0.7) is 20.
	if want := sent * 7 / 10; came < want-200 || came > want+200 {
		t.Errorf("%d of %d datagrams came, want %d or so", came, sent, want)
	}
}

// A stream crosses the network in packets, not in the pieces that it is written in:
// a loss is a loss of one.
func TestPackets(t *testing.T) {
	lab := newLab(t, 2)
	passes(t, socket(t, lab, 1), socket(t, lab, 2))
	var l net.Listener
	err := lab.Enter(2, func() (err error) {
		l, err = net.Listen("tcp4", lab.Addr(2)+":8")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := lab.Dial(1)(t.Context(), "tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	const size = 1 << 20
	sent := make(chan error, 1)
	go func() {
		_, err := c.Write(make([]byte, size))
		sent <- errors.Join(err, c.Close())
	}()
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	if n, err := io.Copy(io.Discard, far); n != size || err != nil || <-sent != nil {
		t.Fatalf("%d bytes came, %v", n, err)
	}
	out, err := run(t.Context(), "", "ip", "-netns", lab.Namespace(0), "-json", "-stats", "link", "show", "dev", port(2))
	if err != nil {
		t.Fatal(err)
	}
	var links []struct {
		Stats struct {
			TX struct{ Bytes, Packets int }
		} `json:"stats64"`
	}
	if err := json.Unmarshal([]byte(out), &links); err != nil || len(links) != 1 {
		t.Fatalf("%v: %s", err, out)
	}
	if tx := links[0].Stats.TX; tx.Packets < size/1500 {
		t.Errorf("%d bytes came in %d packets", tx.Bytes, tx.Packets)
	}
}

// The kernel is asked what it limits: a measured rate would be a timed test.
func TestRate(t *testing.T) {
	lab := newLab(t, 2)
	limits := func() (n int) {
		for host, dev := range map[int]string{0: "p2", 1: "eth0"} {
			out, err := run(t.Context(), "", "tc", "-netns", lab.Namespace(host), "qdisc", "show", "dev", dev)
			if err != nil {
				t.Fatal(err)
			}
			n += strings.Count(out, "tbf") * strings.Count(out, "rate 10Mbit")
		}
		return n
	}
	apply(t, lab, Rules{Rate: 10e6})
	if n := limits(); n != 2 {
		t.Errorf("%d of 2 interfaces are limited", n)
	}
	apply(t, lab, Rules{})
	if n := limits(); n != 0 {
		t.Errorf("%d interfaces are limited still", n)
	}
	passes(t, socket(t, lab, 1), socket(t, lab, 2))
}

// What is half made, or half removed, goes as well; what another made stays.
func TestRemove(t *testing.T) {
	lab, other := newLab(t, 3), newLab(t, 1)
	if _, err := run(t.Context(), "", "ip", "netns", "del", lab.Namespace(2)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := lab.Remove(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if left := trace(t, lab); len(left) > 0 {
		t.Errorf("%q is still there", left)
	}
	if len(trace(t, other)) != 2 {
		t.Error("another lab was removed as well")
	}
	if err := other.Create(t.Context()); err == nil {
		t.Error("a lab was made where there is one")
	}
}

func TestMissingTool(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	defer func(dirs []string) { toolDirs = dirs }(toolDirs)
	toolDirs = nil
	err := Usable(t.Context())
	if !errors.Is(err, ErrTools) || !strings.Contains(err.Error(), "iproute2") {
		t.Errorf("without tools: %v", err)
	}
}
