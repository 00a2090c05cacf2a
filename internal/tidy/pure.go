package tidy

import (
	"go/ast"
	"path"
	"regexp"
	"slices"
)

// pureRooms compute and nothing else: same arguments, same result, on a server,
// in a browser and in a simulated world.
var pureRooms = []string{"memo", "merge", "context", "beacon", "p2p/gossip"}

// impure are the imports, with all below them, by which files, the network,
// goroutines or unseeded randomness would come into a pure room.
var impure = []string{
	"C", "os", "io/fs", "io/ioutil", "path/filepath", "syscall", "golang.org/x/sys",
	"net", "golang.org/x/net",
	"golang.org/x/sync",
	"crypto/rand", "hash/maphash",
}

// clock are the names in package time that read the machine's clock or zone.
var clock = []string{
	"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker",
	"Local", "LoadLocation",
}

// seeded are the names in math/rand that do not draw from its global source.
var seeded = []string{
	"New", "NewSource", "NewPCG", "NewChaCha8", "NewZipf",
	"Rand", "Source", "Source64", "PCG", "ChaCha8", "Zipf",
}

func checkPure(f *file, add report) {
	if !slices.Contains(pureRooms, f.room) {
		return
	}
	names := map[string]string{} // local name → import path
	for _, spec := range f.ast.Imports {
		imported := importPath(spec)
		if withinAny(imported, impure) {
			add(spec.Pos(), "%s is pure and must not import %s: take what it gives as an argument", f.room, imported)
		}
		if spec.Name != nil && spec.Name.Name == "." {
			add(spec.Pos(), "%s is pure and must not dot-import: it hides where a name comes from", f.room)
		}
		names[localName(spec)] = imported
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			add(n.Pos(), "%s is pure and must not start a goroutine: leave that to its driver", f.room)
		case *ast.SelectorExpr:
			x, ok := n.X.(*ast.Ident)
			if !ok {
				return true
			}
			if why := breach(names[x.Name], n.Sel.Name); why != "" {
				add(n.Pos(), "%s is pure and must not use %s.%s: %s", f.room, x.Name, n.Sel.Name, why)
			}
		}
		return true
	})
}

// breach says why a pure room must not use a member of an imported package; it
// is empty where the room may.
func breach(imported, member string) string {
	switch {
	case imported == "time" && slices.Contains(clock, member):
		return "take the time as an argument"
	case within(imported, "math/rand") && !slices.Contains(seeded, member):
		return "take a seeded *rand.Rand as an argument"
	case imported == "sync" && member == "WaitGroup":
		return "leave goroutines to its driver"
	case imported == "context" && member != "Context":
		return "a seam may pass a Context on, making one waits or starts goroutines"
	}
	return ""
}

var majorVersion = regexp.MustCompile(`/v[0-9]+$`)

// localName is the name by which the file knows an import: its alias, else the
// last element of the path before any major version.
func localName(spec *ast.ImportSpec) string {
	if spec.Name != nil {
		return spec.Name.Name
	}
	return path.Base(majorVersion.ReplaceAllString(importPath(spec), ""))
}
