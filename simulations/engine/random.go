package engine

// golden is 2⁶⁴ divided by the golden ratio, SplitMix64's increment.
const golden = 0x9e3779b97f4a7c15

// mix is the output function of SplitMix64 (Steele, Lea, Flood 2014): a bijection of
// 64 bits in which every bit of x moves half of the result's.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Draw returns the n-th number of a stream of its own for seed and id: a counter-based
// generator, so that nothing but these three decides it.
func Draw(seed uint64, id, n uint32) uint64 {
	return mix(mix(seed^mix(uint64(id)+golden)) + uint64(n)*golden)
}

// Unit maps 64 random bits to [0, 1).
func Unit(x uint64) float64 { return float64(float64(x>>11) / (1 << 53)) }
