package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"lightcone/node"
	"lightcone/walfs"
)

func (a *app) newWalCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "wal",
		Short: "Look into a write-ahead log without changing it",
		Long: "Look into the write-ahead log of a node: DIR is the node's directory, or the log's own. Files are opened for\n" +
			"reading only, damaged ones too. It may be done beside a running node; what that appends meanwhile is not shown,\n" +
			"and what it has half written may look like a torn tail.",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return usagef("wal does nothing by itself; add stat, dump or verify, and a directory")
		},
	}
	cmd.AddCommand(
		&cobra.Command{
			Use:   "stat DIR",
			Short: "Print segments, records, durable marks, and what they hold by kind",
			Args:  cobra.ExactArgs(1),
			RunE:  func(_ *cobra.Command, args []string) error { return a.walStat(args[0]) },
		},
		a.newWalDumpCommand(),
		&cobra.Command{
			Use:   "verify DIR",
			Short: "Check every byte and list each damage with file and offset",
			Args:  cobra.ExactArgs(1),
			RunE:  func(_ *cobra.Command, args []string) error { return a.walVerify(args[0]) },
		},
	)
	return cmd
}

// lookAt opens the log in dir, or in the node's directory dir, for reading only and
// lets f look at it. Damage that f counts makes the error of exit code 6.
func lookAt(dir string, f func(l *walfs.Log) (damaged int, err error)) error {
	if info, err := os.Stat(filepath.Join(dir, "wal")); err == nil && info.IsDir() {
		dir = filepath.Join(dir, "wal")
	}
	l, err := walfs.Open(dir, walfs.Options{Degraded: true})
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("no log in %s; name a node's directory, or its wal directory", dir)
	}
	if err != nil {
		return err
	}
	n, err := f(l)
	if err = errors.Join(err, l.Close()); err != nil {
		return err
	}
	if n > 0 {
		return fmt.Errorf("%w: %d place(s) in %s; restore the files named above from a copy, or fetch what is lost from peers",
			node.ErrDamaged, n, dir)
	}
	return nil
}

// lostJSON is a walfs.Lost, as JSON.
type lostJSON struct {
	File  string `json:"file"`
	From  int64  `json:"from"` // bytes
	To    int64  `json:"to"`
	First uint64 `json:"first"` // records lost; last is first-1 when none is
	Last  uint64 `json:"last"`
	// Before and After are neighbours in a batch that is not whole.
	Before uint64 `json:"before,omitempty"`
	After  uint64 `json:"after,omitempty"`
	Cause  string `json:"cause"`

	text string
}

func (l lostJSON) String() string { return l.text }

func lostOf(l walfs.Lost) lostJSON {
	return lostJSON{l.File, l.From, l.To, l.First, l.Last, l.Before, l.After, l.Err.Error(), l.String()}
}
