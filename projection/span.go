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
// is the most rows wanted; 0 means all. Reverse turns the order around. After, a
// key as merge.RowKey makes it, leaves out what comes up to and with that key in
// the order asked for, whether there is such a row or not.
type Range struct {
	Topic  string
	Prefix string
	From   string // inclusive
	To     string // exclusive
	Limit  int

	Reverse bool
	After   string
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
	s := span{reverse: q.Reverse}
	if q.Topic != "" {
		prefix := merge.RowKey(q.Topic, q.Prefix)
		s.lo, s.hi = max(prefix, merge.RowKey(q.Topic, q.From)), successor(prefix)
		if q.To != "" {
			s.hi = min(s.hi, merge.RowKey(q.Topic, q.To))
		}
	}
	if q.After != "" {
		s = s.after(q.After)
	}
	return s
}

// span is an interval of row keys: from lo on, below hi; an empty hi is no bound.
// It is walked upward, or downward when reverse is set.
type span struct {
	lo, hi  string
	reverse bool
}

// after is what remains of s behind a key.
func (s span) after(key string) span {
	switch {
	case !s.reverse:
		s.lo = max(s.lo, key+"\x00") // the least key above it
	case s.hi == "":
		s.hi = key
	default:
		s.hi = min(s.hi, key)
	}
	return s
}

// first reports whether a comes before b in the order of the walk.
func (s span) first(a, b string) bool {
	if s.reverse {
		a, b = b, a
	}
	return a < b
}

func (s span) holds(key string) bool { return key >= s.lo && (s.hi == "" || key < s.hi) }

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
