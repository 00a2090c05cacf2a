package node

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"lightcone/memo"
)

func text(t testing.TB, s string) memo.Value {
	t.Helper()
	v, err := memo.Text(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func openNode(t testing.TB, dir string, o Options) *Node {
	t.Helper()
	n, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

func TestPutGetScanReopen(t *testing.T) {
	t.Parallel() // it waits for disks and links
	for _, d := range []Durability{Group, Each, None, Interval(time.Millisecond)} {
		t.Run(d.String(), func(t *testing.T) {
			ctx, dir := context.Background(), t.TempDir()
			n := openNode(t, dir, Options{Durability: d})
			s, err := n.CreateSpace("default", Policy{})
			if err != nil {
				t.Fatal(err)
			}
			for i := range 200 {
				if _, err := s.Put(ctx, "t", fmt.Sprintf("row%03d", i), Fields{"n": memo.Int(int64(i)), "s": text(t, "x")}); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := s.Delete(ctx, "t", "row007"); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Delete(ctx, "t", "row008", "s"); err != nil {
				t.Fatal(err)
			}
			before, err := s.Digest(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if err := n.Close(); err != nil {
				t.Fatal(err)
			}

			n = openNode(t, dir, Options{Durability: d})
			if s, err = n.OpenSpace("default"); err != nil {
				t.Fatal(err)
			}
			after, err := s.Digest(ctx)
			if err != nil || after != before {
				t.Fatalf("digest %x, want %x (%v)", after, before, err)
			}
			if _, err := s.Get(ctx, "t", "row007"); !errors.Is(err, ErrNotFound) {
				t.Errorf("deleted row: %v", err)
			}
			r, err := s.Get(ctx, "t", "row008")
			if err != nil || len(r.Fields) != 1 || r.Fields["n"].Int() != 8 {
				t.Errorf("row008: %v %v", r.Fields, err)
			}
			rows := 0
			for _, err := range s.Scan(ctx, Query{Topic: "t"}) {
				if err != nil {
					t.Fatal(err)
				}
				rows++
			}
			if rows != 199 {
				t.Errorf("%d rows, want 199", rows)
			}
		})
	}
}
