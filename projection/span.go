package projection

import (
	"errors"
	"fmt"

	"lightcone/memo"
	"lightcone/merge"
)

// ErrRange reports a Range that asks for something it cannot mean.
var ErrRange = errors.New("invalid range")

// Range selects rows of one topic, or of all topics when Topic is empty, in
// ascending order of (topic, row). Within a topic it can be narrowed by row key:
// those that start with Prefix, from From on, below To (empty: no bound). Limit
// is the most rows wanted; 0 means all.
type Range struct {
	Topic  string
	Prefix string
	From   string // inclusive
	To     string // exclusive
	Limit  int
}

// Validate tells whether q can be answered.
func (q Range) Validate() error {
	switch {
	case q.Limit < 0:
		return fmt.Errorf("%w: a limit of %d rows; 0 means all", ErrRange, q.Limit)
	case q.Topic == "" && q.Prefix+q.From+q.To != "":
		return fmt.Errorf("%w: a prefix or bound of row keys needs a topic", ErrRange)
	case q.Topic == "":
		return nil
	}
	if err := memo.CheckTopic(q.Topic); err != nil {
		return fmt.Errorf("%w: %w", ErrRange, err)
	}
	return nil
}

func (q Range) span() span {
	if q.Topic == "" {
		return span{}
	}
	prefix := merge.RowKey(q.Topic, q.Prefix)
	s := span{lo: max(prefix, merge.RowKey(q.Topic, q.From)), hi: successor(prefix)}
	if q.To != "" {
		s.hi = min(s.hi, merge.RowKey(q.Topic, q.To))
	}
	return s
}

// span is an interval of row keys: from lo on, below hi; an empty hi is no bound.
type span struct{ lo, hi string }

func (s span) below(key []byte) bool { return s.hi == "" || string(key) < s.hi }

// successor returns the least string above all that start with prefix, which
// must hold a byte other than 0xff, as every row key does.
func successor(prefix string) string {
	b := []byte(prefix)
	for b[len(b)-1] == 0xff {
		b = b[:len(b)-1]
	}
	b[len(b)-1]++
	return string(b)
}
