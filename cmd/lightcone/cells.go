package main

import (
	"context"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"lightcone/memo"
	"lightcone/node/api"
)

func (a *app) newIncrCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "incr TOPIC/ROW FIELD N",
		Short: "Add a number to a counter and print the context that covers it",
		Long: "Add N to a counter; what others add meanwhile adds up. Prints a context token that covers the write.\n" +
			"A negative N goes behind --. To delete the row is to start anew.",
		Example: "  lightcone incr airports/00M landings 1\n  lightcone incr airports/00M landings -- -1",
		Args:    cobra.ExactArgs(3),
	}
	after := writeFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		n, err := strconv.ParseInt(args[2], 10, 64)
		if err != nil {
			return usagef("%q is no int64; write a whole number, as in incr airports/00M landings 1", args[2])
		}
		if n == 0 {
			return usagef("adding 0 changes nothing; write another number")
		}
		return a.edit(cmd.Context(), args[0], after, func(e *api.Edit) error {
			e.Add = []api.Increment{{Field: api.Name(args[1]), By: n}}
			return nil
		})
	}
	return cmd
}

func (a *app) newSetCommand() *cobra.Command {
	set := &cobra.Command{
		Use:   "set",
		Short: "Add elements to a set, or remove them",
	}
	sub := func(name, short, long string, of func(c *api.SetChange, elements []api.Value)) {
		cmd := &cobra.Command{
			Use:     name + " TOPIC/ROW FIELD ELEM…",
			Short:   short,
			Long:    long + " Prints a context token that covers the write.\nElements: text, :=42, :=1.5, :=true, :=null, @file for bytes.",
			Example: "  lightcone set " + name + " airports/00M tags grass paved",
			Args:    cobra.MinimumNArgs(3),
		}
		after := writeFlags(cmd)
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			return a.edit(cmd.Context(), args[0], after, func(e *api.Edit) error {
				c := api.SetChange{Field: api.Name(args[1])}
				elements, err := elements(args[1], args[2:])
				of(&c, elements)
				e.Sets = []api.SetChange{c}
				return err
			})
		}
		set.AddCommand(cmd)
	}
	sub("add", "Add elements to a set and print the context that covers it",
		"Add elements to a set. What is added stays when somebody removes it at the same time.",
		func(c *api.SetChange, elements []api.Value) { c.Add = elements })
	sub("rm", "Remove elements from a set and print the context that covers it",
		"Remove elements from a set, as far as this node has them.",
		func(c *api.SetChange, elements []api.Value) { c.Remove = elements })
	return set
}

// elements reads ELEM arguments.
func elements(field string, args []string) ([]api.Value, error) {
	out := make([]api.Value, len(args))
	for i, arg := range args {
		text, typed := strings.CutPrefix(arg, ":=")
		v, err := assigned(field, text, typed)
		if err != nil {
			return nil, err
		}
		out[i] = api.Value(v)
	}
	return out, nil
}

// edit makes one edit of the row that path names.
func (a *app) edit(ctx context.Context, path string, after func() (under, error), fill func(e *api.Edit) error) error {
	u, err := after()
	if err != nil {
		return err
	}
	topic, row, err := splitPath(path)
	if err != nil {
		return err
	}
	e := api.Edit{Topic: topic, Row: api.Name(row)}
	if err := fill(&e); err != nil {
		return err
	}
	return a.put(ctx, e, u)
}

// shownFields are the fields of a row as lines of name and text, by name: a set
// in braces, a multi once for each of its values.
func shownFields(row api.Row) (t table) {
	cells := map[api.Name]api.Cell{}
	names := map[string]bool{}
	for _, c := range row.Cells {
		cells[c.Field] = c
		names[string(c.Field)] = len(c.Elements) > 0
	}
	for name := range row.Fields {
		names[name] = true
	}
	for _, name := range sortedKeys(names) {
		c := cells[api.Name(name)]
		switch {
		case !names[name]: // hidden by a later deletion
		case len(c.Values) > 0:
			for _, v := range c.Values {
				t.add(plain(name), show(memo.Value(v.Value)))
			}
		case len(c.Elements) > 0:
			t.add(plain(name), showSet(c.Elements))
		default:
			t.add(plain(name), show(row.Fields[name]))
		}
	}
	return t
}

// hints says on stderr what a row's lines do not: how to resolve concurrent
// values, and what is there and not shown.
func (a *app) hints(row api.Row) {
	for _, c := range row.Cells {
		if n := len(c.Values); n > 1 {
			a.say("%s has %d concurrent values, the last one written first; resolve them with\n  lightcone put --multi %s/%s %s=VALUE",
				plain(string(c.Field)), n, row.Topic, plain(string(row.Key)), plain(string(c.Field)))
		}
		for _, other := range c.Others {
			a.say("%s is also a %s, which was written earlier and is not shown", plain(string(c.Field)), other)
		}
	}
}
