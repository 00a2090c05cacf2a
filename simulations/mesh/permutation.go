package mesh

import "math/bits"

// permutation is a pseudorandom permutation of the numbers below n, by a Feistel
// network over the next power of four and cycle walking (Black, Rogaway 2002): each
// shard looks up the links of its own peers, and nobody keeps a table.
type permutation struct {
	n   uint32
	key uint64
}

const rounds = 4

// half is how many bits a half of the network has.
func (c permutation) half() int { return max(1, (bits.Len32(c.n-1)+1)/2) }

func (c permutation) f(round int, x uint32) uint32 {
	h := (uint64(x)+1)*0x9e3779b97f4a7c15 ^ c.key ^ uint64(round)<<56
	h = (h ^ h>>31) * 0xbf58476d1ce4e5b9
	return uint32(h >> 32)
}

// place returns where x goes, at what comes to a place: they are inverses.
func (c permutation) place(x uint32) uint32 { return c.walk(x, false) }
func (c permutation) at(x uint32) uint32    { return c.walk(x, true) }

func (c permutation) walk(x uint32, back bool) uint32 {
	for {
		if x = c.pass(x, back); x < c.n {
			return x
		}
	}
}

func (c permutation) pass(x uint32, back bool) uint32 {
	half := c.half()
	mask := uint32(1)<<half - 1
	l, r := x>>half, x&mask
	for k := range rounds {
		if back {
			l, r = r^c.f(rounds-1-k, l)&mask, l
		} else {
			l, r = r, l^c.f(k, r)&mask
		}
	}
	return l<<half | r
}
