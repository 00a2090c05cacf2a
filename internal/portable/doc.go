// Package portable has functions of package math whose last bit is the same on every
// processor.
//
// Those of package math are not: some processors have assembly of their own for Exp or
// Log, and where there is an instruction for x*y+z (arm64, ppc64le, riscv64, s390x, amd64
// from GOAMD64=v3 on) the compiler may use it, which rounds once and not twice. A number
// that decides what a replica does or when, or what a simulation comes to, is calculated
// with these functions, so that equal seeds have equal results everywhere.
//
// What is written in Go is the same on every processor under three rules, which hold here:
// of +, −, × and ÷ and the square root IEEE 754 says every bit; a product that is added
// to something is rounded first, float64(x*y), which forbids to fuse the two; a float
// becomes an integer only where that can hold it.
//
// The functions are off by a few units in the last place, which the tests bound, and
// slower than those of package math: they take about 50 ns.
package portable
