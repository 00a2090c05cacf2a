package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/lmittmann/tint"
	"golang.org/x/term"

	"lightcone/node"
	"lightcone/node/api"
)

const (
	// lockPatience is how long a command waits for a directory that another one
	// holds without answering: it opens or closes it, or is as short as this one.
	lockPatience = 3 * time.Second
	// lockRetry is how often it looks.
	lockRetry = 50 * time.Millisecond
)

// link is a command's connection to a node: to one that runs, or to its own.
type link struct {
	*api.Client                // nil while an own node is being readied
	closers     []func() error // of an own node, in order of opening
}

// own reports whether the node is the command's.
func (l *link) own() bool { return len(l.closers) > 0 }

// Close ends the connection and closes an own node, the last opened part first.
func (l *link) Close() error {
	if l.Client != nil {
		l.Client.Close()
	}
	var errs []error
	for i := len(l.closers) - 1; i >= 0; i-- {
		errs = append(errs, l.closers[i]())
	}
	return errors.Join(errs...)
}

// with connects, runs f, and closes.
func (a *app) with(ctx context.Context, f func(l *link) error) error {
	if err := a.exists(); err != nil {
		return err
	}
	l, err := a.connect(ctx, nil)
	if err != nil {
		return err
	}
	return errors.Join(f(l), l.Close())
}

// exists returns an error unless there is something in the directory, so that
// reading does not create what is not there.
func (a *app) exists() error {
	entries, err := os.ReadDir(a.dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return api.NewProblem(http.StatusServiceUnavailable, api.NoNode, "there is no node in "+a.dir,
			"create one with `lightcone init`, enter a space with `lightcone join TICKET`, or name another --dir")
	}
	return err
}

// connect returns a link to the node that runs on the directory, or opens the
// node and, with prepare, readies it.
func (a *app) connect(ctx context.Context, prepare func(*link, *node.Node) error) (*link, error) {
	for end := time.Now().Add(lockPatience); ; {
		c, err := api.Dial(ctx, a.dir)
		if err == nil {
			return &link{Client: c}, nil
		}
		if !errors.Is(err, api.ErrNoNode) {
			return nil, err
		}
		n, err := node.Open(a.dir, node.Options{Logger: a.logger(slog.LevelWarn)})
		if err == nil {
			return a.serveOwn(n, prepare)
		}
		if err := a.again(ctx, err, end); err != nil {
			return nil, err
		}
	}
}

// again waits a moment and returns nil if the directory is locked, ctx goes on
// and end is not reached; otherwise it returns err.
func (a *app) again(ctx context.Context, err error, end time.Time) error {
	if !errors.Is(err, node.ErrLocked) || time.Now().After(end) {
		return err
	}
	select {
	case <-time.After(lockRetry):
		return nil
	case <-ctx.Done():
		return err
	}
}

// serveOwn serves the API of a node to this process alone.
func (a *app) serveOwn(n *node.Node, prepare func(*link, *node.Node) error) (*link, error) {
	l := &link{closers: []func() error{n.Close}}
	if prepare != nil {
		if err := prepare(l, n); err != nil {
			return nil, errors.Join(err, l.Close())
		}
	}
	srv, err := api.Listen(n, "", api.Options{})
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	l.closers = append(l.closers, srv.Close)
	l.Client = srv.Client()
	return l, nil
}

// logger logs to stderr, in color on a terminal.
func (a *app) logger(level slog.Level) *slog.Logger {
	return slog.New(tint.NewTextHandler(a.stderr, &tint.Options{
		Level: level, TimeFormat: time.TimeOnly, NoColor: !isTerminal(a.stderr),
	}))
}

// isTerminal reports whether a stream is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
