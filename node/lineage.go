package node

import (
	"slices"

	"lightcone/memo"
	"lightcone/store"
)

// maxKin is how many edits of a row, the latest ones in the log, an edit is
// compared with. A history holds them in memory with their pasts: a number per
// author each.
const maxKin = 256

// lineage tells how the edits of one row hang together. It takes them in the
// order of the log and remembers the last ones: an edit's past stops at those,
// whose pasts are known, so that long histories of concurrent edits stay cheap.
type lineage struct {
	reader *store.Reader
	size   int // edits remembered
	kin    []kin
	pins   []store.Found // decided for every edit, however far back; in the order of the log
}

// kin is an edit of the row and what is behind it.
type kin struct {
	store.Found
	past *past
}

func (k *kin) head() memo.Head { return k.Memo.Head() }

func newLineage(v *store.View) *lineage { return &lineage{reader: v.Reader(), size: maxKin} }

// known returns the past of an edit that is remembered.
func (l *lineage) known(h memo.Head) *past {
	for i := len(l.kin) - 1; i >= 0; i-- {
		if k := &l.kin[i]; k.Memo.Author == h.Author && k.Memo.Seq == h.Seq {
			return k.past
		}
	}
	return nil
}

// decide returns what is behind the row's next edit. The kin and the pins are
// decided: each is in it or, if it is whole, is not.
func (l *lineage) decide(f store.Found) (*past, error) {
	left := maxWalk
	w, err := newWalk(l.reader, f.Memo, l.known, &left)
	if err != nil {
		return nil, err
	}
	for _, pin := range l.pins {
		_, known, err := w.find(pin.Memo.Head(), pin.Place)
		if err != nil {
			return nil, err
		}
		w.whole = w.whole && known
	}
	for i := range l.kin { // from the oldest on: once one is not there, the rest costs nothing
		_, known, err := w.find(l.kin[i].head(), l.kin[i].Place)
		if err != nil {
			return nil, err
		}
		w.whole = w.whole && known
	}
	p := w.past
	return &p, nil
}

// remember adds an edit that was decided to the kin.
func (l *lineage) remember(f store.Found, p *past) {
	if l.size <= len(l.kin) {
		l.kin = slices.Delete(l.kin, 0, len(l.kin)-l.size+1)
	}
	l.kin = append(l.kin, kin{f, p})
}

// causes returns the latest kin in p, one an author, without those that are in
// the past of another.
func (l *lineage) causes(p *past) (out []memo.Head) {
	var latest []*kin
	for i := len(l.kin) - 1; i >= 0; i-- {
		k := &l.kin[i]
		behind := func(o *kin) bool { return o.Memo.Author == k.Memo.Author || o.past.has(k.head()) }
		if p.has(k.head()) && !slices.ContainsFunc(latest, behind) {
			latest, out = append(latest, k), append(out, k.head())
		}
	}
	return out
}

// apart returns the kin that are not in p: of each author the latest, and how many.
func (l *lineage) apart(p *past) (out []Apart) {
	for i := len(l.kin) - 1; i >= 0; i-- {
		k := &l.kin[i]
		if p.has(k.head()) {
			continue
		}
		same := func(a Apart) bool { return a.Last.Author == k.Memo.Author }
		if at := slices.IndexFunc(out, same); at >= 0 {
			out[at].Edits++
		} else {
			out = append(out, Apart{Last: k.head(), Edits: 1})
		}
	}
	return out
}
