package tidy

import (
	"go/ast"
	"slices"
)

// portableRooms come to the same on every processor: the pure rooms, and what simulations
// are made of, whose result hashes are equal everywhere.
var portableRooms = append([]string{
	"internal/portable",
	"simulations/cores", "simulations/engine", "simulations/forest", "simulations/mesh",
	"simulations/replicas", "simulations/scenario", "simulations/worlds",
}, pureRooms...)

// inexact are the functions of package math that some processors have assembly of their
// own for, or products that may be fused with a sum: their last bits differ. All others
// of its functions are exact.
var inexact = []string{
	"Acos", "Acosh", "Asin", "Asinh", "Atan", "Atan2", "Atanh", "Cbrt", "Cos", "Cosh",
	"Erf", "Erfc", "Erfcinv", "Erfinv", "Exp", "Exp2", "Expm1", "Gamma", "Hypot",
	"J0", "J1", "Jn", "Lgamma", "Log", "Log10", "Log1p", "Log2", "Pow",
	"Sin", "Sincos", "Sinh", "Tan", "Tanh", "Y0", "Y1", "Yn",
}

// checkPortable looks for functions whose last bits depend on the processor. Products that
// are fused with a sum are nothing that the text shows: simulations has a test of what
// the compiler makes of it.
func checkPortable(f *file, add report) {
	if !slices.Contains(portableRooms, f.room) {
		return
	}
	names := map[string]string{} // local name → import path
	for _, spec := range f.ast.Imports {
		names[localName(spec)] = importPath(spec)
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		x, ok := s.X.(*ast.Ident)
		if !ok {
			return true
		}
		switch imported, member := names[x.Name], s.Sel.Name; {
		case imported == "math" && slices.Contains(inexact, member):
			add(s.Pos(), "%s must not use math.%s, whose last bits depend on the processor: use internal/portable", f.room, member)
		case within(imported, "math/rand") && (member == "NormFloat64" || member == "ExpFloat64"):
			add(s.Pos(), "%s must not use rand.%s, whose last bits depend on the processor", f.room, member)
		}
		return true
	})
}
