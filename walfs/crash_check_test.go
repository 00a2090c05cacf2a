package walfs_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"

	"lightcone/walfs"
	"lightcone/walfs/walfstest"
)

// luck is what a crash leaves: a kill, or a power cut with a pick.
type luck struct {
	name string
	pick walfstest.Pick // nil: a kill
}

func (k luck) crash(d *walfstest.Disk) *walfstest.Disk {
	if k.pick == nil {
		return d.Kill()
	}
	return d.PowerCut(k.pick)
}

// lucks are a kill, the two extremes, and mixes drawn from seed.
func lucks(seed uint64, mixes int) []luck {
	all := []luck{{"kill", nil}, {"nothing", walfstest.Nothing}, {"everything", walfstest.Everything}}
	for i := range mixes {
		rng := rand.New(rand.NewPCG(seed, uint64(i)))
		all = append(all, luck{fmt.Sprintf("mix%d", i), walfstest.Luck(rng)})
	}
	return all
}

// checker holds what a crash left against the history.
type checker struct {
	wrap func(walfs.FS) walfs.FS
	// thorough says whether the dearer checks are made of a state too.
	thorough func(seed uint64) bool
}

// check opens what a crash left, and again after a power cut: every promise must
// hold, and the second recovery find what the first one did.
func (c checker) check(disk *walfstest.Disk, hist *history, seed uint64) error {
	before := disk.Kill()
	l, found, err := c.recovered(disk, hist)
	if err != nil {
		return err
	}
	defer l.Close()
	report := l.Recovery()
	tail, err := untouched(before, disk, report)
	if err != nil {
		return err
	}
	after := disk.PowerCut(walfstest.Nothing)
	if err := c.same(after, found, tail); err != nil {
		return fmt.Errorf("second recovery: %w", err)
	}
	if !c.thorough(seed) {
		return nil
	}
	if _, err := l.Append(walfs.Group, walfs.Records("after the crash")...); err != nil {
		return fmt.Errorf("append after recovery: %w", err)
	}
	if err := c.same(disk.PowerCut(walfstest.Nothing), append(slices.Clone(found), "after the crash"), tail); err != nil {
		return fmt.Errorf("one record appended after recovery: %w", err)
	}
	if before.PowerCut(walfstest.Nothing).Sum() != before.PowerCut(walfstest.Everything).Sum() {
		tail = nil // after a kill: not on the disk yet, so a power cut may take it
	}
	if err := c.crashRecovery(before, hist, tail, seed); err != nil {
		return err
	}
	return c.noticesRot(before, hist)
}

// recovered opens a log, reads all of it and judges that.
func (c checker) recovered(disk *walfstest.Disk, hist *history) (*walfs.Log, []string, error) {
	l, err := walfs.Open(crashDir, options(c.wrap(disk)))
	if err != nil {
		return nil, nil, err
	}
	found, err := readAll(l)
	if err == nil {
		err = hist.judge(l, found)
	}
	if err != nil {
		l.Close()
		return nil, nil, err
	}
	return l, found, nil
}

// same wants a log of these records, and the torn tail saved.
func (c checker) same(disk *walfstest.Disk, want []string, tail []byte) error {
	l, err := walfs.Open(crashDir, options(c.wrap(disk)))
	if err != nil {
		return err
	}
	defer l.Close()
	got, err := readAll(l)
	if err == nil && !slices.Equal(got, want) {
		err = fmt.Errorf("found %s, want %s", brief(got), brief(want))
	}
	if err == nil && !saved(disk, tail) {
		err = fmt.Errorf("the torn tail of %d bytes is lost", len(tail))
	}
	return err
}

// saved reports whether a torn tail is in a file of its own.
func saved(disk *walfstest.Disk, tail []byte) bool {
	if len(tail) == 0 {
		return true
	}
	return slices.ContainsFunc(disk.Names(), func(name string) bool {
		return strings.HasSuffix(name, ".torn") && bytes.Equal(disk.ReadFile(name), tail)
	})
}

// headerSize is where the records of a segment begin. Headers are rewritten.
const headerSize = 64

// untouched wants each byte behind a header where it was, or wiped and in the torn
// file. It returns the content of that file.
func untouched(before, after *walfstest.Disk, report walfs.Report) (tail []byte, err error) {
	if report.Torn > 0 {
		if tail = after.ReadFile(report.TornFile); int64(len(tail)) != report.Torn {
			return nil, fmt.Errorf("%d bytes torn, %d saved", report.Torn, len(tail))
		}
	}
	for _, name := range before.Names() {
		old, now := before.ReadFile(name), after.ReadFile(name)
		if !strings.HasSuffix(name, ".wal") {
			if now != nil && !bytes.Equal(old, now) {
				return nil, fmt.Errorf("recovery changed %s", name)
			}
			continue
		}
		if len(old) != len(now) {
			return nil, fmt.Errorf("recovery made %d bytes of %s out of %d", len(now), name, len(old))
		}
		from, to := differ(old[headerSize:], now[headerSize:])
		gone := old[headerSize+from : headerSize+to]
		if len(bytes.TrimLeft(now[headerSize+from:headerSize+to], "\x00")) > 0 || !bytes.Contains(tail, gone) {
			return nil, fmt.Errorf("recovery changed %d bytes at %d of %s and saved them nowhere", to-from, headerSize+from, name)
		}
	}
	return tail, nil
}

// differ is the range in which two slices of one length do; empty if nowhere.
func differ(a, b []byte) (from, to int) {
	if bytes.Equal(a, b) {
		return 0, 0
	}
	for from = 0; a[from] == b[from]; from++ {
	}
	for to = len(a); a[to-1] == b[to-1]; to-- {
	}
	return from, to
}

// crashRecovery cuts a recovery short at each of its steps.
func (c checker) crashRecovery(before *walfstest.Disk, hist *history, tail []byte, seed uint64) error {
	var broken error
	step := uint64(0)
	disk := before.Kill()
	disk.Watch(func(call walfstest.Call) {
		step++
		for _, k := range lucks(seed+step, 2) {
			if broken != nil {
				return
			}
			left := k.crash(disk)
			l, _, err := c.recovered(left, hist)
			if err == nil {
				l.Close()
				if !saved(left, tail) {
					err = errors.New("the torn tail is lost")
				}
			}
			if err != nil {
				broken = fmt.Errorf("recovery cut short before %s of %s (%s): %w", call.Op, filepath.Base(call.Name), k.name, err)
			}
		}
	})
	l, _, err := c.recovered(disk, hist)
	if err == nil {
		disk.Watch(nil)
		err = l.Close()
	}
	return errors.Join(broken, err)
}

// noticesRot flips a bit of the last record below the durable mark: it must not
// pass for a torn tail.
func (c checker) noticesRot(disk *walfstest.Disk, hist *history) error {
	if hist.marked == 0 {
		return nil
	}
	text := []byte(hist.texts[hist.marked-1])
	for _, name := range disk.Names() {
		at := bytes.Index(disk.ReadFile(name), text)
		if at < 0 || !strings.HasSuffix(name, ".wal") {
			continue
		}
		rotten := disk.Kill()
		rotten.Flip(name, int64(at)*8)
		l, err := walfs.Open(crashDir, options(c.wrap(rotten)))
		if err == nil {
			_, err = readAll(l)
			l.Close()
		}
		if !errors.As(err, new(*walfs.DamageError)) {
			return fmt.Errorf("a bit flipped in a record below the mark since the log was closed: want a DamageError, got %v", err)
		}
		return nil
	}
	return fmt.Errorf("the last record below the mark is in no segment")
}
