package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"lightcone/simulations"
	"lightcone/simulations/scenario"
)

func (a *app) newSimNewCommand() *cobra.Command {
	var list bool
	cmd := &cobra.Command{
		Use:   "new NAME [FILE]",
		Short: "Write a scenario to start from",
		Long:  "Copy a scenario that comes along, or the defaults of a world, into a file of your own: by default NAME.toml.",
		Args:  cobra.MaximumNArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			if list || len(args) == 0 {
				return a.simList()
			}
			file := args[0] + ".toml"
			if len(args) == 2 {
				file = args[1]
			}
			return a.simNew(args[0], file)
		},
	}
	cmd.Flags().BoolVar(&list, "list", false, "list what there is to start from")
	return cmd
}

// simList prints the scenarios that come along, and the worlds.
func (a *app) simList() error {
	type entry struct {
		Name  string `json:"name"`
		World string `json:"world"`
		About string `json:"about"`
	}
	var out struct {
		Scenarios []entry `json:"scenarios"`
		Worlds    []entry `json:"worlds"`
	}
	for name := range simulations.Library {
		data, _ := simulations.Named(name) // it was just listed
		s, err := scenario.Parse(data)
		if err != nil {
			return err
		}
		out.Scenarios = append(out.Scenarios, entry{name, s.World, s.About})
	}
	for name, about := range scenario.Worlds {
		out.Worlds = append(out.Worlds, entry{name, name, about})
	}
	return a.print(out, func(w io.Writer) error {
		var t table
		for _, e := range out.Scenarios {
			t.add(e.Name, e.About)
		}
		t.add("", "")
		for _, e := range out.Worlds {
			t.add("world = "+strconv.Quote(e.Name), e.About)
		}
		return t.write(w)
	})
}

// simNew writes a file that is not there yet.
func (a *app) simNew(name, file string) error {
	data, ok := simulations.Named(name)
	if !ok {
		s, err := scenario.Parse([]byte("world = " + strconv.Quote(name) + "\n"))
		if err != nil {
			return fmt.Errorf("no scenario comes along as %q: %w", name, err)
		}
		if data, err = s.Encode(); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already; name another file: lightcone sim new %s FILE", file, name)
	}
	if err != nil {
		return fmt.Errorf("%w; name a file in a directory that there is: lightcone sim new %s FILE", err, name)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil { // half a scenario may be another one
		return errors.Join(err, os.Remove(file))
	}
	return a.print(map[string]string{"file": file}, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "wrote %s; run it with: lightcone sim run %s\n", file, file)
		return err
	})
}

// freeName returns name, or name-2 and so on: one that is not there.
func freeName(name string) string {
	for i, free := 2, name; ; i++ {
		if _, err := os.Lstat(free); errors.Is(err, fs.ErrNotExist) {
			return free
		}
		free = fmt.Sprintf("%s-%d", name, i)
	}
}
