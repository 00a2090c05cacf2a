package walfs_test

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"lightcone/walfs"
	"lightcone/walfs/walfstest"
)

// rotSize is the length in bytes of the segments that rot here.
const rotSize = 64 << 10

// victim is a log, one of whose segments is going to be damaged.
type victim struct {
	name   string
	disk   *walfstest.Disk
	file   string   // path of the segment
	image  []byte   // its content
	texts  []string // all records of the log, in order
	marked int      // how many of them lie below a durable mark
	tail   int64    // where in the segment what lies below the mark ends
}

// fill appends records of about a kilobyte, so that no frame fits into a sector,
// until the log has the given size, and returns their texts.
func fill(t *testing.T, l *walfs.Log, d walfs.Durability, salt string, size int64) []string {
	t.Helper()
	var texts []string
	for i := 0; l.Size() < size; i++ {
		texts = append(texts, strings.Repeat(fmt.Sprintf("%s %03d ", salt, i), 200)[:900+37*i%150])
		if _, err := l.Append(d, walfs.Records(texts[i])...); err != nil {
			t.Fatal(err)
		}
	}
	return texts
}

func openRot(t *testing.T, disk *walfstest.Disk, size int64) *walfs.Log {
	t.Helper()
	o := options(disk)
	o.SegmentSize = size
	l, err := walfs.Open(crashDir, o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// victims are a sealed segment, an active one all of which lies below its mark, and
// an active one whose process was killed, so that its mark lags behind.
func victims(t *testing.T, salt string) []victim {
	t.Helper()
	first := filepath.Join(crashDir, walfs.SegmentName(1))
	closed := func(l *walfs.Log) {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	disk := walfstest.NewDisk()
	l := openRot(t, disk, rotSize)
	texts := fill(t, l, walfs.None, salt, rotSize-1200)
	tail := l.Size()
	closed(l)
	active := victim{"active", disk.Kill(), first, disk.ReadFile(first), texts, len(texts), tail}

	l = openRot(t, disk, walfs.MinSegmentSize)
	more := fill(t, l, walfs.None, salt+" second", rotSize+1000)
	closed(l)
	sealed := victim{"sealed", disk, first, disk.ReadFile(first), slices.Concat(texts, more), len(texts) + len(more), tail}

	disk = walfstest.NewDisk()
	l = openRot(t, disk, rotSize)
	texts = fill(t, l, walfs.None, salt, rotSize-18_000)
	closed(l)
	l = openRot(t, disk, rotSize)
	tail = l.Size()
	more = fill(t, l, walfs.None, salt+" unsynced", rotSize-1200)
	killed := victim{"killed", disk.Kill(), first, disk.ReadFile(first), slices.Concat(texts, more), len(texts), tail}
	closed(l)
	return []victim{sealed, active, killed}
}

// rotten is a copy of a victim's disk, and who writes on it.
type rotten struct {
	victim
	changed map[string]bool // paths of what somebody changed
}

// touched reports whether somebody changed the segment.
func (r *rotten) touched() bool { return r.changed[r.file] }

func (v victim) copy() *rotten {
	r := &rotten{victim: v, changed: map[string]bool{}}
	r.disk = v.disk.Kill()
	r.disk.Watch(func(c walfstest.Call) { r.changed[c.Name] = true })
	return r
}

// restored is r with all that was changed as v has it. A copy is dear: when only
// the contents of other segments were changed, they are put back instead.
func (v victim) restored(r *rotten) *rotten {
	for name := range r.changed {
		content := v.disk.ReadFile(name)
		if name == v.file || content == nil {
			return v.copy()
		}
		r.disk.WriteFile(name, content)
	}
	clear(r.changed)
	return r
}

// judge opens the damaged log, reads all of it, and says what is wrong with that.
// Damage below the mark must be reported and nothing of the segment overwritten.
// What lies above may be lost as a torn tail, never changed. mute means that the
// damage may be such that nothing needs to be said: bytes nobody promised are gone.
func (r *rotten) judge(mute bool) error {
	found, noticed, err := openAndRead(r.disk)
	switch {
	case err != nil && !errors.As(err, new(*walfs.DamageError)):
		return fmt.Errorf("refused without naming the damage: %w", err)
	case err != nil && r.touched():
		return fmt.Errorf("reported, yet the segment was overwritten: %w", err)
	case len(found) > len(r.texts) || !slices.Equal(found, r.texts[:len(found)]):
		return fmt.Errorf("a record was changed: %.80q", found)
	case err != nil:
		return nil
	case len(found) < r.marked:
		return fmt.Errorf("%d records are left of %d below the mark, and nobody says so", len(found), r.marked)
	case !mute && !noticed:
		return fmt.Errorf("unnoticed: %d of %d records", len(found), len(r.texts))
	}
	return nil
}

// openAndRead reads all records, as far as they can be had; noticed tells whether
// Open took a torn tail off, or Verify finds something.
func openAndRead(fs walfs.FS) (texts []string, noticed bool, err error) {
	l, err := walfs.Open(crashDir, options(fs))
	if err != nil {
		return nil, true, err
	}
	defer l.Close()
	f, err := readAll(l)
	lost, verifyErr := l.Verify()
	if err != nil && len(lost) == 0 {
		return f.texts, true, fmt.Errorf("Verify finds nothing, and reading says %v", err)
	}
	return f.texts, len(lost) > 0 || l.Recovery().Torn > 0, errors.Join(err, verifyErr)
}

// parallel calls do for 0 ≤ i < n, in one goroutine per processor, each of which
// begins with a copy of v. Failures are reported, the first few.
func parallel(t *testing.T, v victim, n int64, do func(r *rotten, i int64) error) {
	t.Helper()
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // little lives, and much is made
	var next, failures atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			r := v.copy()
			for i := next.Add(1) - 1; i < n && failures.Load() < 5; i = next.Add(1) - 1 {
				if err := do(r, i); err != nil {
					failures.Add(1)
					t.Errorf("%s segment, %d: %v", v.name, i, err)
				}
				r = v.restored(r)
			}
		})
	}
	wg.Wait()
}

