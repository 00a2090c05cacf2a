package main

import (
	"cmp"
	"encoding/binary"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"lightcone/memo"
	"lightcone/merge"
)

// keySize is the bytes of a key: topic, a separator, the key of a line, a colon
// and hexadecimal digits that tell copies of a line apart.
const keySize = 24

// minDigits is how many of those digits there are at least, however long the
// topic and the key of a line are.
const minDigits = 8

// rowsPerMemo is how many rows the memos had that first wrote them.
const rowsPerMemo = 100

// lines are what rows are made of: one for each key and its fields' texts.
type lines struct {
	topic  string
	about  string // for people
	fields []string
	keys   []string
	texts  [][]string
}

// readLines reads a CSV file with a header, as import does: every column is a
// field of text, the key's too.
func readLines(path, key string) (l lines, err error) {
	f, err := os.Open(path)
	if err != nil {
		return l, err
	}
	defer f.Close()
	all, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return l, fmt.Errorf("%s: %w", path, err)
	}
	if len(all) < 2 {
		return l, fmt.Errorf("%s: no lines below the header", path)
	}
	at := slices.Index(all[0], key)
	if at < 0 {
		return l, fmt.Errorf("%s has no column %q; name one of %s with --key", path, key, strings.Join(all[0], ", "))
	}
	l.topic = strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	l.fields = all[0]
	seen := map[string]bool{}
	for _, texts := range all[1:] {
		if k := texts[at]; !seen[k] {
			seen[k] = true
			l.keys, l.texts = append(l.keys, k), append(l.texts, texts)
		}
	}
	l.about = fmt.Sprintf("the %d lines of %s, each as often as it takes", len(l.keys), filepath.Base(path))
	return l, nil
}

// deciles are the lengths of the fields' texts in the airports of the US DOT,
// from the shortest to the longest in tenths, as measured over its 3,376 lines.
var deciles = []struct {
	field   string
	lengths [11]int
}{
	{"iata", [...]int{3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 4}},
	{"name", [...]int{3, 7, 10, 13, 15, 16, 17, 19, 21, 24, 41}},
	{"city", [...]int{2, 6, 6, 7, 7, 8, 9, 10, 11, 12, 33}},
	{"state", [...]int{2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2}},
	{"country", [...]int{3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 30}},
	{"latitude", [...]int{5, 10, 11, 11, 11, 11, 11, 11, 11, 11, 11}},
	{"longitude", [...]int{5, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12}},
}

// madeLines is how many lines are made where no file is given.
const madeLines = 3376

// makeLines makes lines whose texts are as long as those of the airports.
func makeLines() lines {
	l := lines{topic: "airports", about: fmt.Sprintf("%d made lines with texts as long as those of airports.csv, each as often as it takes", madeLines)}
	r := rand.New(rand.NewPCG(1, 1))
	for _, d := range deciles {
		l.fields = append(l.fields, d.field)
	}
	for i := range madeLines {
		var texts []string
		for _, d := range deciles {
			tenth := r.IntN(len(d.lengths) - 1)
			low, high := d.lengths[tenth], d.lengths[tenth+1]
			texts = append(texts, letters(r, low+r.IntN(max(1, high-low))))
		}
		texts[0] = fmt.Sprintf("%c%c%c", 'A'+i/676%26, 'A'+i/26%26, 'A'+i%26)
		l.keys, l.texts = append(l.keys, texts[0]), append(l.texts, texts)
	}
	return l
}

func letters(r *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('a' + r.IntN(26))
	}
	return string(b)
}

// dataset is the keys, what every key's row is at present, and the blocks of all
// rows that ever were.
type dataset struct {
	lines
	keys   []string           // those of the first build, ascending
	origin map[string]int     // number of the key that a key's row began as
	now    map[string]memo.ID // what the trees are to hold
	blocks *heap
	rand   *rand.Rand
	change int // number of the newest change
}

// newDataset makes n keys and their rows.
func newDataset(l lines, n int) (*dataset, error) {
	d := &dataset{
		lines: l, origin: make(map[string]int, n), now: make(map[string]memo.ID, n), blocks: newHeap(),
		rand: rand.New(rand.NewPCG(2, 2)),
	}
	for i := range n {
		key, err := d.key(i)
		if err != nil {
			return nil, err
		}
		d.origin[key] = i
		row, err := d.first(key)
		if err != nil {
			return nil, err
		}
		if d.now[key], err = d.put(row); err != nil {
			return nil, err
		}
	}
	d.keys = slices.Sorted(maps.Keys(d.now))
	if len(d.keys) != n {
		return nil, fmt.Errorf("%d of %d keys are alike; take another column with --key", n-len(d.keys), n)
	}
	return d, nil
}

// key returns key i. Its separator is a slash: Lightcone's own is a zero byte,
// which indigo refuses, so that both sides get the same bytes.
func (d *dataset) key(i int) (string, error) {
	head := d.topic + "/" + d.lines.keys[i%len(d.lines.keys)] + ":"
	const safe = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_:.~-/"
	if strings.Trim(head, safe) != "" || strings.Count(head, "/") != 1 {
		return "", fmt.Errorf("key %q: indigo takes letters, digits and _:.~- only; choose another column with --key", head)
	}
	sum := memo.Sum(binary.BigEndian.AppendUint64([]byte(head), uint64(i)))
	return head + hex.EncodeToString(sum[:])[:max(minDigits, keySize-len(head))], nil
}

