package tidy

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// topFolders are the folders of the repository's root; dot folders come beside.
var topFolders = []string{
	"beacon", "cmd", "context", "docs", "internal", "memo", "merge", "node",
	"p2p", "projection", "simulations", "store", "walfs",
}

// causal is the package in the folder context. It is imported under this name
// everywhere, and the standard library's context keeps its own.
const causal = "causal"

func checkFolders(tree fs.FS) ([]string, error) {
	entries, err := fs.ReadDir(tree, ".")
	if err != nil {
		return nil, fmt.Errorf("reading the root: %w", err)
	}
	var faults []string
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") && !slices.Contains(topFolders, e.Name()) {
			faults = append(faults, e.Name()+": not a top-level folder of this repository: move it into a room, or hide it in a dot folder")
		}
	}
	return faults, nil
}

func checkAlias(f *file, add report) {
	if f.room == "context" && strings.TrimSuffix(f.ast.Name.Name, "_test") != causal {
		add(f.ast.Name.Pos(), "the package in context is named %s, not %s", causal, f.ast.Name.Name)
	}
	for _, spec := range f.ast.Imports {
		if importPath(spec) == module+"context" && (spec.Name == nil || spec.Name.Name != causal) {
			add(spec.Pos(), "import it as %s %q", causal, module+"context")
		}
	}
}

// checkComments asks for each package's comment in its doc.go. A folder with
// nothing but tests documents itself by them.
func checkComments(files []*file) []string {
	var rooms []string
	documented := map[string]bool{}
	for _, f := range files {
		if f.test {
			continue
		}
		if !slices.Contains(rooms, f.room) {
			rooms = append(rooms, f.room)
		}
		if f.path == f.room+"/doc.go" && strings.TrimSpace(f.ast.Doc.Text()) != "" {
			documented[f.room] = true
		}
	}
	var faults []string
	for _, room := range rooms {
		if !documented[room] {
			faults = append(faults, room+": no package comment in doc.go: say what the package owns and what it must not know")
		}
	}
	return faults
}
