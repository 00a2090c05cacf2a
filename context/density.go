package causal

import (
	"cmp"
	"maps"
	"slices"

	"lightcone/memo"
	"lightcone/merge"
)

// maxCandidates bounds the rows from which a partial fold starts to look for
// dense parts, and so its work: at most so many rounds, each of which looks at so
// many parts.
const maxCandidates = 32

// densest returns a part of a tail, closed under causes, within the budget and
// with many edits for each row it touches; see FoldPart. The tail lists causes
// first, and so does the part.
func densest(tail []*memo.Memo, b Budget) []*memo.Memo {
	d := &density{budget: b, items: make([]item, len(tail)), rows: map[string]int{}}
	at := make(map[memo.ID]int, len(tail))
	touching := map[string][]int{} // row key → the memos that edit it, causes first
	for i, m := range tail {
		it := &d.items[i]
		it.bytes = sizeOf(m)
		for _, link := range links(m) {
			if j, ok := at[link.ID]; ok { // else the root covers it
				it.causes = append(it.causes, j)
			}
		}
		for key := range merge.RowEdits(m) {
			it.rows = append(it.rows, key)
			touching[key] = append(touching[key], i)
		}
		at[m.ID()] = i
	}
	candidates := slices.SortedFunc(maps.Keys(touching), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(touching[b]), len(touching[a])), cmp.Compare(a, b))
	})
	candidates = candidates[:min(len(candidates), maxCandidates)]
	for {
		d.takeFree()
		best := d.part(nil)
		for _, key := range candidates {
			if p := d.part(touching[key]); p.denser(best) {
				best = p
			}
		}
		if len(best.items) == 0 {
			break
		}
		d.take(best)
	}
	if d.count == 0 { // the past of every candidate is too long: take the first memos
		d.take(d.part(ordinals(len(tail))))
	}
	var out []*memo.Memo
	for i, m := range tail {
		if d.items[i].taken {
			out = append(out, m)
		}
	}
	return out
}

func ordinals(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// density is a choice under way.
type density struct {
	budget Budget
	items  []item // of the tail, causes first
	count  int    // taken
	bytes  int    // of those
	rows   map[string]int
}

// item is one memo of the tail.
type item struct {
	causes []int // in the tail
	rows   []string
	bytes  int
	taken  bool
}

// part is what a candidate adds to the choice.
type part struct {
	items       []int
	bytes       int
	edits, rows int // row edits, and rows that the choice does not touch yet
}

// denser reports whether p has more edits for each new row than o; and if they are
// equal, more edits.
func (p part) denser(o part) bool {
	if len(p.items) == 0 || len(o.items) == 0 {
		return len(p.items) > len(o.items)
	}
	// edits ÷ rows, where no row is the most.
	return cmp.Or(cmp.Compare(p.edits*o.rows, o.edits*p.rows), cmp.Compare(p.edits, o.edits)) > 0
}

// part returns the longest beginning of the given memos, with all their causes,
// that the budget has room for, less what is taken already.
func (d *density) part(memos []int) part {
	var out part
	in := map[int]bool{}
	rows := map[string]bool{}
	for _, i := range memos {
		from := len(out.items)
		grown := out
		for todo := []int{i}; len(todo) > 0; {
			j := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			if in[j] || d.items[j].taken {
				continue
			}
			in[j] = true
			grown.items, grown.bytes = append(grown.items, j), grown.bytes+d.items[j].bytes
			if !d.budget.admits(d.count+len(grown.items), d.bytes+grown.bytes) {
				return out
			}
			todo = append(todo, d.items[j].causes...)
		}
		for _, j := range grown.items[from:] {
			for _, key := range d.items[j].rows {
				grown.edits++
				if d.rows[key] == 0 && !rows[key] {
					rows[key] = true
					grown.rows++
				}
			}
		}
		out = grown
	}
	return out
}

func (d *density) take(p part) {
	for _, j := range p.items {
		it := &d.items[j]
		it.taken = true
		for _, key := range it.rows {
			d.rows[key]++
		}
	}
	d.count, d.bytes = d.count+len(p.items), d.bytes+p.bytes
}

// takeFree takes what the budget still has room for of the memos that touch no
// further row and whose causes are taken: they cost hardly anything, and heads
// among them are loose no more.
func (d *density) takeFree() {
	for i := range d.items {
		it := &d.items[i]
		free := !it.taken &&
			!slices.ContainsFunc(it.causes, func(j int) bool { return !d.items[j].taken }) &&
			!slices.ContainsFunc(it.rows, func(key string) bool { return d.rows[key] == 0 })
		if free && d.budget.admits(d.count+1, d.bytes+it.bytes) {
			d.take(part{items: []int{i}, bytes: it.bytes})
		}
	}
}
