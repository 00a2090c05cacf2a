package simulations

import (
	"debug/elf"
	"debug/gosym"
	"encoding/binary"
	"strings"
	"testing"
)

// mayFuse are the packages in which the compiler may fuse: they draw and store what came
// out, and decide nothing.
var mayFuse = []string{"lightcone/simulations/report."}

// TestNothingIsFused: in this program, which has all that decides in a simulation, no
// function of this module has an instruction that multiplies and adds at once. It looks
// for them where the compiler puts them, also across lines and inlined functions: a rule
// about the text could not. The way out is to round the product, float64(x*y).
func TestNothingIsFused(t *testing.T) {
	program, err := elf.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	text := program.Section(".text")
	code, err := text.Data()
	if err != nil {
		t.Fatal(err)
	}
	lines, err := program.Section(".gopclntab").Data()
	if err != nil {
		t.Fatal(err)
	}
	table, err := gosym.NewTable(nil, gosym.NewLineTable(lines, text.Addr))
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := 0
	for _, f := range table.Funcs {
		for at := f.Entry; at < f.End && at-text.Addr < text.Size; at += 4 {
			// FMADD, FMSUB, FNMADD and FNMSUB of one or two words, and nothing else, begin so.
			if binary.LittleEndian.Uint32(code[at-text.Addr:])>>24 != 0x1f {
				continue
			}
			if !strings.HasPrefix(f.Name, "lightcone/") || allowed(f.Name) {
				elsewhere++
				continue
			}
			file, line, _ := table.PCToLine(at)
			t.Errorf("%s:%d: a product is fused with a sum in %s; round it first: float64(x*y)", file, line, f.Name)
		}
	}
	if elsewhere == 0 {
		t.Error("nothing is fused anywhere in package math either: this test does not see it")
	}
}

func allowed(name string) bool {
	for _, p := range mayFuse {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}
