package main

import (
	"fmt"
	"os"
	"strings"
)

// patch is one defence removed.
type patch struct {
	name, threat, defence, then string
	pkg, test                   string
	hunks                       []hunk
}

// hunk is one change of a file.
type hunk struct{ file, old, new string }

// parse reads the patches of one file.
func parse(text string) (out []patch, err error) {
	file, open := "", false // open: the last hunk may go on
	for i, line := range strings.Split(text, "\n") {
		name, begins := strings.CutPrefix(line, "== ")
		switch {
		case begins:
			out, file, open = append(out, patch{name: name}), "", false
		case line == "":
			open = false
		case len(out) == 0:
			return nil, fmt.Errorf("line %d: in front of the first patch", i+1)
		case strings.HasPrefix(line, "--- "):
			file, open = strings.TrimPrefix(line, "--- "), false
		case file == "":
			if !out[len(out)-1].field(line) {
				return nil, fmt.Errorf("line %d: neither a field nor a file: %q", i+1, line)
			}
		case strings.IndexByte(" +-", line[0]) >= 0:
			p := &out[len(out)-1]
			if !open {
				p.hunks, open = append(p.hunks, hunk{file: file}), true
			}
			p.hunks[len(p.hunks)-1].add(line)
		default:
			return nil, fmt.Errorf("line %d: no line of a hunk: %q", i+1, line)
		}
	}
	for _, p := range out {
		if p.threat == "" || p.defence == "" || p.then == "" || p.test == "" || len(p.hunks) == 0 {
			return nil, fmt.Errorf("%s: a part is missing", p.name)
		}
	}
	return out, nil
}

// field takes a line "key: value".
func (p *patch) field(line string) bool {
	key, value, _ := strings.Cut(line, ": ")
	switch key {
	case "threat":
		p.threat = value
	case "defence":
		p.defence = value
	case "then":
		p.then = value
	case "test":
		p.pkg, p.test, _ = strings.Cut(value, " ")
	default:
		return false
	}
	return true
}

// add takes a line of a hunk.
func (h *hunk) add(line string) {
	text := line[1:] + "\n"
	if line[0] != '+' {
		h.old += text
	}
	if line[0] != '-' {
		h.new += text
	}
}

// apply returns the changed files.
func (p *patch) apply() (map[string]string, error) {
	files := map[string]string{}
	for _, h := range p.hunks {
		if _, ok := files[h.file]; !ok {
			data, err := os.ReadFile(h.file)
			if err != nil {
				return nil, err
			}
			files[h.file] = string(data)
		}
		if n := strings.Count(files[h.file], h.old); n != 1 {
			return nil, fmt.Errorf("a hunk is %d times in %s:\n%s", n, h.file, h.old)
		}
		files[h.file] = strings.Replace(files[h.file], h.old, h.new, 1)
	}
	return files, nil
}

// printTable writes the patches, which apply, as a table in Markdown.
func printTable(patches []patch) error {
	fmt.Print("| patch | threat | defence | test | without it |\n|---|---|---|---|---|\n")
	for _, p := range patches {
		if _, err := p.apply(); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		file := p.hunks[0].file
		_, err := fmt.Printf("| %s | %s | `%s`: %s | `%s` %s | %s |\n", p.name, p.threat, file, p.defence, strings.TrimPrefix(p.pkg, "./"),
			strings.ReplaceAll(p.test, "|", ", "), p.then)
		if err != nil {
			return err
		}
	}
	return nil
}
