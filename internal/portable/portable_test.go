package portable

import (
	"hash/fnv"
	"math"
	"testing"

	"pgregory.net/rapid"
)

// near fails unless two numbers differ by less than so many units in the last place of
// the second, or by less than one of 1/scale.
func near(t *rapid.T, name string, x, got, want, units, scale float64) {
	ulp := math.Abs(math.Nextafter(want, math.Inf(1)) - want)
	if math.Abs(got-want) > max(units*ulp, 0x1p-52*scale) && !(math.IsNaN(got) && math.IsNaN(want)) && got != want {
		t.Fatalf("%s(%v) is %v, and package math has %v: %v units", name, x, got, want, (got-want)/ulp)
	}
}

// TestNear: the functions are those of package math, but for the last bits.
func TestNear(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		any := rapid.OneOf(rapid.Float64Range(-800, 800), rapid.Float64Range(-1, 1), rapid.Float64Range(-1e-6, 1e-6), rapid.Float64()).Draw(t, "any")
		near(t, "Exp", any, Exp(any), math.Exp(any), 3, 0)
		near(t, "Expm1", any, Expm1(any), math.Expm1(any), 4, 0)
		if normal := math.Abs(any) >= 0x1p-1022; normal || any == 0 { // TestSmallest has the others
			near(t, "Log", any, Log(any), math.Log(any), 3, 0)
		}
		near(t, "Log1p", any, Log1p(any), math.Log1p(any), 4, 0)
		angle := rapid.Float64Range(-4*math.Pi, 4*math.Pi).Draw(t, "angle")
		near(t, "Cos", angle, Cos(angle), math.Cos(angle), 0, 16)
		x, y := rapid.Float64Range(1e-3, 1e3).Draw(t, "x"), rapid.Float64Range(-20, 20).Draw(t, "y")
		near(t, "Pow", x, Pow(x, y), math.Pow(x, y), 4+math.Abs(y)+2*math.Abs(y*math.Log(x)), 0)
	})
}

// TestEdges: what has no ordinary result has package math's.
func TestEdges(t *testing.T) {
	for _, x := range []float64{0, 1, -1, 0.5, -750, -745.1, -708.5, 709.7, 711, math.MaxFloat64, -math.MaxFloat64, 1e-307, math.Inf(1), math.Inf(-1), math.NaN()} {
		for _, f := range []struct {
			name      string
			got, want float64
		}{
			{"Exp", Exp(x), math.Exp(x)},
			{"Log", Log(x), math.Log(x)},
			{"Log1p", Log1p(x), math.Log1p(x)},
			{"Expm1", Expm1(x), math.Expm1(x)},
			{"Pow(0.3, x)", Pow(0.3, x), math.Pow(0.3, x)},
			{"Pow(|x|, 0.5)", Pow(math.Abs(x), 0.5), math.Pow(math.Abs(x), 0.5)},
		} {
			same := f.got == f.want || math.IsNaN(f.got) && math.IsNaN(f.want)
			if !same && !(math.Abs(f.got-f.want) <= 1e-13*math.Abs(f.want)) && !(f.want < 1e-300 && math.Abs(f.got-f.want) <= 1e-320) {
				t.Errorf("%s of %v is %v, and package math has %v", f.name, x, f.got, f.want)
			}
		}
	}
}

// TestSmallest: of the smallest floats, too, the logarithm is right, which amd64's assembly
// in package math takes for others.
func TestSmallest(t *testing.T) {
	for bit := range 52 {
		want := float64(bit-1074) * math.Ln2
		if got := Log(math.Ldexp(1, bit-1074)); math.Abs(got-want) > 1e-12 {
			t.Errorf("that of 2^%d is %v, not %v", bit-1074, got, want)
		}
	}
}

// TestGolden: every bit of the functions is as it was written here, on whatever processor
// this runs.
func TestGolden(t *testing.T) {
	for name, f := range map[string]struct {
		of   func(x float64) float64
		want uint64
	}{
		"Exp":   {func(x float64) float64 { return Exp(float64(40*x) - 20) }, 0x8dbee06297b555f},
		"Expm1": {func(x float64) float64 { return Expm1(float64(2*x) - 1) }, 0xfde3b98968343efc},
		"Log":   {func(x float64) float64 { return Log(100 * x) }, 0x466b2ec02506f3d7},
		"Log1p": {func(x float64) float64 { return Log1p(float64(2*x) - 1) }, 0x3a53a62ae03aaa85},
		"Pow":   {func(x float64) float64 { return Pow(3*x, 4.5-x) }, 0x88725e62265bc54f},
		"Cos":   {func(x float64) float64 { return Cos(float64(20*x) - 10) }, 0xd4aaaf83bb5caeb0},
	} {
		sum := fnv.New64a()
		for i := range 10_000 {
			b := math.Float64bits(f.of((float64(i) + 0.5) / 10_000))
			sum.Write([]byte{byte(b), byte(b >> 8), byte(b >> 16), byte(b >> 24), byte(b >> 32), byte(b >> 40), byte(b >> 48), byte(b >> 56)})
		}
		if got := sum.Sum64(); got != f.want {
			t.Errorf("%s: the bits have the digest %#x, not %#x", name, got, f.want)
		}
	}
}
