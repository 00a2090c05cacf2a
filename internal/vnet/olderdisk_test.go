package vnet_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"lightcone/internal/vnet"
)

// image copies the directory of a host that runs: what a snapshot of its disk has.
func (w *swarm) image(host int) string {
	w.Helper()
	image := w.TempDir()
	if err := os.CopyFS(image, os.DirFS(w.hosts[host].Dir())); err != nil {
		w.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(image, "key"), 0o600); err != nil {
		w.Fatal(err)
	}
	return image
}

// goBack ends a host and has its disk go back to an image.
func (w *swarm) goBack(host int, image string) {
	w.Helper()
	dir := w.hosts[host].Dir()
	w.stop(host)
	if err := os.RemoveAll(dir); err != nil {
		w.Fatal(err)
	}
	if err := os.Rename(image, dir); err != nil {
		w.Fatal(err)
	}
}

// unforked fails if anybody finds that an author wrote two memos for one place.
func (w *swarm) unforked() {
	w.Helper()
	for _, i := range w.all() {
		st, err := w.hosts[i].Status(w.Context())
		if err != nil {
			w.Fatal(err)
		}
		for _, f := range st.Spaces[0].Forks {
			w.Errorf("host %d says that %s forked its chain, at %d", i, f.Author, f.Seq)
		}
	}
}

// regained is how many own memos a host got back from others.
func (w *swarm) regained(host int) uint64 {
	w.Helper()
	st, err := w.hosts[host].Status(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	return st.Spaces[0].Regained
}

// older begins with a swarm in which the disk of one host is as it was before that host
// wrote its last memos, of which it returns the number.
func (w *swarm) older(host int) (lost uint64) {
	w.Helper()
	w.write("kept", w.all(), time.Second)
	w.settle(10 * time.Second)
	image, kept := w.image(host), w.own(host)
	w.write("lost", w.all(), 2*time.Second)
	w.settle(10 * time.Second)
	lost = w.own(host) - kept
	w.goBack(host, image)
	return lost
}

// own is how many memos a host wrote, pings among them.
func (w *swarm) own(host int) uint64 {
	mark, _ := w.hosts[host].Space.Vector().Get(w.hosts[host].ID())
	return mark.Seq
}

// A disk goes back to what it was before its last writes left, as that of a virtual
// machine does. The replica is told of them by those who have them, and goes on behind.
func TestOlderDisk(t *testing.T) {
	for name, meets := range map[string]bool{"writes at once": false, "writes when it has met the others": true} {
		t.Run(name, func(t *testing.T) {
			const hosts, host = 3, 1
			inVirtualTime(t, hosts, home, func(w *swarm) {
				lost := w.older(host)
				w.open(host, vnet.Options{})
				for meets && len(w.hosts[host].Server.Peers()) < hosts-1 {
					time.Sleep(time.Millisecond)
				}
				w.put(host, "new", "row")
				w.settle(30 * time.Second)
				w.unforked()
				if n := w.regained(host); n != lost {
					t.Errorf("%d own memos came back, want %d", n, lost)
				}
			})
		})
	}
}

// An image has the first memos of a run without their seal, which was put on all of them
// later. The replica seals what it has; the others' run, of the same memos and more, is no
// other branch.
func TestOlderDiskWithinARun(t *testing.T) {
	const hosts, host = 3, 1
	inVirtualTime(t, hosts, home, func(w *swarm) {
		w.write("kept", w.all(), time.Second)
		w.settle(10 * time.Second)
		w.put(host, "first", "row")
		image := w.image(host)
		w.put(host, "second", "row")
		w.put(host, "third", "row")
		w.settle(10 * time.Second)
		w.goBack(host, image)
		w.open(host, vnet.Options{})
		w.put(host, "new", "row")
		w.settle(30 * time.Second)
		w.unforked()
	})
}

// Who was lost to the others for longer than a start waits, and wrote nothing meanwhile,
// goes on behind what they have, too. It did not even ping, of which there was time enough.
func TestOlderDiskAlone(t *testing.T) {
	const hosts, host = 3, 1
	inVirtualTime(t, hosts, home, func(w *swarm) {
		w.older(host)
		w.net.Cut(func(from, to int) bool { return from == host || to == host })
		w.open(host, vnet.Options{})
		time.Sleep(3 * time.Minute)
		w.net.Cut(nil)
		w.settle(2 * time.Minute)
		w.put(host, "new", "row")
		w.settle(30 * time.Second)
		w.unforked()
	})
}

// Behind a crash a write waits for peers, for so long and no longer; reads do not.
func TestWaitForOwnHead(t *testing.T) {
	const host, wait, soon = 1, 2 * time.Second, 200 * time.Millisecond
	for _, c := range []struct {
		name           string
		alone, crashed bool
		want           time.Duration
	}{
		{"crashed, and nobody answers", true, true, wait},
		{"crashed", false, true, soon},
		{"closed", true, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			inVirtualTime(t, 2, home, func(w *swarm) {
				w.write("before", w.all(), time.Second)
				w.settle(10 * time.Second)
				if image := w.image(host); c.crashed {
					w.goBack(host, image)
				} else {
					w.stop(host)
				}
				if c.alone {
					w.stop(1 - host)
				}
				began := time.Now()
				w.open(host, vnet.Options{})
				if rows := rowsOf(t, w.hosts[host]); len(rows) != len(w.rows) || time.Since(began) > 0 {
					t.Errorf("%d rows are read after %v, want %d at once", len(rows), time.Since(began), len(w.rows))
				}
				w.put(host, "new", "row")
				if took := time.Since(began); took < c.want-soon || took > c.want+soon {
					t.Errorf("a write took %v, want about %v", took, c.want)
				}
				w.unforked()
			})
		})
	}
}

// Where nobody shares a space there is nobody to ask, nor without a network.
func TestNobodyToAsk(t *testing.T) {
	inVirtualTime(t, 1, home, func(w *swarm) {
		w.put(0, "before", "row")
		w.goBack(0, w.image(0))
		began := time.Now()
		w.open(0, vnet.Options{})
		w.put(0, "new", "row")
		if took := time.Since(began); took > 0 {
			t.Errorf("a write took %v", took)
		}
	})
}
