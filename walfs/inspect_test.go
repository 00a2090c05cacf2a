package walfs_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lightcone/walfs"
	"lightcone/walfs/walfstest"
)

// verified opens a log degraded and verifies it.
func verified(t testing.TB, dir string, fs walfs.FS) []walfs.Lost {
	t.Helper()
	l, err := walfs.Open(dir, walfs.Options{Degraded: true, FS: fs})
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
	if testing.Short() {
		t.Skip("one goroutine, left out by -short")
	}
	disk := walfstest.NewDisk()
	l := reopen(t, "at first", disk)
	var placed []walfs.Placed
	for _, s := range walfs.Numbered(12, 500) {
		placed = append(placed, walfs.MustAppend(t, l, walfs.None, s, "x")...)
	}
	segs := segmentsOf(t, l)
	walfs.MustClose(t, l)
	if found := verified(t, crashDir, disk); len(found) > 0 || len(segs) != 2 {
		t.Fatalf("%d segments, found %v", len(segs), found)
	}
	for _, seg := range segs {
		end := int64(walfs.MinSegmentSize)
		if seg.ID == 2 {
			end = seg.End
		}
		for off := int64(0); off < end; off++ {
			want := int64(0)
			for _, p := range placed {
				if p.Pos.Segment == seg.ID && p.Pos.Offset <= uint64(off) {
					want = int64(p.Pos.Offset)
				}
			}
			if seg.ID == 1 && off >= seg.End {
				want = seg.End
			}
			for bit := range int64(8) {
				disk.Flip(seg.File, off*8+bit)
				found := verified(t, crashDir, disk)
				disk.Flip(seg.File, off*8+bit)
				if len(found) != 1 || found[0].File != seg.File || found[0].From != want || off >= headerSize && found[0].To <= off {
					t.Fatalf("bit %d of byte %d of segment %d: found %v, want one damage from %d", bit, off, seg.ID, found, want)
				}
			}
		}
	}
}

// segmentsOf are the segments of a log.
func segmentsOf(t testing.TB, l *walfs.Log) (all []walfs.Segment) {
	t.Helper()
	for s, err := range l.Segments() {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

// TestVerifyRuins holds Verify against what a reader loses.
func TestVerifyRuins(t *testing.T) {
	for name, c := range ruins {
		t.Run(name, func(t *testing.T) {
			dir := four(t)
			c.damage(t, dir)
			looked(t, dir, func(l *walfs.Log) {
				found, err := l.Verify()
				if err != nil {
					t.Fatal(err)
				}
				if len(found) < c.met || c.met == 0 && len(found) > 0 {
					t.Errorf("found %v, opening met %d", found, c.met)
				}
				var gone []walfs.LSN
				for _, x := range found {
					if x.Err == nil || !strings.HasPrefix(x.File, dir) {
						t.Errorf("%+v names no file or cause", x)
					}
					if x.Last != walfs.UnknownLSN {
						gone = append(gone, walfs.LSNRange(x.First, x.Last)...)
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
	looked(t, dir, func(l *walfs.Log) {
		all := segmentsOf(t, l)
		if len(all) != 4 {
			t.Fatalf("%d segments, want 4", len(all))
		}
		for i, s := range all {
			n := walfs.LSN(2 * i)
			if s.ID != uint64(i+1) || s.File != walfs.SegmentPath(dir, s.ID) || s.Version != walfs.HeaderVersion || s.First != n+1 || s.Last != n+2 ||
				s.Records != 2 || s.Kinds[walfs.KindBlock] != (walfs.Tally{2, 3000}) || s.Size != walfs.MinSegmentSize ||
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
		if want := []walfs.TornFile{{filepath.Join(dir, "00000000000000000001-64.torn"), 15}}; err != nil || !cmp.Equal(torn, want) {
			t.Errorf("torn files %v, %v; want %v", torn, err, want)
		}
	})
}

// TestVerifyWhileOpen: what was read before and rotted since is found, too, and
// what is being appended is no damage.
func TestVerifyWhileOpen(t *testing.T) {
	dir := t.TempDir()
	l := walfs.MustOpen(t, dir, walfs.Small)
	all := eight(t, l)
	wantKept(t, l, 1, all)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, s := range walfs.Numbered(200, 400) {
			if _, err := l.Append(walfs.None, walfs.Records(s, s)...); err != nil {
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
	walfs.Patch(t, walfs.SegmentPath(dir, 2), 500, "X")
	found, err := l.Verify()
	if err != nil || len(found) != 1 || found[0].First != 3 || found[0].Last != 3 || found[0].File != walfs.SegmentPath(dir, 2) {
		t.Fatalf("found %v, %v", found, err)
	}
	walfs.MustClose(t, l)
	if _, err := l.Verify(); !errors.Is(err, walfs.ErrClosed) {
		t.Fatalf("Verify, closed: %v", err)
	}
}
