package tidy

import (
	"errors"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// TestTree is the gate: this repository keeps its own laws. The tree is read
// here rather than through `go list`, because go test caches a result by the
// files the test itself opened, and would miss a subprocess's.
func TestTree(t *testing.T) {
	faults, err := Check(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range faults {
		t.Error(fault)
	}
}

// check runs the laws over a small good tree with some files put into it.
func check(t *testing.T, files map[string]string) []string {
	t.Helper()
	tree := fstest.MapFS{
		"go.mod":      {Data: []byte("module lightcone\n")},
		"memo/doc.go": {Data: []byte("// Package memo is documented.\npackage memo\n")},
	}
	for name, text := range files {
		tree[name] = &fstest.MapFile{Data: []byte(text)}
	}
	faults, err := Check(tree)
	if err != nil {
		t.Fatal(err)
	}
	return faults
}

// laws breaks each law once, in a tree that is good but for that.
var laws = []struct {
	name  string
	files map[string]string
	want  []string // what the faults start with
}{{
	name:  "good tree",
	files: map[string]string{"memo/memo.go": "package memo\n\nimport \"time\"\n\nvar _ time.Time\n"},
}, {
	name:  "import upward",
	files: map[string]string{"memo/memo.go": "package memo\n\nimport \"lightcone/store\"\n"},
	want:  []string{"memo/memo.go:3: memo must not import store"},
}, {
	name:  "package without a line in the table",
	files: map[string]string{"memo/util/doc.go": "// Package util is a mistake.\npackage util\n"},
	want:  []string{"memo/util/doc.go:2: package memo/util is not in the layer table"},
}, {
	name:  "a library outside its room",
	files: map[string]string{"memo/memo.go": "package memo\n\nimport _ \"github.com/libp2p/go-libp2p/core/peer\"\n"},
	want:  []string{"memo/memo.go:3: memo must not import github.com/libp2p/go-libp2p/core/peer: it belongs to p2p and internal/vnet and simulations/calib alone"},
}, {
	name:  "files in a pure room",
	files: map[string]string{"memo/memo.go": "package memo\n\nimport \"os\"\n\nvar _ = os.Args\n"},
	want:  []string{"memo/memo.go:3: memo is pure and must not import os"},
}, {
	name:  "a logarithm whose last bits depend on the processor",
	files: map[string]string{"memo/memo.go": "package memo\n\nimport m \"math\"\n\nvar _ = m.Log(m.Floor(2))\n"},
	want:  []string{"memo/memo.go:5: memo must not use math.Log"},
}, {
	name:  "network in a pure room",
	files: map[string]string{"memo/memo.go": "package memo\n\nimport _ \"net/http\"\n"},
	want:  []string{"memo/memo.go:3: memo is pure and must not import net/http"},
}, {
	name:  "goroutine in a pure room",
	files: map[string]string{"memo/memo.go": "package memo\n\nfunc f() {\n\tgo f()\n}\n"},
	want:  []string{"memo/memo.go:4: memo is pure and must not start a goroutine"},
}, {
	name:  "goroutine by way of a WaitGroup",
	files: map[string]string{"memo/memo.go": "package memo\n\nimport \"sync\"\n\nvar _ sync.WaitGroup\n"},
	want:  []string{"memo/memo.go:5: memo is pure and must not use sync.WaitGroup"},
}, {
	name:  "a cancellation of its own; passing one on is fine",
	files: map[string]string{"memo/memo.go": "package memo\n\nimport \"context\"\n\nvar (\n\t_ context.Context\n\t_ = context.WithTimeout\n)\n"},
	want:  []string{"memo/memo.go:7: memo is pure and must not use context.WithTimeout"},
}, {
	name:  "wall clock in a pure room",
	files: map[string]string{"memo/memo.go": "package memo\n\nimport \"time\"\n\nvar _ = time.Now\n"},
	want:  []string{"memo/memo.go:5: memo is pure and must not use time.Now"},
}, {
	name:  "wall clock under another name",
	files: map[string]string{"memo/memo.go": "package memo\n\nimport clock \"time\"\n\nvar _ = clock.Now()\n"},
	want:  []string{"memo/memo.go:5: memo is pure and must not use clock.Now"},
}, {
	name: "global randomness in a pure room; a seeded source may be had",
	files: map[string]string{"memo/memo.go": "package memo\n\nimport \"math/rand/v2\"\n\n" +
		"var _ = rand.New(rand.NewPCG(1, 2))\nvar _ = rand.IntN(3)\n"},
	want: []string{"memo/memo.go:6: memo is pure and must not use rand.IntN"},
}, {
	name:  "dot import in a pure room",
	files: map[string]string{"memo/memo.go": "package memo\n\nimport . \"time\"\n\nvar _ = Now()\n"},
	want:  []string{"memo/memo.go:3: memo is pure and must not dot-import"},
}, {
	name: "what is impure here is fine where the room is not pure",
	files: map[string]string{
		"walfs/doc.go":  "// Package walfs is documented.\npackage walfs\n",
		"walfs/file.go": "package walfs\n\nimport (\n\t\"os\"\n\t\"time\"\n)\n\nfunc f() {\n\tgo os.Exit(time.Now().Second())\n}\n",
	},
}, {
	name:  "tests import what they need",
	files: map[string]string{"memo/memo_test.go": "package memo\n\nimport (\n\t_ \"lightcone/store\"\n\t_ \"os\"\n)\n"},
}, {
	name:  "context without its alias, even in a test",
	files: map[string]string{"memo/memo_test.go": "package memo\n\nimport _ \"context\"\nimport \"lightcone/context\"\n"},
	want:  []string{"memo/memo_test.go:4: import it as causal"},
}, {
	name:  "context under a wrong name",
	files: map[string]string{"context/doc.go": "// Package context is misnamed.\npackage context\n"},
	want:  []string{"context/doc.go:2: the package in context is named causal"},
}, {
	name:  "no package comment",
	files: map[string]string{"merge/doc.go": "package merge\n"},
	want:  []string{"merge: no package comment in doc.go"},
}, {
	name:  "package comment in the wrong file",
	files: map[string]string{"merge/join.go": "// Package merge is documented.\npackage merge\n"},
	want:  []string{"merge: no package comment in doc.go"},
}, {
	name:  "a new top-level folder",
	files: map[string]string{"pkg/README.md": "", ".ci/run": "", "docs/index.md": ""},
	want:  []string{"pkg: not a top-level folder"},
}, {
	name:  "long function",
	files: map[string]string{"memo/memo.go": "package memo\n\n" + function(maxFuncLines) + function(maxFuncLines+1)},
	want:  []string{"memo/memo.go:73: f has 71 lines, the limit is 70"},
}, {
	name:  "long function literal in a test",
	files: map[string]string{"memo/memo_test.go": "package memo\n\nvar _ = func() {\n" + strings.Repeat("\n", maxFuncLines) + "}\n"},
	want:  []string{"memo/memo_test.go:3: a function literal has 72 lines, the limit is 70"},
}, {
	name: "long file, a test too",
	files: map[string]string{
		"memo/full.go":      "package memo\n" + strings.Repeat("\n", maxFileLines-1),
		"memo/long.go":      "package memo\n" + strings.Repeat("\n", maxFileLines),
		"memo/long_test.go": "package memo\n" + strings.Repeat("\n", maxFileLines+1),
	},
	want: []string{
		"memo/long.go: 501 lines, the limit is 500",
		"memo/long_test.go: 502 lines, the limit is 500",
	},
}, {
	name: "generated code, test data and nested modules are exempt",
	files: map[string]string{
		"memo/schema.go":              "// Code generated by a test. DO NOT EDIT.\n\npackage memo\n\nimport _ \"os\"\n",
		"memo/testdata/bad.go":        "not Go at all",
		"internal/compare/go.mod":     "module lightcone/internal/compare\n",
		"internal/compare/main.go":    "package main\n\nimport _ \"lightcone/store\"\n",
		"internal/compare/sub/sub.go": "package sub\n",
	},
}}

// function is a function of the given number of lines.
func function(lines int) string {
	return "func f() {\n" + strings.Repeat("\n", lines-2) + "}\n"
}

func TestLaws(t *testing.T) {
	for _, law := range laws {
		t.Run(law.name, func(t *testing.T) {
			got := check(t, law.files)
			for i, want := range law.want {
				if i < len(got) && strings.HasPrefix(got[i], want) {
					got[i] = want
				}
			}
			if diff := cmp.Diff(law.want, got); diff != "" {
				t.Errorf("faults, - wanted + got:\n%s", diff)
			}
		})
	}
}

// An unreadable tree must not pass for a tidy one.
func TestCheckRefusesToJudge(t *testing.T) {
	if _, err := Check(fstest.MapFS{"README.md": {}}); !errors.Is(err, ErrNoGo) {
		t.Errorf("a tree without Go: got %v, want ErrNoGo", err)
	}
	broken := fstest.MapFS{"memo/memo.go": {Data: []byte("package")}}
	if _, err := Check(broken); err == nil || !strings.Contains(err.Error(), "memo/memo.go:1") {
		t.Errorf("a file that does not parse: got %v, want an error with its place", err)
	}
}
