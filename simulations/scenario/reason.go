package scenario

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// reason is why a file is no scenario, and where: "line 3: ", or nothing where it is
// what the file lacks.
type reason struct{ where, text string }

// undecoded is where a decoder stopped, and at what.
func undecoded(data []byte, err error) *reason {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) && len(strict.Errors) > 0 {
		e := strict.Errors[0]
		line, _ := e.Position()
		return &reason{
			fmt.Sprintf("line %d: ", line),
			fmt.Sprintf("there is no %q; see `lightcone sim new --list` for what there is", strings.Join(e.Key(), ".")),
		}
	}
	var bad *toml.DecodeError
	if errors.As(err, &bad) {
		line, column := bad.Position()
		return &reason{fmt.Sprintf("line %d, column %d: ", line, column), plain(bad.Error())}
	}
	text := plain(err.Error())
	if _, twice := lines(data); twice > 0 { // of this the decoder tells no line
		return &reason{fmt.Sprintf("line %d: ", twice), text}
	}
	return &reason{text: text}
}

// mistyped is what the decoder says of a value of a wrong type, and misfit of a number
// that its type does not hold.
var (
	mistyped = regexp.MustCompile(`^cannot decode TOML (\w+) into (?:struct field \S+|a Go value) of type (.+)$`)
	misfit   = regexp.MustCompile(`^(?:negative )?(?:number|integer|decoded number) (\S+) .*fit`)
)

// plain says what a decoder found in words of the file, with what to do about it.
func plain(text string) string {
	text = strings.TrimPrefix(text, "toml: ")
	if m := mistyped.FindStringSubmatch(text); m != nil {
		return fmt.Sprintf("this is a value of type %s; give %s", m[1], wanted(m[2]))
	}
	if m := misfit.FindStringSubmatch(text); m != nil {
		return fmt.Sprintf("the number %s is out of range; give a whole number from 0", m[1])
	}
	if strings.Contains(text, "; ") {
		return text
	}
	return text + "; `lightcone sim new flood` writes a file to compare with"
}

// wanted is what stands for a type of this package in a file.
func wanted(goType string) string {
	switch {
	case strings.HasPrefix(goType, "[]"), strings.HasPrefix(goType, "map[string][]"):
		return "a list in brackets, such as [1, 2]"
	case strings.HasPrefix(goType, "int"), strings.HasPrefix(goType, "uint"):
		return "a whole number, such as 1000"
	case strings.HasPrefix(goType, "float"):
		return "a number, such as 0.5"
	case strings.HasSuffix(goType, "Duration"):
		return "a duration, such as \"250ms\""
	case goType == "string":
		return "a text in quotes"
	case goType == "bool":
		return "true or false"
	}
	return "a table, [name] on a line of its own"
}

// impossible is what a value cannot be. Its text is "key = …", or "[table]: key = …"; of
// what begins otherwise the line is that of a key of the table which is named, or of
// the table.
func impossible(data []byte, err error) *reason {
	text := plain(err.Error())
	table, rest := "", text
	if strings.HasPrefix(text, "[") {
		if name, after, ok := strings.Cut(text[1:], "]: "); ok {
			table, rest = name, after
		}
	}
	key, _, _ := strings.Cut(rest, " ")
	at, _ := lines(data)
	said, _, _ := strings.Cut(rest, ";")
	if _, there := at[table+"."+key]; !there {
		for _, name := range slices.Sorted(maps.Keys(at)) {
			if last, ok := strings.CutPrefix(name, table+"."); ok && strings.Contains(said, strings.TrimSuffix(last, "s")) {
				key = last
				break
			}
		}
	}
	for _, name := range []string{strings.TrimPrefix(table+"."+key, "."), table} {
		if line := at[name]; line > 0 && name != "" {
			return &reason{fmt.Sprintf("line %d: ", line), text}
		}
	}
	return &reason{text: text}
}

// lines tells on which line of a file each key and each table is first, by their whole
// names, and on which the first is that was there before; 0: none was.
func lines(data []byte) (out map[string]int, twice int) {
	out = map[string]int{}
	var p unstable.Parser
	p.Reset(data)
	table, many := "", false // many: it may be there several times
	for p.NextExpression() {
		e := p.Expression()
		name, line := "", 0
		for k := e.Key(); k.Next(); {
			name += "." + string(k.Node().Data)
			if line == 0 {
				line = p.Shape(k.Node().Raw).Start.Line
			}
		}
		if e.Kind == unstable.Table || e.Kind == unstable.ArrayTable {
			table, name, many = name, "", e.Kind == unstable.ArrayTable
		}
		full := strings.TrimPrefix(table+name, ".")
		switch {
		case out[full] == 0:
			out[full] = line
		case !many && twice == 0:
			twice = line
		}
	}
	return out, twice
}
