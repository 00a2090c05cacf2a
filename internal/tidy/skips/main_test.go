package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// stream is `go test -json` of a package that passes with a skip, one without
// tests, one that fails and one that does not build.
const stream = `{"Action":"start","Package":"m/a"}
{"Action":"run","Package":"m/a","Test":"TestOK"}
{"Action":"output","Package":"m/a","Test":"TestOK","Output":"=== RUN   TestOK\n"}
{"Action":"output","Package":"m/a","Test":"TestOK","Output":"    a_test.go:5: chatter\n"}
{"Action":"pass","Package":"m/a","Test":"TestOK","Elapsed":0}
{"Action":"output","Package":"m/a","Test":"TestNode","Output":"=== RUN   TestNode\n"}
{"Action":"output","Package":"m/a","Test":"TestNode","Output":"    a_test.go:9: node is not installed\n"}
{"Action":"output","Package":"m/a","Test":"TestNode","Output":"--- SKIP: TestNode (0.00s)\n"}
{"Action":"skip","Package":"m/a","Test":"TestNode","Elapsed":0}
{"Action":"output","Package":"m/a","Output":"PASS\n"}
{"Action":"output","Package":"m/a","Output":"ok  \tm/a\t0.002s\n"}
{"Action":"pass","Package":"m/a","Elapsed":0.002}
{"Action":"output","Package":"m/b","Output":"?   \tm/b\t[no test files]\n"}
{"Action":"skip","Package":"m/b","Elapsed":0}
{"Action":"output","Package":"m/c","Test":"TestBad","Output":"=== RUN   TestBad\n"}
{"Action":"output","Package":"m/c","Test":"TestBad","Output":"    c_test.go:3: wrong\n"}
{"Action":"output","Package":"m/c","Test":"TestBad","Output":"--- FAIL: TestBad (0.00s)\n"}
{"Action":"fail","Package":"m/c","Test":"TestBad","Elapsed":0}
{"Action":"output","Package":"m/c","Output":"FAIL\n"}
{"Action":"output","Package":"m/c","Output":"FAIL\tm/c\t0.002s\n"}
{"Action":"fail","Package":"m/c","Elapsed":0.002}
{"ImportPath":"m/d","Action":"build-output","Output":"d/d.go:3:1: syntax error\n"}
{"ImportPath":"m/d","Action":"build-fail"}
{"Action":"output","Package":"m/d","Output":"FAIL\tm/d [build failed]\n"}
{"Action":"fail","Package":"m/d","Elapsed":0}
`

const plain = `ok  	m/a	0.002s
?   	m/b	[no test files]
    c_test.go:3: wrong
--- FAIL: TestBad (0.00s)
FAIL
FAIL	m/c	0.002s
d/d.go:3:1: syntax error
FAIL	m/d [build failed]

1 skipped
  m/a TestNode: a_test.go:9: node is not installed `

func TestSkipNotAllowed(t *testing.T) {
	var out strings.Builder
	err := run(strings.NewReader(stream), &out, parseAllowed("# m/a TestNode\nm/a TestOther\n"))
	if !errors.Is(err, errNotAllowed) {
		t.Errorf("got error %v, want %v", err, errNotAllowed)
	}
	if diff := cmp.Diff(plain+"[NOT ALLOWED]\n", out.String()); diff != "" {
		t.Errorf("output, - wanted + got:\n%s", diff)
	}
}

func TestSkipAllowed(t *testing.T) {
	var out strings.Builder
	if err := run(strings.NewReader(stream), &out, parseAllowed("m/a TestNode # no browser here\n")); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(plain+"[allowed]\n", out.String()); diff != "" {
		t.Errorf("output, - wanted + got:\n%s", diff)
	}
}

// Anything but a stream of events is an error: no skips were seen, none judged.
func TestNotJSON(t *testing.T) {
	if err := run(strings.NewReader("ok  \tm/a\t0.002s\n"), &strings.Builder{}, nil); err == nil {
		t.Error("plain output was taken for JSON")
	}
}
