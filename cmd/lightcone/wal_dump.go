package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"lightcone/memo"
	"lightcone/walfs"
)

// What dump shows of a record's data.
const (
	dumpNone = "none"
	dumpHex  = "hex"
	dumpMemo = "memo"
)

// dumpOptions are dump's flags.
type dumpOptions struct {
	from, limit uint64
	data        string
}

// record is a line of dump: a record, or what is lost in its place.
type record struct {
	LSN     uint64    `json:"lsn,omitempty"`
	Segment uint64    `json:"segment,omitempty"`
	Offset  uint64    `json:"offset,omitempty"`
	Kind    string    `json:"kind,omitempty"`
	Bytes   int       `json:"bytes"`
	Data    string    `json:"data,omitempty"`
	Lost    *lostJSON `json:"lost,omitempty"`
}

func (a *app) newWalDumpCommand() *cobra.Command {
	var o dumpOptions
	cmd := &cobra.Command{
		Use:   "dump DIR",
		Short: "Print the records of a log, past all damage",
		Long:  "Print the records of a log: LSN, segment:offset, kind, bytes, and data if asked for. With --json one line of JSON each.",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if o.data != dumpNone && o.data != dumpHex && o.data != dumpMemo {
				return usagef("--data %q; it is none, hex or memo", o.data)
			}
			return lookAt(args[0], func(l *walfs.Log) (int, error) { return a.walDump(l, o) })
		},
	}
	f := cmd.Flags()
	f.Uint64Var(&o.from, "from", 0, "LSN to begin with; default the first")
	f.Uint64Var(&o.limit, "limit", 0, "how many records at most; 0 for all")
	f.StringVar(&o.data, "data", dumpNone, "show the data: none, hex, or memo (what it decodes to)")
	return cmd
}

// walDump prints records until the end and returns how often it met damage.
func (a *app) walDump(l *walfs.Log, o dumpOptions) (damaged int, err error) {
	r, err := readerFrom(l, o.from)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	for n := uint64(0); o.limit == 0 || n < o.limit; {
		e, err := r.Next()
		var line record
		switch {
		case errors.Is(err, walfs.ErrNoNewData):
			return damaged, nil
		case err != nil:
			lost, skipErr := r.Skip()
			if skipErr != nil {
				return damaged, err
			}
			damaged++
			j := lostOf(lost)
			line.Lost = &j
		case e.LSN < o.from:
			continue
		default:
			n++
			line = record{LSN: e.LSN, Segment: e.Pos.Segment, Offset: e.Pos.Offset, Kind: e.Kind.String(), Bytes: len(e.Data), Data: dataText(e, o.data)}
		}
		if err := a.print(line, line.write); err != nil {
			return damaged, err
		}
	}
	return damaged, nil
}

// readerFrom starts at the record lsn, or further ahead where damage hides it.
func readerFrom(l *walfs.Log, lsn uint64) (*walfs.Reader, error) {
	if lsn <= l.First() {
		return l.Reader(walfs.Position{})
	}
	at, err := l.Seek(lsn)
	if errors.Is(err, walfs.ErrNotFound) {
		return nil, usagef("--from %d: %w", lsn, err)
	}
	if err != nil {
		at = walfs.Position{}
	}
	return l.Reader(at)
}

func (r record) write(w io.Writer) error {
	if r.Lost != nil {
		_, err := fmt.Fprintf(w, "damage: %s\n", r.Lost)
		return err
	}
	line := fmt.Sprintf("%8d  %d:%-8d  %-10s  %7d", r.LSN, r.Segment, r.Offset, r.Kind, r.Bytes)
	if r.Data != "" {
		line += "  " + r.Data
	}
	_, err := fmt.Fprintln(w, line)
	return err
}

// dataText shows a record's data.
func dataText(e walfs.Entry, how string) string {
	switch how {
	case dumpHex:
		return hex.EncodeToString(e.Data)
	case dumpMemo:
		return memoText(e)
	}
	return ""
}

// memoText says in one line what the store keeps in a record.
func memoText(e walfs.Entry) string {
	switch e.Kind {
	case walfs.KindRun:
		r, err := memo.DecodeRun(e.Data)
		if err != nil {
			return "not a run: " + err.Error()
		}
		return fmt.Sprintf("%d memo(s) up to %s", len(r.Memos), r.Head())
	case walfs.KindOwnMemo:
		m, err := memo.Decode(e.Data)
		if err != nil {
			return "not a memo: " + err.Error()
		}
		return m.Head().String()
	}
	return fmt.Sprintf("%d bytes", len(e.Data))
}
