package node

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"lightcone/memo"
)

// Pages of a scan, each started from the text of the cursor of the one before,
// are the scan, in either direction, while rows of earlier pages vanish.
func TestScanPages(t *testing.T) {
	t.Parallel() // it waits for disks and links
	s := newSpace(t)
	keys := []string{"", "a", "a\x00", "b", "ba", "\xff", "\xff\xff"}
	rapid.Check(t, func(rt *rapid.T) {
		for _, k := range keys {
			if _, err := s.Put(t.Context(), "t", k, Fields{"n": memo.Int(1)}); err != nil {
				rt.Fatal(err)
			}
		}
		want := slices.Clone(keys)
		q := Query{Topic: rapid.SampledFrom([]string{"", "t"}).Draw(rt, "topic"), Reverse: rapid.Bool().Draw(rt, "reverse")}
		if q.Reverse {
			slices.Reverse(want)
		}
		q.Limit = rapid.IntRange(1, 4).Draw(rt, "limit")
		var got []string
		for more := true; more; {
			more = false
			for r, err := range s.Scan(t.Context(), q) {
				if err != nil {
					rt.Fatal(err)
				}
				got, more = append(got, r.Key), true
				if q.After, err = ParseScanCursor(r.Cursor().String()); err != nil {
					rt.Fatal(err)
				}
			}
			if !q.After.IsZero() && rapid.Bool().Draw(rt, "vanish") {
				if _, err := s.Delete(t.Context(), "t", q.After.Key); err != nil {
					rt.Fatal(err)
				}
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Fatal(diff)
		}
	})
}

func TestBadScanCursors(t *testing.T) {
	s := newSpace(t)
	for _, err := range s.Scan(t.Context(), Query{Topic: "t", After: ScanCursor{Topic: "u", Key: "k"}}) {
		if !errors.Is(err, ErrBadCursor) {
			t.Errorf("of another topic: %v", err)
		}
	}
	now, err := s.Now()
	if err != nil {
		t.Fatal(err)
	}
	good := ScanCursor{Topic: "t", Key: "k"}
	for _, text := range []string{"x", now.String(), good.String() + "A", ScanCursor{Topic: "t\x00", Key: "k"}.String()} {
		if _, err := ParseScanCursor(text); !errors.Is(err, ErrBadCursor) {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, err := range s.Watch(t.Context(), Query{Topic: "t", Reverse: true}, now) {
		if !errors.Is(err, memo.ErrInvalid) {
			t.Errorf("watch in reverse: %v", err)
		}
	}
}
