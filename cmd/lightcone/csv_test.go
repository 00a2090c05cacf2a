package main

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A quote that is left open does not read a stream without end into memory.
func TestCSVBoundsARecord(t *testing.T) {
	src := io.MultiReader(strings.NewReader("a,b\n1,2\n3,\""), endless{})
	tab, err := openCSV("stdin", src, "")
	if err != nil {
		t.Fatal(err)
	}
	if row, err := tab.next(); err != nil || row.key != "1" {
		t.Fatalf("first row: %+v, %v", row, err)
	}
	if _, err := tab.next(); !errors.Is(err, errLongRecord) {
		t.Errorf("got %v, want errLongRecord", err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// Lines are counted through values that span several, and through empty lines.
func TestCSVLines(t *testing.T) {
	_, err := countRows(t.Context(), importOptions{path: "f.csv"}, strings.NewReader("a,b\n1,\"x\ny\"\n\n2\n"))
	if err == nil || !strings.Contains(err.Error(), "f.csv, line 5: expected 2 columns as in the header, got 1") {
		t.Errorf("got %v", err)
	}
}

// A port that stood for 0 is found again among the addresses a node is bound to.
func TestPortOf(t *testing.T) {
	bound := []string{
		"/ip4/127.0.0.1/tcp/4001/p2p/12D3KooW", "/ip4/127.0.0.1/udp/4002/quic-v1/p2p/12D3KooW", "/ip6/::1/tcp/4003",
	}
	got := map[string]string{}
	for _, asked := range []string{
		"/ip4/0.0.0.0/tcp/0", "/ip4/0.0.0.0/udp/0/quic-v1", "/ip6/::/tcp/0", "/ip6/::/udp/0/quic-v1", "/ip4/0.0.0.0/tcp/4001",
	} {
		got[asked] = portOf(asked, bound)
	}
	want := map[string]string{
		"/ip4/0.0.0.0/tcp/0":         "/ip4/0.0.0.0/tcp/4001",
		"/ip4/0.0.0.0/udp/0/quic-v1": "/ip4/0.0.0.0/udp/4002/quic-v1",
		"/ip6/::/tcp/0":              "/ip6/::/tcp/4003",
		"/ip6/::/udp/0/quic-v1":      "",
		"/ip4/0.0.0.0/tcp/4001":      "",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("- wanted + got:\n%s", diff)
	}
}

func TestComma(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 42049: "42,049", -1234567: "-1,234,567"} {
		if got := comma(n); got != want {
			t.Errorf("%d became %s, want %s", n, got, want)
		}
	}
}
