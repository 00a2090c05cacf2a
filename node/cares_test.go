package node

import (
	"testing"

	"lightcone/memo"
)

// Memos that change a row which somebody follows are cared about, until the feed is
// closed; a feed of a whole topic makes none of them special.
func TestFollowedRowsAreCaredAbout(t *testing.T) {
	s, err := openNode(t, t.TempDir(), Options{}).CreateSpace("default", Policy{})
	if err != nil {
		t.Fatal(err)
	}
	m := func(topic, row string) *memo.Memo {
		m, err := memo.New(memo.Memo{
			Space: s.id, Author: memo.Author{1}, Seq: 2, Prev: memo.ID{1}, Time: 1,
			Body: &memo.Edit{Topics: []memo.TopicEdit{{Topic: topic, Rows: []memo.RowEdit{{
				Row: memo.Bytes(row), Deltas: []memo.Delta{{Op: memo.Op{Set: true, Value: memo.Int(1)}}},
			}}}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	whole, err := s.Session().Follow(t.Context(), Query{Topic: "t"}, Cursor{})
	if err != nil {
		t.Fatal(err)
	}
	defer whole.Close()
	if s.node.follows.care(m("t", "mine")) {
		t.Error("a feed of a whole topic has all of it heard")
	}
	some, err := s.Session().Follow(t.Context(), Query{Topic: "t", Prefix: "mi"}, Cursor{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		topic, row string
		want       bool
	}{{"t", "mine", true}, {"t", "other", false}, {"u", "mine", false}} {
		if got := s.node.follows.care(m(c.topic, c.row)); got != c.want {
			t.Errorf("%s/%s: %v", c.topic, c.row, got)
		}
	}
	elsewhere := m("t", "mine")
	elsewhere.Space = memo.SpaceID{9}
	if s.node.follows.care(elsewhere) {
		t.Error("a row of another space is cared about")
	}
	if err := some.Close(); err != nil {
		t.Fatal(err)
	}
	if s.node.follows.care(m("t", "mine")) {
		t.Error("a feed that was closed is cared about")
	}
}
