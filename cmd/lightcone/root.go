package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

// app is what all commands share: the global flags and the streams.
type app struct {
	dir   string
	space string
	json  bool

	stdin          io.Reader
	stdout, stderr io.Writer
	started        bool // a command runs: what fails from here on is no usage error
}

func (a *app) newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "lightcone",
		Short:         "A leaderless, local-first database",
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRun: func(*cobra.Command, []string) {
			a.started = true
		},
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	flags := root.PersistentFlags()
	flags.StringVar(&a.dir, "dir", defaultDir(), "the node's directory")
	flags.StringVar(&a.space, "space", defaultSpace, "the space, by its name here or its id")
	flags.BoolVar(&a.json, "json", false, "print JSON")
	root.AddCommand(
		a.newDemoCommand(), a.newInitCommand(), a.newUpCommand(), a.newStatusCommand(),
		a.newPeersCommand(), a.newTicketCommand(), a.newJoinCommand(), a.newCompactCommand(),
		a.newSpaceCommand(), a.newGrantCommand(), a.newRevokeCommand(),
		a.newPutCommand(), a.newIncrCommand(), a.newSetCommand(), a.newGetCommand(), a.newDelCommand(), a.newScanCommand(), a.newWatchCommand(),
		a.newHistoryCommand(), a.newWhyCommand(), a.newBeaconsCommand(),
		a.newImportCommand(), a.newExportCommand(), a.newContextCommand(), a.newWalCommand(), a.newSwarmCommand(), a.newSimCommand(),
		a.newVersionCommand(),
	)
	return root
}

// defaultSpace is made by `init` and used where --space does not say otherwise.
const defaultSpace = "default"

// defaultDir follows the XDG base directory specification.
func defaultDir() string {
	if data := os.Getenv("XDG_DATA_HOME"); data != "" {
		return filepath.Join(data, "lightcone")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "lightcone-data" // no home: the working directory is all there is
	}
	return filepath.Join(home, ".local", "share", "lightcone")
}

// say prints words for people, which JSON output leaves out.
func (a *app) say(format string, args ...any) {
	if !a.json {
		fmt.Fprintf(a.stderr, format+"\n", args...)
	}
}

// print prints data: v as one line of JSON, or by text.
func (a *app) print(v any, text func(w io.Writer) error) error {
	if !a.json {
		return text(a.stdout)
	}
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
