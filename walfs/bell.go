package walfs

import "sync"

// bell wakes everyone who listens, at once and without polling. However many
// appends happen before a listener runs, it wakes once.
type bell struct {
	mu sync.Mutex
	ch chan struct{} // nil while nobody listens, so ringing costs nothing then
}

// listen returns a channel the next ring closes. To miss nothing, look for what
// is waited for after calling it.
func (b *bell) listen() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch == nil {
		b.ch = make(chan struct{})
	}
	return b.ch
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch != nil {
		close(b.ch)
		b.ch = nil
	}
}
