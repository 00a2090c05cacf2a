package walfs

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// verified opens a log degraded and verifies it.
func verified(t testing.TB, dir string, fs FS) []Lost {
	t.Helper()
	l, err := Open(dir, Options{Degraded: true, FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	found, err := l.Verify()
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestVerifyEveryBit flips every bit of a full segment, and of the last one up to
// the end of its records: each is found, in its file, at its frame, in the header,
// or behind the end.
func TestVerifyEveryBit(t *testing.T) {
	disk := newCrashFS()
	l := reopen(t, "at first", disk)
	var placed []Placed
	for _, s := range numbered(12, 500) {
		placed = append(placed, mustAppend(t, l, None, s, "x")...)
	}
	ends := []int64{(*l.segs.Load())[0].end.Load(), l.active.end.Load()}
	mustClose(t, l)
	if found := verified(t, crashDir, disk); len(found) > 0 || l.active.id != 2 {
		t.Fatalf("%d segments, found %v", l.active.id, found)
	}
	for _, id := range []uint64{1, 2} {
		file := segmentPath(crashDir, id)
		b, end := disk.live[file].live, int64(MinSegmentSize)
		if id == 2 {
			end = ends[1]
		}
		for off := int64(0); off < end; off++ {
			want := int64(0)
			for _, p := range placed {
				if p.Pos.Segment == id && p.Pos.Offset <= uint64(off) {
					want = int64(p.Pos.Offset)
				}
			}
			if id == 1 && off >= ends[0] {
				want = ends[0]
			}
			for bit := range 8 {
				b[off] ^= 1 << bit
				found := verified(t, crashDir, disk)
				b[off] ^= 1 << bit
				if len(found) != 1 || found[0].File != file || found[0].From != want || off >= headerSize && found[0].To <= off {
					t.Fatalf("bit %d of byte %d of segment %d: found %v, want one damage from %d", bit, off, id, found, want)
				}
			}
		}
	}
}

// TestVerifyRuins holds Verify against what a reader loses.
func TestVerifyRuins(t *testing.T) {
	for name, c := range ruins {
		t.Run(name, func(t *testing.T) {
			dir := four(t)
			c.damage(t, dir)
			looked(t, dir, func(l *Log) {
				found, err := l.Verify()
				if err != nil {
					t.Fatal(err)
				}
				if len(found) < c.met || c.met == 0 && len(found) > 0 {
					t.Errorf("found %v, opening met %d", found, c.met)
				}
				var gone []LSN
				for _, x := range found {
					if x.Err == nil || !strings.HasPrefix(x.File, dir) {
						t.Errorf("%+v names no file or cause", x)
					}
					if x.Last != unknownLSN {
						gone = append(gone, lsnRange(x.First, x.Last)...)
					}
				}
				if diff := cmp.Diff(c.lost, gone); diff != "" {
					t.Errorf("lost (-want +got):\n%s\n%v", diff, found)
				}
			})
		})
	}
}

// TestSegments describes a log in numbers.
func TestSegments(t *testing.T) {
	dir := four(t)
	looked(t, dir, func(l *Log) {
		var all []Segment
		for s, err := range l.Segments() {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, s)
		}
		if len(all) != 4 {
			t.Fatalf("%d segments, want 4", len(all))
		}
		for i, s := range all {
			n := LSN(2 * i)
			if s.ID != uint64(i+1) || s.File != segmentPath(dir, s.ID) || s.Version != headerVersion || s.First != n+1 || s.Last != n+2 ||
				s.Records != 2 || s.Kinds[KindBlock] != (Tally{2, 3000}) || s.Size != MinSegmentSize ||
				s.Created.IsZero() || s.Sealed != (i < 3) || len(s.Damage) > 0 {
				t.Errorf("segment %d: %+v", i+1, s)
			}
		}
		if s := all[0]; s.Mark != s.End || s.Marked != 2 || s.Torn != 0 {
			t.Errorf("full segment: %+v", s)
		}
		if s := all[3]; s.Mark != headerSize || s.Marked != 0 || s.Torn != 4 {
			t.Errorf("last segment: %+v", s)
		}
		torn, err := l.TornFiles()
		if want := []TornFile{{filepath.Join(dir, "00000000000000000001-64.torn"), 15}}; err != nil || !cmp.Equal(torn, want) {
			t.Errorf("torn files %v, %v; want %v", torn, err, want)
		}
	})
}

// TestVerifyWhileOpen: what was read before and rotted since is found, too, and
// what is being appended is no damage.
func TestVerifyWhileOpen(t *testing.T) {
	dir := t.TempDir()
	l := mustOpen(t, dir, small)
	all := eight(t, l)
	wantKept(t, l, 1, all)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, s := range numbered(200, 400) {
			if _, err := l.Append(None, records(s, s)...); err != nil {
				t.Error(err)
			}
		}
	}()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		if found, err := l.Verify(); err != nil || len(found) > 0 {
			t.Fatalf("found %v, %v", found, err)
		}
	}
	patch(t, segmentPath(dir, 2), 500, "X")
	found, err := l.Verify()
	if err != nil || len(found) != 1 || found[0].First != 3 || found[0].Last != 3 || found[0].File != segmentPath(dir, 2) {
		t.Fatalf("found %v, %v", found, err)
	}
	mustClose(t, l)
	if _, err := l.Verify(); !errors.Is(err, ErrClosed) {
		t.Fatalf("Verify, closed: %v", err)
	}
}
