package node

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Issued is a ticket of this node that may still be used.
type Issued struct {
	ID      string // names it among those of the space; it is no secret
	Scope   Scope
	Expires time.Time
	Uses    int
	UsedBy  []string // peer ids
}

// Tickets lists the tickets into s that this node issued and that are open, the ones
// that expire first ahead.
func (s *Space) Tickets(ctx context.Context) ([]Issued, error) {
	c := &openTickets{space: s, reply: make(chan []Issued, 1)}
	return await(ctx, s.node, c, c.reply)
}

type openTickets struct {
	space *Space
	reply chan []Issued
}

func (c *openTickets) do(o *owner) {
	now := o.n.opts.Now()
	var out []Issued
	for _, t := range o.state.find(c.space.id.String()).Tickets {
		if now.After(t.Expires) || len(t.UsedBy) >= t.Uses {
			continue
		}
		scope, _ := ParseScope(t.Scope) // an earlier version wrote none
		out = append(out, Issued{ID: ticketID(t), Scope: scope, Expires: t.Expires, Uses: t.Uses, UsedBy: slices.Clone(t.UsedBy)})
	}
	slices.SortStableFunc(out, func(a, b Issued) int { return a.Expires.Compare(b.Expires) })
	c.reply <- out
}

// ticketID is a ticket's nonce. Who knows it and not the key can do nothing with it.
func ticketID(t *ticketState) string { return strconv.FormatUint(t.Nonce, 16) }

// Withdraw makes the ticket of that id worthless from now on. Who joined with it stays.
func (s *Space) Withdraw(ctx context.Context, id string) error {
	c := &withdraw{space: s, id: id, reply: make(chan error, 1)}
	err, failed := await(ctx, s.node, c, c.reply)
	if failed != nil {
		return failed
	}
	return err
}

type withdraw struct {
	space *Space
	id    string
	reply chan error
}

func (c *withdraw) do(o *owner) {
	s := o.state.find(c.space.id.String())
	was := len(s.Tickets)
	s.Tickets = slices.DeleteFunc(s.Tickets, func(t *ticketState) bool { return ticketID(t) == c.id })
	if len(s.Tickets) == was {
		c.reply <- fmt.Errorf("%w: this node has no open ticket %q into space %q; see `lightcone ticket --list`", ErrNotFound, c.id, c.space.name)
		return
	}
	c.reply <- classify(o.state.save(o.n.dir))
}
