package simulations

import (
	"embed"
	"io/fs"
	"strings"
)

//go:embed scenarios/*.toml
var library embed.FS

// Library yields the names of the scenarios that come along, ascending.
func Library(yield func(name string) bool) {
	files, err := fs.ReadDir(library, "scenarios")
	if err != nil {
		panic(err) // it is compiled in
	}
	for _, f := range files {
		if !yield(strings.TrimSuffix(f.Name(), ".toml")) {
			return
		}
	}
}

// Named returns the file of a scenario that comes along.
func Named(name string) ([]byte, bool) {
	data, err := library.ReadFile("scenarios/" + name + ".toml")
	return data, err == nil
}
