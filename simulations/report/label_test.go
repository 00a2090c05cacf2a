package report

import (
	"bytes"
	"strings"
	"testing"
)

// TestLabelShows: what runs no protocol says so on its page, and so does a sweep of it.
func TestLabelShows(t *testing.T) {
	const label = "Runs no protocol here."
	run := &Result{Name: "x", Model: label}
	for _, r := range []*Result{run, Join("x", "", []*Result{run, run})} {
		var page bytes.Buffer
		if err := r.page(&page); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(page.String(), label) {
			t.Error("the page does not have the label")
		}
	}
}