// bitsToFlip are the bits of a segment a test flips, one after the other: of what
// frames the texts, and of the eight bytes at either end of each, all of them; of a
// byte inside a text, where all bits are alike to a checksum, one in each eighth byte,
// or all of them if asked for. thin takes one bit of each byte at most.
func (v victim) bitsToFlip(thin, inside bool) []int64 {
	const edge, share = 8, 8
	within := make([]bool, rotSize) // a text, and not near its ends
	for _, text := range v.texts {
		if at := bytes.Index(v.image, []byte(text)); at >= 0 {
			for i := at + edge; i < at+len(text)-edge; i++ {
				within[i] = true
			}
		}
	}
	var all []int64
	for i := range int64(rotSize) {
		switch {
		case within[i] && !inside && i%share != 0: // the checksum is over the whole
		case thin || within[i] && !inside:
			all = append(all, i*8+i/share%8)
		default:
			for bit := range int64(8) {
				all = append(all, i*8+bit)
			}
		}
	}
	return all
}

// TestEveryBit64K flips bits of a sealed segment of 64 KiB, all that its format gives
// a meaning and some of those inside the texts (LIGHTCONE_LONG: every bit), and one of
// a byte of an active one. None goes unnoticed, changes a record, or makes the log
// overwrite anything. Of the killed segment it takes what lies above the mark: there
// a record is lost to the torn tail, and saved.
func TestEveryBit64K(t *testing.T) {
	for _, v := range victims(t, "rot") {
		t.Run(v.name, func(t *testing.T) {
			bits := v.bitsToFlip(v.name != "sealed", long)
			if v.name == "killed" {
				bits = slices.DeleteFunc(bits, func(bit int64) bool { return bit/8 < v.tail })
			}
			if testing.Short() {
				bits = oneIn(64, bits)
			}
			parallel(t, v, int64(len(bits)), func(r *rotten, i int64) error {
				bit := bits[i]
				r.disk.Flip(v.file, bit)
				err := r.judge(false)
				r.disk.Flip(v.file, bit)
				if err != nil {
					err = fmt.Errorf("bit %d of byte %d: %w", bit%8, bit/8, err)
				}
				return err
			})
		})
	}
}

// TestEveryTruncation64K cuts a segment of 64 KiB at every length.
func TestEveryTruncation64K(t *testing.T) {
	for _, v := range victims(t, "cut") {
		t.Run(v.name, func(t *testing.T) {
			stride := int64(1)
			switch {
			case testing.Short():
				stride = 61
			case !long:
				stride = 5 // fields are 4 and 8 bytes long, and frames multiples of 8
			}
			parallel(t, v, rotSize/stride, func(r *rotten, i int64) error {
				r.disk.WriteFile(v.file, v.image[:i*stride])
				// Behind the mark a file may end wherever it likes: there are only
				// zeros, or records nobody promised.
				return r.judge(i*stride >= v.tail)
			})
		})
	}
}

// TestEverySector loses every sector of a segment, or puts another in its place:
// the next one, that of the next segment, that of another log with records of the
// same LSNs and lengths. Frames that fill whole sectors of the latter kind could
// not be told apart: a frame does not name its log.
func TestEverySector(t *testing.T) {
	others := victims(t, "old")
	for i, v := range victims(t, "new") {
		const size = walfstest.SectorSize
		sector := func(b []byte, n int64) []byte { return b[n*size : (n+1)*size] }
		damages := map[string]func(b []byte, n int64){
			"zeroed": func(b []byte, n int64) { clear(sector(b, n)) },
			"swapped": func(b []byte, n int64) {
				next := (n + 1) % (rotSize / size)
				copy(sector(b, n), sector(v.image, next))
				copy(sector(b, next), sector(v.image, n))
			},
			"of another log": func(b []byte, n int64) { copy(sector(b, n), sector(others[i].image, n)) },
			"recycled":       func(b []byte, n int64) { copy(sector(b, n), sector(recycled(t), n)) },
		}
		for name, damage := range damages {
			t.Run(v.name+" "+name, func(t *testing.T) {
				parallel(t, v, rotSize/size, func(r *rotten, n int64) error {
					image := slices.Clone(v.image)
					damage(image, n)
					if bytes.Equal(image, v.image) {
						return nil
					}
					r.disk.WriteFile(v.file, image)
					return r.judge((n+1)*size > v.tail)
				})
			})
		}
	}
}

// recycled is a second segment of 64 KiB: sound frames of later LSNs.
var recycled = func() func(t *testing.T) []byte {
	var once sync.Once
	var image []byte
	return func(t *testing.T) []byte {
		once.Do(func() {
			disk := walfstest.NewDisk()
			l := openRot(t, disk, rotSize)
			fill(t, l, walfs.None, "rec", 2*rotSize-1500)
			image = disk.ReadFile(filepath.Join(crashDir, walfs.SegmentName(2)))
			l.Close()
		})
		return image
	}
}()
