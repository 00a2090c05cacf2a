// Skips reads the output of `go test -json` on standard input, prints what plain
// `go test` would have printed, then lists every skipped test with its reason.
// It exits with 1 if a skipped test is not in the file it was given:
//
//	go test -json ./... | go run ./internal/tidy/skips .ci/allowed-skips.txt
//
// A line of that file is a package and a test, with a comment that says why the
// skip is right: "lightcone/store TestDiskFull # the kernel has no tmpfs". Whether tests
// failed is told by the exit status of go test, not by this command.
package main
