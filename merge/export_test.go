package merge

// Priority exposes the hash that places node boundaries to the tests.
func Priority(p Params, level, dom int, key string) [32]byte {
	return newPriorities(p).of(level, dom, key)
}

// Limits of a Walk: of what Frontier returns, and of blocks read by one Next.
const (
	MaxFrontier = maxFrontier
	HeldPerCall = heldPerCall
)

// Frontier returns how many blocks a walk knows of and has not asked for.
func Frontier(w *Walk) int { return w.front.Len() }
