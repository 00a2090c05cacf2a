package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"lightcone/memo"
	"lightcone/node/api"
)

func (a *app) newWatchCommand() *cobra.Command {
	var q api.Query
	var from string
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Print changes of rows as they come",
		Long: "Print changes of rows as they come, one a line: time, author, topic/row, then field=value for what was\n" +
			"written, -field for what was deleted and -* for a deleted row, separated by tabs. It needs a running node and ends with Ctrl-C.\n" +
			"With --json each line has a cursor; --from CURSOR goes on behind it, on the same node.",
		Example: "  lightcone watch --topic airports\n  lightcone watch --from start --limit 10 --json",
		Args:    cobra.NoArgs,
	}
	f := cmd.Flags()
	f.StringVar(&q.Topic, "topic", "", "only this topic")
	f.StringVar(&q.Prefix, "prefix", "", "only keys that start with it")
	f.IntVar(&q.Limit, "limit", 0, "end after so many changes (0: go on)")
	f.StringVar(&from, "from", api.Now, "where to start: now, start, or a cursor")
	read := readFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		switch {
		case q.Topic == "" && q.Prefix != "":
			return usagef("--prefix needs a topic; add --topic")
		case q.Limit < 0:
			return usagef("--limit %d; it is 0 or more", q.Limit)
		}
		r, err := read()
		if err != nil {
			return err
		}
		return a.watch(cmd.Context(), q, from, r)
	}
	return cmd
}

// watch asks a running node: an own one would keep others from writing what is
// watched for.
func (a *app) watch(ctx context.Context, q api.Query, from string, r api.Read) error {
	if err := a.exists(); err != nil {
		return err
	}
	c, err := api.Dial(ctx, a.dir)
	if err != nil {
		return err
	}
	defer c.Close()
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	cursor, err := c.Watch(ctx, a.space, q, from, r, func(ch api.Change) error {
		if a.json {
			return enc.Encode(ch)
		}
		return changeLine(a.stdout, ch)
	})
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		err = nil // asked to end
	}
	if cursor != from {
		a.say("go on with --from %s", cursor)
	}
	return err
}

func changeLine(w io.Writer, c api.Change) error {
	at := time.UnixMilli(int64(memo.Time(c.Time).Millis())).UTC().Format("2006-01-02T15:04:05.000Z")
	line := at + "\t" + c.Author + "\t" + plain(c.Topic+"/"+string(c.Key))
	if c.Tombstone {
		line += "\t-*"
	}
	for _, name := range c.Deleted {
		line += "\t-" + plain(string(name))
	}
	for _, name := range c.Changed {
		line += "\t~" + plain(string(name))
	}
	for _, name := range sortedKeys(c.Fields) {
		line += "\t" + plain(name) + "=" + show(c.Fields[name])
	}
	_, err := fmt.Fprintln(w, line)
	return err
}
