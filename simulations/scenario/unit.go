package scenario

import (
	"reflect"
	"strings"
)

// Unit returns the unit of a parameter, "" for one that has none: durations are in seconds,
// of others their field's tag tells.
func Unit(key string) string {
	at := reflect.TypeFor[Scenario]()
	unit := ""
	for name := range strings.SplitSeq(key, ".") {
		if at.Kind() == reflect.Pointer {
			at = at.Elem()
		}
		if at.Kind() != reflect.Struct {
			return ""
		}
		f, ok := field(at, name)
		if !ok {
			return ""
		}
		at, unit = f.Type, f.Tag.Get("unit")
	}
	if at == reflect.TypeFor[Duration]() {
		return "s"
	}
	return unit
}

// field is that of a table with a name in the file.
func field(table reflect.Type, name string) (f reflect.StructField, ok bool) {
	for _, f = range reflect.VisibleFields(table) {
		if toml, _, _ := strings.Cut(f.Tag.Get("toml"), ","); toml == name {
			return f, true
		}
	}
	return f, false
}
