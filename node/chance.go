package node

import (
	crand "crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"sync"
)

// chance is where a node's lots come from. Nobody can tell what it will draw next:
// peers must not know which of their states are looked into. Any goroutine may draw.
type chance struct {
	mu     sync.Mutex
	source *rand.ChaCha8
}

// newChance returns the chance of a seed, of one that nobody knows if it is 0.
func newChance(seed uint64) *rand.Rand {
	var key [32]byte
	if seed == 0 {
		crand.Read(key[:]) // never fails
	} else {
		key = sha256.Sum256(binary.BigEndian.AppendUint64([]byte("lightcone/chance/1"), seed))
	}
	return rand.New(&chance{source: rand.NewChaCha8(key)})
}

// Uint64 makes it a rand.Source.
func (c *chance) Uint64() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.source.Uint64()
}
