package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	causal "lightcone/context"
)

// A short run ends with contexts that hold the same folded and not, which measure
// checks, and folds keep them small.
func TestContextsStaySmall(t *testing.T) {
	rep, err := measure(t.Context(), options{memos: 8_000, seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	if len(rep.Samples) < samples-1 || rep.NodeFolds == 0 {
		t.Fatalf("%d samples, %d folds", len(rep.Samples), rep.NodeFolds)
	}
	for _, s := range rep.Samples {
		if s.Folded.Loose > causal.DefaultLoose || s.Folded.MaxToken > causal.MaxTokenBytes {
			t.Errorf("after %d memos: %+v", s.Memos, s.Folded)
		}
	}
	if last := rep.Samples[len(rep.Samples)-1]; last.Plain.Loose < 2*last.Folded.Loose {
		t.Errorf("without folds a context has %.0f loose heads, with them %.0f", last.Plain.Loose, last.Folded.Loose)
	}
	name := filepath.Join(t.TempDir(), "context.svg")
	if err := drawing(rep, name); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(name); err != nil || !strings.Contains(string(data), "characters") {
		t.Errorf("a drawing of %d bytes (%v)", len(data), err)
	}
}
