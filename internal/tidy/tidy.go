package tidy

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// module is this module's path with a slash: the prefix of our own imports.
const module = "lightcone/"

// ErrNoGo means that the tree holds no Go file, so that nothing was checked:
// it is not the root of the repository.
var ErrNoGo = errors.New("no Go files to check: not the root of the repository")

// file is one parsed Go file.
type file struct {
	path  string // from the root of the tree, with slashes
	room  string // its folder: the package's key in the tables
	test  bool   // a _test.go file
	lines int
	fset  *token.FileSet
	ast   *ast.File
}

// report takes one fault; an invalid position stands for the whole file.
type report func(at token.Pos, format string, args ...any)

// Check reads the tree, whose root is the root of the repository, and returns
// its faults in a fixed order, each as "path:line: what is wrong". The error
// tells that the tree could not be read, which is no verdict on it.
func Check(tree fs.FS) ([]string, error) {
	files, err := load(tree)
	if err != nil {
		return nil, err
	}
	faults, err := checkFolders(tree)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		add := func(at token.Pos, format string, args ...any) {
			where := f.path
			if at.IsValid() {
				where += ":" + strconv.Itoa(f.fset.Position(at).Line)
			}
			faults = append(faults, where+": "+fmt.Sprintf(format, args...))
		}
		checkAlias(f, add)
		checkLength(f, add)
		if !f.test {
			checkLayers(f, add)
			checkOwners(f, add)
			checkPure(f, add)
			checkPortable(f, add)
		}
	}
	return append(faults, checkComments(files)...), nil
}

// load parses every Go file that the laws bind, in the order of their paths.
func load(tree fs.FS) ([]*file, error) {
	var files []*file
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && exempt(tree, name):
			return fs.SkipDir
		case d.IsDir() || path.Ext(name) != ".go":
			return nil
		}
		f, err := parse(tree, name)
		if err == nil && !ast.IsGenerated(f.ast) {
			files = append(files, f)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the tree: %w", err)
	}
	if len(files) == 0 {
		return nil, ErrNoGo
	}
	return files, nil
}

// exempt reports whether the go tool would not take the folder as part of this
// module: test data, hidden folders, and modules of their own.
func exempt(tree fs.FS, dir string) bool {
	if dir == "." {
		return false
	}
	base := path.Base(dir)
	if base == "testdata" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
		return true
	}
	_, err := fs.Stat(tree, path.Join(dir, "go.mod"))
	return err == nil
}

func parse(tree fs.FS, name string) (*file, error) {
	src, err := fs.ReadFile(tree, name)
	if err != nil {
		return nil, err
	}
	fset := token.NewFileSet()
	parsed, err := parser.ParseFile(fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	return &file{
		path:  name,
		room:  path.Dir(name),
		test:  strings.HasSuffix(name, "_test.go"),
		lines: bytes.Count(src, []byte("\n")),
		fset:  fset,
		ast:   parsed,
	}, nil
}

// importPath is the path an import names, without its quotes.
func importPath(spec *ast.ImportSpec) string {
	return strings.Trim(spec.Path.Value, "`\"")
}

// within reports whether an import path is root or lies below it.
func within(importPath, root string) bool {
	return importPath == root || strings.HasPrefix(importPath, root+"/")
}

// withinAny is within for any of the roots.
func withinAny(importPath string, roots []string) bool {
	return slices.ContainsFunc(roots, func(root string) bool { return within(importPath, root) })
}
