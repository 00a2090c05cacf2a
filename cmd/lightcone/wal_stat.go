package main

import (
	"fmt"
	"io"
	"time"

	"lightcone/walfs"
)

// logStat is what stat prints of a log.
type logStat struct {
	Segments []segmentStat       `json:"segments"`
	Records  uint64              `json:"records"`
	Kinds    map[string]kindStat `json:"kinds"`
	Torn     []tornStat          `json:"tornFiles"`
}

type segmentStat struct {
	File     string              `json:"file"`
	Version  uint32              `json:"version"` // 0 and what follows up to marked too when the header is damaged
	Created  time.Time           `json:"created"`
	Modified time.Time           `json:"modified"`
	Sealed   bool                `json:"sealed"`
	Mark     int64               `json:"mark"`   // durable up to this byte
	Marked   uint64              `json:"marked"` // records below it
	Size     int64               `json:"size"`   // of the file
	End      int64               `json:"end"`    // of the records
	First    uint64              `json:"first"`  // LSNs; last is first-1 when there are none
	Last     uint64              `json:"last"`
	Records  uint64              `json:"records"`
	Kinds    map[string]kindStat `json:"kinds"`
	Torn     int64               `json:"torn,omitempty"` // bytes behind the records
	Damage   []lostJSON          `json:"damage,omitempty"`
}

type kindStat struct {
	Records uint64 `json:"records"`
	Bytes   int64  `json:"bytes"`
}

type tornStat struct {
	File string `json:"file"`
	Size int64  `json:"size"`
}

func (a *app) walStat(dir string) error {
	return lookAt(dir, func(l *walfs.Log) (int, error) {
		st, damaged, err := statOf(l)
		if err != nil {
			return 0, err
		}
		return damaged, a.print(st, func(w io.Writer) error { return logText(w, st) })
	})
}

func statOf(l *walfs.Log) (st logStat, damaged int, err error) {
	st = logStat{Segments: []segmentStat{}, Kinds: map[string]kindStat{}, Torn: []tornStat{}}
	for s, err := range l.Segments() {
		if err != nil {
			return st, 0, err
		}
		one := segmentStat{
			File: s.File, Version: s.Version, Created: s.Created, Modified: s.Modified, Sealed: s.Sealed,
			Mark: s.Mark, Marked: s.Marked, Size: s.Size, End: s.End, First: s.First, Last: s.Last, Records: s.Records,
			Kinds: map[string]kindStat{}, Torn: s.Torn,
		}
		for k, t := range s.Kinds {
			one.Kinds[k.String()] = kindStat{t.Records, t.Bytes}
			sum := st.Kinds[k.String()]
			st.Kinds[k.String()] = kindStat{sum.Records + t.Records, sum.Bytes + t.Bytes}
		}
		for _, lost := range s.Damage {
			one.Damage = append(one.Damage, lostOf(lost))
		}
		st.Segments = append(st.Segments, one)
		st.Records, damaged = st.Records+s.Records, damaged+len(s.Damage)
	}
	torn, err := l.TornFiles()
	for _, t := range torn {
		st.Torn = append(st.Torn, tornStat{t.File, t.Size})
	}
	return st, damaged, err
}

func logText(w io.Writer, st logStat) error {
	t := table{}
	for _, s := range st.Segments {
		t.add("segment", s.File)
		state := "open"
		if s.Sealed {
			state = "full"
		}
		if s.Version == 0 {
			state = "header damaged"
		}
		t.add("", fmt.Sprintf("%s, version %d, written %s", state, s.Version, s.Modified.UTC().Format(time.RFC3339)))
		t.add("", fmt.Sprintf("%s records, %d to %d, in %s of %s bytes", comma(int64(s.Records)), s.First, s.Last, comma(s.End), comma(s.Size)))
		t.add("", fmt.Sprintf("durable mark at byte %s, behind %s records", comma(s.Mark), comma(int64(s.Marked))))
		if s.Torn > 0 {
			t.add("torn", fmt.Sprintf("%s bytes behind the records: the next open takes them off, or a node is writing them now", comma(s.Torn)))
		}
		for _, d := range s.Damage {
			t.add("damage", d.String())
		}
	}
	for _, k := range sortedKeys(st.Kinds) {
		t.add("kind", fmt.Sprintf("%-10s  %s records, %s bytes", k, comma(int64(st.Kinds[k].Records)), comma(st.Kinds[k].Bytes)))
	}
	for _, f := range st.Torn {
		t.add("torn file", fmt.Sprintf("%s, %s bytes", f.File, comma(f.Size)))
	}
	t.add("records", comma(int64(st.Records)))
	return t.write(w)
}

// verdict is what verify prints.
type verdict struct {
	Segments int        `json:"segments"`
	Records  uint64     `json:"records"`
	Torn     int64      `json:"torn"` // bytes of a torn tail, which is no damage
	Damage   []lostJSON `json:"damage"`
}

func (a *app) walVerify(dir string) error {
	return lookAt(dir, func(l *walfs.Log) (int, error) {
		st, damaged, err := statOf(l)
		if err != nil {
			return 0, err
		}
		v := verdict{Segments: len(st.Segments), Records: st.Records, Damage: []lostJSON{}}
		for _, s := range st.Segments {
			v.Torn += s.Torn
			v.Damage = append(v.Damage, s.Damage...)
		}
		return damaged, a.print(v, v.write)
	})
}

func (v verdict) write(w io.Writer) error {
	t := table{}
	for _, d := range v.Damage {
		t.add("damage", d.String())
	}
	if v.Torn > 0 {
		t.add("torn", fmt.Sprintf("%s bytes behind the records, which is what a crash may leave, or a node that is writing: no damage", comma(v.Torn)))
	}
	t.add("checked", fmt.Sprintf("%d segment(s), %s sound records", v.Segments, comma(int64(v.Records))))
	return t.write(w)
}
