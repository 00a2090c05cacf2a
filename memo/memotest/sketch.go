package memotest

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"lightcone/memo"
)

// sketch is a drawing as it was read, before anything is made of it.
type sketch struct {
	nodes map[string]*node
	order []*node // as first mentioned
	above []span  // of the line before
}

// node is one name of a drawing.
type node struct {
	name   string
	line   int    // of the first mention
	author string // "" until a mention tells
	causes []*node
	with   *node       // the memo before it in the same run, or nil
	at     *uint64     // milliseconds, when drawn
	edit   *memo.Edit  // nil: a join
	memo   *memo.Memo  // once made
	cut    memo.Vector // of the memo and its past, once made
}

// span is where in a line a name, or a bar that repeats it, stands.
type span struct {
	from, to int
	node     *node
}

var (
	tokens  = regexp.MustCompile(`\||->|=>|,|[A-Za-z]+[0-9]*(?:@[a-z]+)?|\S`)
	mention = regexp.MustCompile(`^([A-Za-z]+)[0-9]*(?:@([a-z]+))?$`)
	comment = regexp.MustCompile(`(^|\s)//.*`)
)

// read reads a drawing line by line.
func read(drawing string) (*sketch, error) {
	s := &sketch{nodes: map[string]*node{}}
	for i, line := range strings.Split(drawing, "\n") {
		line = strings.TrimRight(comment.ReplaceAllString(line, ""), " \t\r")
		var err error
		switch head, edit, isEdit := strings.Cut(line, ":"); {
		case strings.TrimSpace(line) == "":
		case isEdit:
			err = s.definition(head, edit)
		default:
			err = s.arrows(i+1, line)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w\n\t%s", i+1, err, line)
		}
	}
	if len(s.order) == 0 {
		return nil, fmt.Errorf("the drawing is empty; its least is the name of a genesis")
	}
	return s, nil
}

// arrows reads a line such as "A, B -> C => D".
func (s *sketch) arrows(line int, text string) error {
	var from, to []*node
	var here []span
	arrow, wantName := "", true
	for _, at := range append(tokens.FindAllStringIndex(text, -1), []int{len(text), len(text)}) {
		tok := text[at[0]:at[1]]
		isName := tok == "|" || mention.MatchString(tok)
		switch {
		case isName != wantName:
			return fmt.Errorf("column %d: names and arrows take turns", at[0]+1)
		case isName:
			n, err := s.named(line, at[0], tok)
			if err != nil {
				return fmt.Errorf("column %d: %w", at[0]+1, err)
			}
			to, here = append(to, n), append(here, span{at[0], at[1], n})
		case tok == "->" || tok == "=>" || tok == "":
			if err := join(from, arrow, to); err != nil {
				return err
			}
			from, arrow, to = to, tok, nil
		case tok != ",":
			return fmt.Errorf("column %d: %q is neither a name nor an arrow", at[0]+1, tok)
		}
		wantName = !isName
	}
	s.above = here
	return nil
}

// join draws the arrow from every node of one list to every node of the next.
func join(from []*node, arrow string, to []*node) error {
	if arrow == "=>" && (len(from) != 1 || len(to) != 1) {
		return fmt.Errorf("=> joins one memo to the next of its run")
	}
	for _, f := range from {
		for _, n := range to {
			if !slices.Contains(n.causes, f) {
				n.causes = append(n.causes, f)
			}
			if arrow == "=>" {
				n.with = f
			}
		}
	}
	return nil
}

// named finds or makes the node that a name, or a bar in a column, stands for.
func (s *sketch) named(line, column int, tok string) (*node, error) {
	if tok == "|" {
		for _, above := range s.above {
			if above.from <= column && column < above.to {
				return above.node, nil
			}
		}
		return nil, fmt.Errorf("no name stands above this bar")
	}
	name, author, told := strings.Cut(tok, "@")
	n := s.nodes[name]
	if n == nil {
		n = &node{name: name, line: line}
		s.nodes[name], s.order = n, append(s.order, n)
	}
	if told && n.author != "" && n.author != author {
		return nil, fmt.Errorf("%s is by %s already", name, n.author)
	}
	if told {
		n.author = author
	}
	return n, nil
}

// by is the name of the node's author: what a mention told, else its letters.
func (n *node) by() string {
	if n.author != "" {
		return n.author
	}
	return mention.FindStringSubmatch(n.name)[1]
}

// definition reads "NAME[@author] [at MS]: EDIT".
func (s *sketch) definition(head, text string) error {
	words := strings.Fields(head)
	if len(words) != 1 && (len(words) != 3 || words[1] != "at") || !mention.MatchString(words[0]) {
		return fmt.Errorf("before the colon stands a name, or a name, \"at\" and milliseconds")
	}
	name, _, _ := strings.Cut(words[0], "@")
	if s.nodes[name] == nil {
		return fmt.Errorf("%s is not drawn above; arrows come first", name)
	}
	n, err := s.named(0, 0, words[0])
	if err != nil {
		return err
	}
	if len(words) == 3 {
		ms, err := strconv.ParseUint(words[2], 10, 47)
		if err != nil {
			return fmt.Errorf("%q is no clock in milliseconds", words[2])
		}
		n.at = &ms
	}
	switch {
	case strings.TrimSpace(text) == "":
		return nil
	case n == s.order[0]:
		return fmt.Errorf("%s is the genesis, which edits nothing", name)
	case n.edit != nil:
		return fmt.Errorf("%s has an edit already", name)
	}
	n.edit, err = parseEdit(text)
	return err
}
