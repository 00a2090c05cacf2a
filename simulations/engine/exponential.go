package engine

import (
	"math/bits"
	"time"
)

const (
	// logBits is how many bits of a number choose the entry of logs: between two of them
	// a line is off by less than 3·10⁻⁶.
	logBits = 8
	// ln2 is the natural logarithm of 2, times 2⁶⁴.
	ln2 = 0xb17217f7d1cf79ab
)

// logs are the logarithms to base 2 of 1 + i/2⁸, times 2³².
var logs = func() (all [1<<logBits + 1]uint64) {
	for i := range all {
		all[i] = log2(1<<63 + uint64(i)<<(63-logBits))
	}
	all[1<<logBits] = 1 << 32
	return all
}()

// log2 is the logarithm to base 2 of m/2⁶³, of [1, 2), times 2³². Each squaring of m
// doubles it, so that its next bit is whether m comes to 2.
func log2(m uint64) (log uint64) {
	for range 32 {
		hi, lo := bits.Mul64(m, m)
		log <<= 1
		if hi>>63 == 1 {
			m = hi
			log++
		} else {
			m = hi<<1 | lo>>63
		}
	}
	return log
}

// exponential maps 64 random bits to an exponential span, at least a tick: the inverse
// of its distribution, −mean · ln(x/2⁶⁴), in whole numbers, so that it is the same on
// any machine.
func exponential(mean time.Duration, x uint64) Time {
	x |= 1
	zeros := bits.LeadingZeros64(x)
	x <<= zeros + 1 // what is behind its first bit
	i := x >> (64 - logBits)
	log := logs[i] + (logs[i+1]-logs[i])*(x<<logBits>>32)>>32
	hi, lo := bits.Mul64(uint64(zeros+1)<<32-log, uint64(mean))
	if hi >= 1<<31 {
		return End // longer than a time.Duration may hold
	}
	hi, _ = bits.Mul64(hi<<32|lo>>32, ln2)
	return max(1, Ticks(time.Duration(hi)))
}
