package projection

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lightcone/merge"
)

// TestScan reads one set of rows through every split of it over the layers.
func TestScan(t *testing.T) {
	rows := []Change{
		change(spaceA, 1, 1, topic("t", put("", "x"), put("a", "x"), put("ab", "x"), put("b", "x"))),
		change(spaceA, 2, 1, topic("t", put("ac", "x"), put("\xff\xff", "x")), topic("tt", put("a", "x"))),
		change(spaceA, 3, 1, topic("s", put("z", "x")), topic("t", del("ab"), put("b", "y"))),
		change(spaceB, 4, 1, topic("t", put("elsewhere", "x"))),
	}
	cases := []struct {
		name string
		q    Range
		want []string
	}{
		{"all topics", Range{}, []string{"s\x00z", "t\x00", "t\x00a", "t\x00ac", "t\x00b", "t\x00\xff\xff", "tt\x00a"}},
		{"a topic", Range{Topic: "t"}, []string{"t\x00", "t\x00a", "t\x00ac", "t\x00b", "t\x00\xff\xff"}},
		{"a topic that starts like another", Range{Topic: "tt"}, []string{"tt\x00a"}},
		{"an unknown topic", Range{Topic: "u"}, nil},
		{"a prefix", Range{Topic: "t", Prefix: "a"}, []string{"t\x00a", "t\x00ac"}},
		{"a prefix without a successor", Range{Topic: "t", Prefix: "\xff"}, []string{"t\x00\xff\xff"}},
		{"from is inclusive", Range{Topic: "t", From: "ac"}, []string{"t\x00ac", "t\x00b", "t\x00\xff\xff"}},
		{"to is exclusive", Range{Topic: "t", To: "b"}, []string{"t\x00", "t\x00a", "t\x00ac"}},
		{"all at once", Range{Topic: "t", Prefix: "a", From: "a", To: "ac"}, []string{"t\x00a"}},
		{"bounds that cross", Range{Topic: "t", From: "b", To: "a"}, nil},
		{"a limit", Range{Topic: "t", Limit: 3}, []string{"t\x00", "t\x00a", "t\x00ac"}},
		{"reverse", Range{Topic: "t", Reverse: true}, []string{"t\x00\xff\xff", "t\x00b", "t\x00ac", "t\x00a", "t\x00"}},
		{"reverse, all topics", Range{Reverse: true, Limit: 2}, []string{"tt\x00a", "t\x00\xff\xff"}},
		{"reverse within bounds", Range{Topic: "t", From: "a", To: "b", Reverse: true}, []string{"t\x00ac", "t\x00a"}},
		{"after a row", Range{Topic: "t", After: "t\x00a"}, []string{"t\x00ac", "t\x00b", "t\x00\xff\xff"}},
		{"after no row", Range{After: "t\x00az"}, []string{"t\x00b", "t\x00\xff\xff", "tt\x00a"}},
		{"after, in reverse", Range{Topic: "t", After: "t\x00ac", Reverse: true}, []string{"t\x00a", "t\x00"}},
		{"after the end", Range{Topic: "t", After: "tt\x00a"}, nil},
		{"a limit counts live rows", Range{Topic: "t", From: "ab", Limit: 1}, []string{"t\x00ac"}},
	}
	for flushed := 0; flushed <= len(rows); flushed++ {
		db := open(t, Options{FlushInterval: never})
		for i, c := range rows {
			must(t, db.Apply(uint64(i+1), []Change{c}))
			if i+1 == flushed {
				must(t, db.Flush())
			}
		}
		s := snapshot(t, db)
		for _, c := range cases {
			if diff := cmp.Diff(c.want, scanKeys(t, s, spaceA, c.q)); diff != "" {
				t.Errorf("%d memos in the file, %s (-want +got):\n%s", flushed, c.name, diff)
			}
			if n, err := s.Count(spaceA, c.q); err != nil || n != len(c.want) {
				t.Errorf("%d memos in the file, %s: Count = %d, %v", flushed, c.name, n, err)
			}
		}
		s.Close()
	}
}

func TestBadRanges(t *testing.T) {
	s := snapshot(t, open(t, Options{}))
	defer s.Close()
	for _, q := range []Range{{Limit: -1}, {Prefix: "a"}, {From: "a"}, {To: "a"}, {Topic: "a\x00b"}} {
		if _, err := s.Count(spaceA, q); !errors.Is(err, ErrRange) {
			t.Errorf("Count %+v: %v, want ErrRange", q, err)
		}
	}
}

// TestTombstones: a deleted row is hidden from scans, counts and Get, but its
// state stays, with the stamp of who deleted it, in memory and in the file.
func TestTombstones(t *testing.T) {
	db := open(t, Options{FlushInterval: never})
	deletion := change(spaceA, 2, 2, topic("t", del("gone")))
	must(t, db.Apply(1, []Change{edits(1, "x", "gone", "here")}))
	must(t, db.Flush())
	must(t, db.Apply(2, []Change{deletion}))
	for _, where := range []string{"in memory", "in the file"} {
		s := snapshot(t, db)
		row, live, err := s.Get(spaceA, "t", "gone")
		if err != nil || live || row.Tombstone != deletion.Stamp {
			t.Errorf("%s: Get = %+v, %v, %v", where, row, live, err)
		}
		if diff := cmp.Diff([]string{merge.RowKey("t", "here")}, scanKeys(t, s, spaceA, Range{Topic: "t"})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", where, diff)
		}
		if got := states(t, s, spaceA); len(got) != 2 || got[merge.RowKey("t", "gone")] == "" {
			t.Errorf("%s: the states are %q", where, got)
		}
		s.Close()
		must(t, db.Flush())
	}
}
