package memotest

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"lightcone/memo"
)

// sketch is a drawing as it was read.
type sketch struct {
	nodes []*node // as first mentioned
	named map[string]*node
	above []span // names and bars of the line before
}

// node is a name of a drawing, and its memo once that is made.
type node struct {
	name, author string
	line         int // of the first mention
	causes       []*node
	mate, then   *node      // the memos before and after it in its run, or nil
	at           *memo.Time // when drawn
	body         memo.Body
	memo         *memo.Memo
	cut          memo.Vector // the memo and its past
}

// span is where in a line a name, or a bar that repeats it, stands.
type span struct {
	from, to int
	node     *node
}

const item = `(?:\||[A-Za-z]+[0-9]*(?:@[a-z]+)?)`

var (
	comment    = regexp.MustCompile(`(^|\s)//.*`)
	arrows     = regexp.MustCompile(`^\s*` + item + `(?:\s*(?:,|->|=>)\s*` + item + `)*\s*$`)
	tokens     = regexp.MustCompile(item + `|,|->|=>`)
	letters    = regexp.MustCompile(`^[A-Za-z]+`)
	definition = regexp.MustCompile(`^\s*([A-Za-z]+[0-9]*(?:@[a-z]+)?)(?:\s+at\s+([0-9]{1,14}))?\s*:(.*)$`)
)

// read reads a drawing line by line.
func read(drawing string) (*sketch, error) {
	s := &sketch{named: map[string]*node{}}
	for i, line := range strings.Split(drawing, "\n") {
		line = comment.ReplaceAllString(line, "")
		var err error
		switch def := definition.FindStringSubmatch(line); {
		case strings.TrimSpace(line) == "":
		case def != nil:
			err = s.define(def[1], def[2], def[3])
		case arrows.MatchString(line):
			err = s.draw(i+1, line)
		default:
			err = fmt.Errorf("it has neither names with arrows or commas between them, nor a name, a colon and an edit")
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w\n\t%s", i+1, err, line)
		}
	}
	if len(s.nodes) == 0 {
		return nil, fmt.Errorf("the drawing is empty; the least is the name of a genesis")
	}
	return s, nil
}

// draw takes in a line such as "A, B -> C => D".
func (s *sketch) draw(line int, text string) error {
	var from, to []*node
	var here []span
	arrow := ""
	for _, at := range append(tokens.FindAllStringIndex(text, -1), []int{0, 0}) {
		switch tok := text[at[0]:at[1]]; tok {
		case ",":
		case "->", "=>", "":
			for _, n := range to {
				n.causes = append(n.causes, from...)
				if arrow == "=>" {
					n.mate, from[0].then = from[0], n
				}
			}
			if arrow == "=>" && len(from)+len(to) != 2 {
				return fmt.Errorf("=> joins one memo to the next of its run")
			}
			from, arrow, to = to, tok, nil
		default:
			n, err := s.mention(line, at[0], tok)
			if err != nil {
				return err
			}
			to, here = append(to, n), append(here, span{at[0], at[1], n})
		}
	}
	s.above = here
	return nil
}

// mention returns the node that a name, or a bar at a column, stands for.
func (s *sketch) mention(line, column int, tok string) (*node, error) {
	if tok == "|" {
		i := slices.IndexFunc(s.above, func(sp span) bool { return sp.from <= column && column < sp.to })
		if i < 0 {
			return nil, fmt.Errorf("no name stands above the bar in column %d", column+1)
		}
		return s.above[i].node, nil
	}
	name, author, told := strings.Cut(tok, "@")
	n := s.named[name]
	if n == nil {
		n = &node{name: name, line: line}
		s.nodes, s.named[name] = append(s.nodes, n), n
	}
	if told && n.author != "" && n.author != author {
		return nil, fmt.Errorf("%s is by %s already", name, n.author)
	}
	if told {
		n.author = author
	}
	return n, nil
}

// by is the name of the memo's author: what a mention told, else its letters.
func (n *node) by() string {
	if n.author != "" {
		return n.author
	}
	return letters.FindString(n.name)
}

// define takes in what a line says about a memo: its author, clock and edit.
func (s *sketch) define(tok, ms, edit string) error {
	name, _, _ := strings.Cut(tok, "@")
	if s.named[name] == nil {
		return fmt.Errorf("%s is not drawn above; arrows come first", name)
	}
	n, err := s.mention(0, 0, tok)
	if err != nil {
		return err
	}
	if ms != "" {
		at, err := strconv.ParseUint(ms, 10, 47)
		if err != nil {
			return err
		}
		t := memo.Next(at)
		n.at = &t
	}
	switch {
	case strings.TrimSpace(edit) == "":
		return nil
	case n.body != nil || n == s.nodes[0]:
		return fmt.Errorf("%s has a body already; the first name is the genesis", name)
	}
	if strings.TrimSpace(edit) == "ping" {
		n.body = &memo.Ping{}
		return nil
	}
	n.body, err = parseEdit(edit)
	return err
}
