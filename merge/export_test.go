package merge

// Priority exposes the hash that places node boundaries to the tests.
func Priority(p Params, level, dom int, key string) [32]byte {
	return newPriorities(p).of(level, dom, key)
}
