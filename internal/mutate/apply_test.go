package main

import "testing"

// TestPatchesApply: what a patch takes out is still there, so that the table of
// docs/threats.md is of the program as it is. Whether it is red only running it shows.
func TestPatchesApply(t *testing.T) {
	t.Chdir("../..")
	patches, err := load("")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range patches {
		if _, err := p.apply(); err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
	}
}
