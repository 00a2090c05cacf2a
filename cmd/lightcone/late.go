package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"lightcone/node"
	"lightcone/node/api"
)

// latePolicies are the values of --late of a space.
var latePolicies = []string{string(node.LateAccept), string(node.LateQuarantine), api.LateDefault}

// releaseAll stands for every author in --release.
const releaseAll = "all"

func (a *app) setLate(ctx context.Context, policy string) error {
	return a.with(ctx, func(l *link) error {
		if err := l.SetLate(ctx, a.space, policy); err != nil {
			return err
		}
		b, err := l.Beacons(ctx, a.space)
		if err != nil {
			return err
		}
		return a.print(b.Late, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "late  %s\n", b.Late.Policy)
			return err
		})
	})
}

func (a *app) heldLate(ctx context.Context) error {
	return a.with(ctx, func(l *link) error {
		b, err := l.Beacons(ctx, a.space)
		if err != nil {
			return err
		}
		if len(b.Late.Held) == 0 {
			a.say("no late memos are held back in space %q", a.space)
		}
		return a.print(b.Late.Held, func(w io.Writer) error {
			t := table{}
			for _, h := range b.Late.Held {
				t.add(h.Author, fmt.Sprintf("#%d to #%d, %s memos, %s bytes", h.First, h.Last.Seq, comma(int64(h.Memos)), comma(int64(h.Bytes))))
			}
			return t.write(w)
		})
	})
}

func (a *app) releaseLate(ctx context.Context, authors []string) error {
	if slices.Contains(authors, releaseAll) {
		authors = nil
	}
	return a.with(ctx, func(l *link) error {
		done, err := l.ReleaseLate(ctx, a.space, authors...)
		if err != nil {
			return err
		}
		return a.print(done, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "released  %s memos\n", comma(int64(done.Memos)))
			return err
		})
	})
}
