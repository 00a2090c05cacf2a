package projection

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/merge/mergetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// never keeps the flusher asleep until it is asked.
const never = time.Hour

var (
	spaceA = memo.SpaceID(memo.Sum([]byte("space a")))
	spaceB = memo.SpaceID(memo.Sum([]byte("space b")))
)

// fataler is a *testing.T, *testing.B or *rapid.T.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func mustOpen(t fataler, path string, o Options) *DB {
	t.Helper()
	db, err := Open(path, o)
	must(t, err)
	return db
}

func must(t fataler, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v", err)
	}
}

// open opens a new projection that is closed with the test.
func open(t testing.TB, o Options) *DB {
	t.Helper()
	db := mustOpen(t, filepath.Join(t.TempDir(), "projection"), o)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return db
}

func snapshot(t fataler, db *DB) *Snapshot {
	t.Helper()
	s, err := db.Snapshot()
	must(t, err)
	return s
}

// change makes the change of a memo from its edit; equal edits by one author at
// one time are the same memo.
func change(space memo.SpaceID, at memo.Time, author int, topics ...memo.TopicEdit) Change {
	c := Change{
		Space: space,
		Stamp: merge.Stamp{Time: at, Author: mergetest.Author(author), Seq: 1 + uint64(at)},
		Edit:  &memo.Edit{Topics: topics},
	}
	c.Edit.Sort()
	data, err := memo.Marshal([]any{space, at, author, c.Edit.Topics})
	if err != nil {
		panic(err)
	}
	c.Stamp.ID = memo.Sum(data)
	return c
}

// put writes text into the field "" of a row.
func put(row, text string) memo.RowEdit {
	v, err := memo.Text(text)
	if err != nil {
		panic(err)
	}
	return memo.RowEdit{Row: memo.Bytes(row), Deltas: []memo.Delta{{Op: memo.Op{Set: true, Value: v}}}}
}

func del(row string) memo.RowEdit { return memo.RowEdit{Row: memo.Bytes(row), Tombstone: true} }

func topic(name string, rows ...memo.RowEdit) memo.TopicEdit {
	return memo.TopicEdit{Topic: name, Rows: rows}
}

// record is what one Apply took: memos, or the states that memos make.
type record struct {
	lsn     uint64
	changes []Change
	adopted bool // only their states were given
}

// given is what Apply was given.
func (r record) given(t fataler) []Change {
	t.Helper()
	if !r.adopted {
		return r.changes
	}
	var out []Change
	for _, space := range []memo.SpaceID{spaceA, spaceB} {
		c, rows := Change{Space: space}, fold(t, []record{{lsn: r.lsn, changes: r.changes}}, r.lsn, space)
		for _, key := range slices.Sorted(maps.Keys(rows)) {
			c.Rows = append(c.Rows, merge.KeyedRow{Key: key, State: []byte(rows[key])})
		}
		out = append(out, c)
	}
	return out
}

// fold is the naive interpreter: the encoded state of every row of a space after
// the records up to lsn, worked out from all their writes at once.
func fold(t fataler, log []record, lsn uint64, space memo.SpaceID) map[string]string {
	t.Helper()
	writes := map[string][]mergetest.Write{}
	for _, r := range log {
		for _, c := range r.changes {
			for _, tp := range c.Edit.Topics {
				for _, e := range tp.Rows {
					if r.lsn <= lsn && c.Space == space {
						key := merge.RowKey(tp.Topic, string(e.Row))
						writes[key] = append(writes[key], mergetest.Write{Stamp: c.Stamp, Edit: e})
					}
				}
			}
		}
	}
	rows := map[string]string{}
	for key, ws := range writes {
		state, err := mergetest.Naive(ws).Encode()
		must(t, err)
		rows[key] = string(state)
	}
	return rows
}

// states collects what States yields and checks its order.
func states(t fataler, s *Snapshot, space memo.SpaceID) map[string]string {
	t.Helper()
	rows := map[string]string{}
	last := ""
	for r, err := range s.States(space) {
		must(t, err)
		if r.Key <= last {
			t.Fatalf("States yields %q after %q", r.Key, last)
		}
		last = r.Key
		rows[r.Key] = string(r.State)
	}
	return rows
}

// sameStates checks a snapshot against the naive interpreter.
func sameStates(t fataler, s *Snapshot, log []record) {
	t.Helper()
	for _, space := range []memo.SpaceID{spaceA, spaceB} {
		want, got := fold(t, log, s.LSN(), space), states(t, s, space)
		if len(got) != len(want) {
			t.Fatalf("at LSN %d there are %d states, the naive interpreter has %d", s.LSN(), len(got), len(want))
		}
		for key, state := range want {
			if got[key] != state {
				t.Fatalf("at LSN %d the state of %q is %q, the naive interpreter has %q", s.LSN(), key, got[key], state)
			}
		}
	}
}

// naiveScan answers q from folded rows.
func naiveScan(t fataler, rows map[string]string, q Range) (keys []string) {
	t.Helper()
	sorted := slices.Sorted(maps.Keys(rows))
	if q.Reverse {
		slices.Reverse(sorted)
	}
	for _, key := range sorted {
		state, err := merge.DecodeRow([]byte(rows[key]))
		must(t, err)
		tp, row, _ := merge.SplitRowKey(key)
		switch {
		case q.After != "" && (key == q.After || key > q.After == q.Reverse):
		case !state.Live(), q.Topic != "" && tp != q.Topic, !strings.HasPrefix(row, q.Prefix):
		case row < q.From, q.To != "" && row >= q.To, q.Limit > 0 && len(keys) == q.Limit:
		default:
			keys = append(keys, key)
		}
	}
	return keys
}

func scanKeys(t fataler, s *Snapshot, space memo.SpaceID, q Range) (keys []string) {
	t.Helper()
	for it, err := range s.Scan(space, q) {
		must(t, err)
		keys = append(keys, merge.RowKey(it.Topic, it.Row))
	}
	return keys
}

// crashCopy copies the file of db, between two flushes, as a crash would leave it.
func crashCopy(t fataler, db *DB, to string) {
	t.Helper()
	db.mu.Lock()
	defer db.mu.Unlock()
	for db.head.Load().flushing != nil {
		db.turn.Wait()
	}
	data, err := os.ReadFile(db.file.path)
	must(t, err)
	must(t, os.WriteFile(to, data, 0o600))
}

var rowNames = []string{"", "a", "a\x00", "ab", "b", "\xff", "\xff\xff"}

// changes generates memos over few rows, stamps and fields, so that they meet.
func changes() *rapid.Generator[Change] {
	return rapid.Custom(func(t *rapid.T) Change {
		space := rapid.SampledFrom([]memo.SpaceID{spaceA, spaceB}).Draw(t, "space")
		at := memo.Time(rapid.IntRange(0, 9).Draw(t, "time"))
		author := rapid.IntRange(1, 3).Draw(t, "author")
		var topics []memo.TopicEdit
		for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"t", "tt", "u"}), 1, 2, rapid.ID).Draw(t, "topics") {
			rows := rapid.SliceOfNDistinct(rapid.SampledFrom(rowNames), 1, 4, rapid.ID).Draw(t, "rows")
			edits := make([]memo.RowEdit, len(rows))
			for i, row := range rows {
				edits[i] = mergetest.Edits(mergetest.Author(author), nil).Draw(t, "edit")
				edits[i].Row = memo.Bytes(row)
			}
			topics = append(topics, topic(name, edits...))
		}
		return change(space, at, author, topics...)
	})
}
