package causal

// Defaults of a Policy.
const (
	// DefaultLoose is a quarter of MaxLoose, so that contexts which grow to it can be
	// joined a few times before that needs a fold. A join memo or two gather as many.
	DefaultLoose = MaxLoose / 4
	// DefaultTail bounds the tail that a reader of the context has to fetch and join
	// beyond the root, in bytes: about one full run.
	DefaultTail = 256 << 10
	// DefaultPartMemos and DefaultPartBytes bound one partial fold, which somebody may
	// be waiting behind: some milliseconds of work.
	DefaultPartMemos = 1024
	DefaultPartBytes = DefaultTail
)

// Occasion is why a context may be folded now.
type Occasion uint8

// The occasions to fold.
const (
	Grown   Occasion = iota // it took in more
	Idle                    // its holder has nothing else to do
	Sending                 // it is about to be handed to somebody
	Asked                   // the user wants it, also amid a transaction
)

// Policy says when a context is folded, and how much of it. When and how much
// never changes what the context holds, only how it is written down and what that
// costs. The zero Policy folds everything, when asked and only then.
type Policy struct {
	Loose   int    // a context that grew beyond so many loose heads is due; 0: never for that
	Tail    int    // likewise, beyond so many bytes of tail
	Idle    bool   // it is due when its holder is idle
	Sending bool   // it is due before it is sent
	Part    Budget // the most that one fold takes, but when idle; zero: the whole tail
}

// DefaultPolicy returns the policy of who has no other: late folds of the dense
// parts while the context grows, all of it when there is nothing else to do. It
// does not fold before sending, for few heads are shorter than a root.
func DefaultPolicy() Policy {
	return Policy{
		Loose: DefaultLoose, Tail: DefaultTail, Idle: true,
		Part: Budget{Memos: DefaultPartMemos, Bytes: DefaultPartBytes},
	}
}

// Budget bounds a partial fold. A zero field is no bound.
type Budget struct {
	Memos int
	Bytes int // as Tail.Bytes counts them
}

// IsZero reports whether the budget bounds nothing.
func (b Budget) IsZero() bool { return b == Budget{} }

// admits reports whether so many memos, of so many bytes, are within the budget.
func (b Budget) admits(memos, bytes int) bool {
	return (b.Memos == 0 || memos <= b.Memos) && (b.Bytes == 0 || bytes <= b.Bytes)
}

// Due returns whether a context of so many loose heads and so many bytes of tail
// is to be folded, and how much of it at most. Above MaxLoose heads it always is,
// all of it.
func (p Policy) Due(on Occasion, loose, tail int) (Budget, bool) {
	switch {
	case loose == 0:
		return Budget{}, false
	case loose > MaxLoose:
		return Budget{}, true
	case on == Asked:
		return p.Part, true
	case on == Idle:
		return Budget{}, p.Idle
	case on == Sending && p.Sending:
		return p.Part, true
	}
	return p.Part, p.Loose > 0 && loose > p.Loose || p.Tail > 0 && tail > p.Tail
}
