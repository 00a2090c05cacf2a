package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"lightcone/memo"
	"lightcone/node/api"
)

// fakeNode takes updates and keeps them in order of arrival.
type fakeNode struct {
	mu      sync.Mutex
	updates []api.Update
	fail    int // refuse the update of this number without an answer, 0: none
}

func (f *fakeNode) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var u api.Update
	if err := json.NewDecoder(r.Body).Decode(&u); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.updates = append(f.updates, u)
	if len(f.updates) == f.fail {
		panic(http.ErrAbortHandler)
	}
	fmt.Fprintln(w, `{"outcome":"committed"}`)
}

func runImport(t *testing.T, f *fakeNode, csv string) (*importer, error) {
	t.Helper()
	srv := httptest.NewServer(f)
	defer srv.Close()
	tab, err := openCSV("test", strings.NewReader(csv), "")
	if err != nil {
		t.Fatal(err)
	}
	w := newImporter(t.Context(), api.NewClient(srv.URL, "token"), "default", "t")
	return w, w.run(tab)
}

// No update exceeds what a memo may hold, in rows, deltas and bytes.
func TestImportLimits(t *testing.T) {
	wide, long := "k", ""
	for i := range 99 {
		wide += fmt.Sprintf(",c%d", i)
	}
	for i := range 120 {
		long += fmt.Sprintf("\n%d", i) + strings.Repeat(",x", 99)
	}
	tests := map[string]struct {
		csv  string
		want int
	}{
		"rows":   {"k\n" + numbers(250), 3},
		"deltas": {wide + long, 3}, // 40 rows of 100 fields each
		"bytes":  {"k,v" + large(30, 60<<10), 10},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := new(fakeNode)
			w, err := runImport(t, f, tt.csv)
			if err != nil || w.updates != tt.want || len(f.updates) != tt.want {
				t.Fatalf("%d updates, %d arrived, want %d: %v", w.updates, len(f.updates), tt.want, err)
			}
			for _, u := range f.updates {
				bytes, deltas := 0, 0
				for _, e := range u.Edits {
					deltas += len(e.Fields)
					for name, v := range e.Fields {
						bytes += len(name) + v.Size()
					}
				}
				if len(u.Edits) > importRowsPerUpdate || deltas > memo.MaxDeltas || bytes > memo.MaxEdit {
					t.Errorf("an update of %d rows, %d deltas, %d bytes", len(u.Edits), deltas, bytes)
				}
			}
		})
	}
}

func numbers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%d\n", i)
	}
	return b.String()
}

func large(rows, size int) string {
	var b strings.Builder
	for i := range rows {
		fmt.Fprintf(&b, "\n%d,%s", i, strings.Repeat("x", size))
	}
	return b.String()
}

// Rows of one key are written in their order, never side by side.
func TestImportOrdersRowsOfOneKey(t *testing.T) {
	f := new(fakeNode)
	var b strings.Builder
	b.WriteString("k,v\n")
	for i := range 20 {
		fmt.Fprintf(&b, "same,%d\n", i)
	}
	w, err := runImport(t, f, b.String())
	if err != nil || len(f.updates) != 20 || w.repeated != 19 {
		t.Fatalf("%d updates, %d repeated, %v", len(f.updates), w.repeated, err)
	}
	for i, u := range f.updates {
		if v := u.Edits[0].Fields["v"].Text(); v != fmt.Sprint(i) {
			t.Fatalf("update %d wrote %s", i, v)
		}
	}
}

// An update that is not answered makes the outcome unknown, and what is committed
// is counted.
func TestImportUnknown(t *testing.T) {
	f := &fakeNode{fail: 3}
	w, err := runImport(t, f, "k\n"+numbers(2000))
	err = w.failure(err)
	if code := exitCode(err); code != exitUnknown {
		t.Errorf("exit code %d, want %d: %v", code, exitUnknown, err)
	}
	committed := w.rows + w.beyond
	if committed != (len(f.updates)-1)*importRowsPerUpdate { // the server is closed: nobody writes
		t.Errorf("%d rows counted as committed of %d updates that arrived", committed, len(f.updates))
	}
	if w.open != importRowsPerUpdate || !strings.Contains(err.Error(), "100 rows may or may not be written") {
		t.Errorf("%d rows of unknown outcome: %v", w.open, err)
	}
}
