package node

import (
	"sync"

	"lightcone/memo"
	"lightcone/merge"
)

// follows are the rows that somebody here follows: memos that change them are heard,
// whatever is offered. Feeds of a whole topic are none: they follow what is taken in.
type follows struct {
	mu    sync.Mutex
	feeds map[*Feed]struct{}
}

// add notes a feed that selects some rows of a topic.
func (s *follows) add(f *Feed) {
	if f.query.Prefix == "" && f.query.From == "" && f.query.To == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.feeds == nil {
		s.feeds = map[*Feed]struct{}{}
	}
	s.feeds[f] = struct{}{}
}

func (s *follows) remove(f *Feed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.feeds, f)
}

// care reports whether somebody follows a row that the memo changes.
func (s *follows) care(m *memo.Memo) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.feeds) == 0 {
		return false
	}
	for key := range merge.RowEdits(m) {
		topic, row, _ := merge.SplitRowKey(key) // made by RowKey
		for f := range s.feeds {
			if f.session.space.id == m.SpaceID() && f.query.selects(topic, row) {
				return true
			}
		}
	}
	return false
}