// first returns the row that a key had first.
func (d *dataset) first(key string) (merge.Row, error) {
	i := d.origin[key]
	var deltas []memo.Delta
	for k, field := range d.fields {
		v, err := memo.Text(d.texts[i%len(d.texts)][k])
		if err != nil {
			return merge.Row{}, fmt.Errorf("column %q: %w", field, err)
		}
		deltas = append(deltas, memo.Delta{Field: field, Op: memo.Op{Set: true, Value: v}})
	}
	return rowOfDeltas(stamp("import", i/rowsPerMemo+1), key, deltas)
}

// stamp names memo seq of an author.
func stamp(author string, seq int) merge.Stamp {
	const start = 1_700_000_000_000 << 16 // some time in 2023
	id := memo.Sum(binary.BigEndian.AppendUint64([]byte(author), uint64(seq)))
	return merge.Stamp{Time: memo.Time(start + seq<<16), Author: memo.Author(memo.Sum([]byte(author))), ID: id, Seq: uint64(seq)}
}

func rowOfDeltas(s merge.Stamp, key string, deltas []memo.Delta) (merge.Row, error) {
	slices.SortFunc(deltas, func(a, b memo.Delta) int { return cmp.Compare(a.Field, b.Field) })
	return merge.Delta(s, memo.RowEdit{Row: memo.Bytes(key), Deltas: deltas})
}

// errInlined reports rows so short that only indigo would make blocks of them.
var errInlined = errors.New("rows so short are no blocks of their own in Lightcone; take data with more fields")

// put keeps the block of a row and returns its digest.
func (d *dataset) put(row merge.Row) (memo.ID, error) {
	data, err := row.Encode()
	if err != nil {
		return memo.ID{}, err
	}
	if len(data) <= merge.InlineMax {
		return memo.ID{}, fmt.Errorf("a row of %d bytes: %w", len(data), errInlined)
	}
	id := memo.Sum(data)
	d.blocks.put(id, data)
	return id, nil
}

// entries returns all that the trees are to hold, ascending.
func (d *dataset) entries() []entry {
	out := make([]entry, 0, len(d.now))
	for _, key := range slices.Sorted(maps.Keys(d.now)) {
		out = append(out, entry{key: key, row: d.now[key], fresh: true})
	}
	return out
}

// pick returns n keys, ascending: neighbours or not, of the tree or new. New keys
// are right behind those of the first build.
func (d *dataset) pick(n int, clustered, fresh bool) []string {
	n = min(n, len(d.keys)/2)
	start, picked := d.rand.IntN(len(d.keys)-n), map[string]bool{}
	for i := 0; len(picked) < n; i++ {
		key := d.keys[(start+i)%len(d.keys)]
		if !clustered {
			key = d.keys[d.rand.IntN(len(d.keys))]
		}
		if fresh {
			origin := d.origin[key]
			key = fmt.Sprintf("%s~%d", key[:len(key)-2], d.rand.IntN(10))
			if _, ok := d.now[key]; ok {
				continue
			}
			d.origin[key] = origin
		}
		picked[key] = true
	}
	return slices.Sorted(maps.Keys(picked))
}

// batch makes entries that change keys, whose rows and blocks it makes, and the
// deltas that make those rows out of the ones before. The trees are to hold them
// when record is called.
func (d *dataset) batch(keys []string) (out []entry, deltas [][]byte, err error) {
	for _, key := range keys {
		_, old := d.now[key]
		row, err := d.first(key)
		if err != nil {
			return nil, nil, err
		}
		delta, err := d.edit(key)
		if err != nil {
			return nil, nil, err
		}
		state, err := delta.Encode()
		if err != nil {
			return nil, nil, err
		}
		id, err := d.put(merge.Join(row, delta))
		if err != nil {
			return nil, nil, err
		}
		out, deltas = append(out, entry{key: key, row: id, fresh: !old}), append(deltas, state)
	}
	return out, deltas, nil
}

// edit is the next change: somebody writes the last field of a row.
func (d *dataset) edit(key string) (merge.Row, error) {
	const laterThanAll = 1 << 30
	d.change++
	last := len(d.fields) - 1
	v, err := memo.Text(fmt.Sprintf("%s %d", d.texts[d.origin[key]%len(d.texts)][last], d.change))
	if err != nil {
		return merge.Row{}, err
	}
	return rowOfDeltas(stamp("editor", laterThanAll+d.change), key,
		[]memo.Delta{{Field: d.fields[last], Op: memo.Op{Set: true, Value: v}}})
}

// record notes that the trees hold a batch.
func (d *dataset) record(batch []entry) {
	for _, e := range batch {
		d.now[e.key] = e.row
	}
}

// size returns the bytes of the blocks of a batch's rows.
func (d *dataset) size(batch []entry) (bytes int) {
	for _, e := range batch {
		bytes += len(d.blocks.get(e.row))
	}
	return bytes
}
