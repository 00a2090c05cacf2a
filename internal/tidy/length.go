package tidy

import (
	"go/ast"
	"go/token"
)

// maxFuncLines is one screen; the limit and the idea of checking it in a test
// are TigerBeetle's (TIGER_STYLE.md, src/tidy.zig).
const maxFuncLines = 70

// maxFileLines keeps a file to one idea, tests included.
const maxFileLines = 500

func checkLength(f *file, add report) {
	if f.lines > maxFileLines {
		add(token.NoPos, "%d lines, the limit is %d: split the file by idea", f.lines, maxFileLines)
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		var name string
		switch n := n.(type) {
		case *ast.FuncDecl:
			name = n.Name.Name
		case *ast.FuncLit: // at package level: those inside a function count with it
			name = "a function literal"
		default:
			return true
		}
		first, last := f.fset.Position(n.Pos()).Line, f.fset.Position(n.End()).Line
		if lines := last - first + 1; lines > maxFuncLines {
			add(n.Pos(), "%s has %d lines, the limit is %d", name, lines, maxFuncLines)
		}
		return false
	})
}
