// Package tidy holds the laws of this code base that no compiler checks. It is
// run by its own test, so that `go test ./...` is the gate; a broken law is a
// failing test that names the file, the line and the way out.
//
// The laws, one file each:
//
//   - layers.go: which package may import which of this module (the drawing in
//     ARCHITECTURE.md), and which room alone may import a third-party library.
//   - pure.go: rooms that start no goroutine, read no clock, touch no file, no
//     network and no randomness but what they are given.
//   - portable.go: rooms that come to the same on every processor, to the last bit.
//   - names.go: the fixed top-level folders, the alias causal, and a package
//     comment in every doc.go.
//   - length.go: a function fits one screen, a file one sitting.
//
// Test files are free to import what they need; lengths and the alias bind them
// too. Generated files, testdata and nested modules are exempt from everything.
//
// What it cannot see: syntax alone does not tell a map from a slice, so the rule
// that pure rooms let no map order show is left to their tests.
package tidy
