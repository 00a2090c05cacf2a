package portable

import "math"

const (
	// ln2Hi and ln2Lo are ln 2 in two parts: the first has so few bits that its product
	// with any exponent of a float is exact.
	ln2Hi = 0x1.62e42feep-1
	ln2Lo = 0x1.a39ef35793c76p-33
	// expTerms and logTerms are how many terms of a series reach the last bit of its sum.
	expTerms, logTerms = 14, 11
	// smallest is e's exponent of the smallest float, and greatest of the greatest.
	smallest, greatest = -746, 710
)

// Exp returns eˣ.
func Exp(x float64) float64 {
	switch {
	case math.IsNaN(x) || x > greatest:
		return x * math.Inf(1)
	case x < smallest:
		return 0
	}
	k := math.Floor(x/math.Ln2 + 0.5)
	r := (x - float64(k*ln2Hi)) - float64(k*ln2Lo) // within ±(ln 2)/2
	return math.Ldexp(1+series(r), int(k))
}

// Expm1 returns eˣ − 1, exact also where x is small.
func Expm1(x float64) float64 {
	if math.Abs(x) < math.Ln2/2 {
		return series(x)
	}
	return Exp(x) - 1
}

// series is eˣ − 1 = x(1 + x/2(1 + x/3(…))) for |x| up to (ln 2)/2.
func series(x float64) float64 {
	sum := 1.0
	for n := expTerms; n > 1; n-- {
		sum = 1 + x*sum/float64(n)
	}
	return float64(x * sum)
}

// Log returns the natural logarithm of x; NaN below 0.
func Log(x float64) float64 {
	switch {
	case math.IsNaN(x) || x < 0:
		return math.NaN()
	case x == 0:
		return math.Inf(-1)
	case math.IsInf(x, 1):
		return x
	}
	f, e := math.Frexp(x)
	if f < math.Sqrt2/2 {
		f, e = 2*f, e-1
	}
	k := float64(e)
	return float64(k*ln2Hi) + (twiceAtanh((f-1)/(f+1)) + float64(k*ln2Lo))
}

// Log1p returns the natural logarithm of 1 + x, exact also where x is small.
func Log1p(x float64) float64 {
	if x > -0.25 && x < 0.375 { // the series needs no more terms than for Log
		return twiceAtanh(x / (2 + x))
	}
	return Log(1 + x)
}

// twiceAtanh is 2(s + s³/3 + s⁵/5 + …) = ln((1+s)/(1−s)) for |s| up to (√2−1)/(√2+1).
func twiceAtanh(s float64) float64 {
	square, sum := s*s, 0.0
	for n := logTerms; n > 0; n-- {
		sum = float64((sum + 1/float64(2*n+1)) * square)
	}
	return float64(2 * (s + float64(s*sum)))
}

// Pow returns xʸ for x of at least 0; NaN below.
func Pow(x, y float64) float64 {
	switch {
	case y == 1:
		return x
	case y == 0 || x == 1:
		return 1
	}
	return Exp(y * Log(x))
}

// Cos returns the cosine of x radians, for |x| up to 4π.
func Cos(x float64) float64 {
	x = math.Abs(x)
	for x > math.Pi {
		x -= 2 * math.Pi
	}
	square, term, sum := x*x, 1.0, 1.0
	for n := 2.0; n < cosTerms; n += 2 {
		term = -term * square / (n * (n - 1))
		sum += term
	}
	return sum
}

// cosTerms bounds the exponents of the series of the cosine for |x| up to π.
const cosTerms = 30
