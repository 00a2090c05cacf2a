package node

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"lightcone/memo"
	"lightcone/walfs"
)

// TestEachSealsItself: of writes that come at once, each has its own seal and so
// its own sync.
func TestEachSealsItself(t *testing.T) {
	const writes = 40
	dir := t.TempDir()
	n := openNode(t, dir, Options{Durability: Each})
	s, err := n.CreateSpace("default", Policy{})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range writes {
		wg.Go(func() {
			if _, err := s.Put(context.Background(), "t", fmt.Sprint(i), Fields{"": memo.Int(int64(i))}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if seals := countKind(t, filepath.Join(dir, "wal"), walfs.KindOwnSeal); seals != writes+1 {
		t.Fatalf("%d seals for a genesis and %d writes", seals, writes)
	}
}

// countKind is how many records of a kind the log in dir has.
func countKind(t *testing.T, dir string, kind walfs.Kind) (n int) {
	l, err := walfs.Open(dir, walfs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r, err := l.Reader(walfs.Position{})
	if err != nil {
		t.Fatal(err)
	}
	for {
		e, err := r.Next()
		if errors.Is(err, walfs.ErrNoNewData) {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind == kind {
			n++
		}
	}
}

func TestBadDurability(t *testing.T) {
	if _, err := Open(t.TempDir(), Options{Durability: Interval(0)}); !errors.Is(err, walfs.ErrBadOptions) {
		t.Fatalf("an interval of 0: %v", err)
	}
}
