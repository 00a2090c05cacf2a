package main

import (
	"fmt"
	"slices"

	causal "lightcone/context"
	"lightcone/memo"
)

// policy is that of a session.
var policy = causal.DefaultPolicy()

// client is one who reads, writes and goes from node to node with a token.
type client struct {
	w      *world
	node   int
	author int            // who it writes as, at its node
	folded causal.Context // over roots
	plain  causal.Context // the same in loose heads alone
	whole  bool           // it took in all that a node had, not rows alone
	folds  int            // of its own
	joins  int            // memos that only gather
}

// step does one thing that clients do.
func (c *client) step() error {
	c.w.catchUp(c.node, c.w.rng.IntN(maxDelay))
	switch p := c.w.rng.IntN(100); {
	case p < 75:
		return c.get()
	case p < 87:
		return c.scan()
	case p < 97:
		return c.hop()
	default:
		return c.write()
	}
}

// get reads a popular row: its last writer was seen.
func (c *client) get() error {
	if h := c.w.nodes[c.node].last[c.w.zipf.Uint64()]; h.Seq > 0 {
		c.folded, c.plain = c.folded.With(h), c.plain.With(h)
	}
	return c.trim(causal.Grown)
}

// scan takes in all that the node has.
func (c *client) scan() error {
	qc := c.w.whole(c.node)
	c.folded, c.whole = c.folded.Take(qc), true
	for _, h := range c.w.nodes[c.node].head {
		if h.Seq > 0 {
			c.plain = c.plain.With(h)
		}
	}
	if _, due := policy.Due(causal.Grown, len(qc.Loose), 0); due { // the next one finds a newer root
		if err := c.w.fold(c.node); err != nil {
			return err
		}
	}
	return c.trim(causal.Grown)
}

// trim keeps the folded context small as a session of a node does: it goes over to
// the node's root if it has seen all of that, and folds when it must.
func (c *client) trim(on causal.Occasion) error {
	if _, due := policy.Due(on, len(c.folded.Loose), 0); !due && on == causal.Grown {
		return nil
	}
	root := c.w.nodes[c.node].root
	seen := !root.Root.IsZero()
	for m := range root.Below.All() {
		seen = seen && c.folded.Covers(m.Head)
	}
	if next := c.folded.Over(root.Root, root.Below); seen && len(next.Loose) < len(c.folded.Loose) {
		c.folded = next
	}
	limit := causal.MaxLoose
	if on == causal.Sending {
		limit = causal.MaxTokenHeads
	}
	switch {
	case len(c.folded.Loose) <= limit:
		return nil
	case !c.whole:
		return c.gather()
	}
	upto := c.w.roots[c.folded.Root].upto
	qc, err := c.folded.Fold(c.w.trees, c.w.memos)
	if err != nil {
		return fmt.Errorf("fold a client's context: %w", err)
	}
	c.folded = qc
	c.w.roots[qc.Root] = known{qc.Below, upto}
	c.folds++
	return nil
}

// gather puts one memo in the place of what rows alone have shown.
func (c *client) gather() error {
	h, err := c.append(false)
	c.plain = c.plain.With(h)
	c.joins++
	return err
}

// tokens are the client's two contexts in short. The one without folds is not
// bounded here, so that its growth shows.
func (c *client) tokens() (folded, plain causal.Token, err error) {
	if err := c.trim(causal.Sending); err != nil {
		return folded, plain, err
	}
	if folded, err = c.folded.Token(keys[c.author]); err != nil {
		return folded, plain, err
	}
	for _, h := range c.plain.Loose {
		plain.Heads = append(plain.Heads, causal.TokenHead{Author: [8]byte(h.Author[:8]), Seq: h.Seq, Digest: [8]byte(h.ID[:8])})
	}
	plain.Space, plain.Origin = folded.Space, folded.Origin
	return folded, plain, nil
}

// hop goes on at another node with what a token says: the root, what it covers,
// and heads, which the node waits for.
func (c *client) hop() error {
	text, _, err := c.tokens()
	if err != nil {
		return err
	}
	t, err := causal.ParseToken(text.String())
	if err != nil {
		return err
	}
	c.node = (c.node + 1 + c.w.rng.IntN(nodes-1)) % nodes
	c.author = c.w.authorAt(c.node)
	c.w.catchUp(c.node, 0)
	var cut memo.Vector
	for _, h := range c.w.nodes[c.node].head {
		if h.Seq > 0 {
			cut.Set(memo.Mark{Head: h})
		}
	}
	named := map[[8]byte]memo.ID{} // what the node has at the places that the token names
	for _, h := range c.folded.Loose {
		named[[8]byte(h.ID[:8])] = h.ID
	}
	digest := func(a memo.Author, seq uint64) (memo.ID, bool) {
		for _, h := range t.Heads {
			if h.Author == [8]byte(a[:8]) && h.Seq == seq {
				return named[h.Digest], true
			}
		}
		return memo.ID{}, false
	}
	qc, ok := t.Resolve(c.w.space, causal.NewCut(cut), digest)
	if !ok {
		return fmt.Errorf("token %s is not covered by a node that has everything", t)
	}
	if !t.Root.IsZero() {
		root, ok := c.w.roots[t.Root]
		if !ok {
			return fmt.Errorf("root %s is not known", t.Root)
		}
		qc = qc.Over(t.Root, root.below)
	}
	c.folded = qc
	return nil
}

// authorAt picks an author of a node.
func (w *world) authorAt(node int) int { return node + nodes*w.rng.IntN(authors/nodes) }

// write writes a row after all that was seen: the memo names what the author's
// chain does not have behind it, and is all of the context then.
func (c *client) write() error {
	h, err := c.append(true)
	c.plain = causal.Context{Space: c.w.space}.With(h)
	return err
}

func (c *client) append(edit bool) (memo.Head, error) {
	causes := c.folded.Missing(causal.NewCut(c.w.behind[c.author]))
	causes = slices.DeleteFunc(causes, func(h memo.Head) bool { return h.Author == keys[c.author] })
	h, err := c.w.write(c.author, causes, edit)
	c.folded, c.whole = causal.Context{Space: c.w.space}.With(h), false
	return h, err
}

// check compares the client's contexts: folded in full they have one root. Where
// the memos for that were dropped, the one must at least cover the other.
func (c *client) check() error {
	if c.folded.Root.IsZero() && c.w.dropped > 0 {
		return nil
	}
	a, err := c.folded.Fold(c.w.trees, c.w.memos)
	if err != nil {
		return err
	}
	if rest := c.plain.Over(a.Root, a.Below); len(rest.Loose) > 0 {
		return fmt.Errorf("a client's folded context lost %v", rest.Loose)
	}
	if c.w.dropped > 0 {
		return nil
	}
	b, err := c.plain.Fold(c.w.trees, c.w.memos)
	if err == nil && a.Root != b.Root {
		err = fmt.Errorf("a client's contexts have roots %s and %s", a.Root, b.Root)
	}
	return err
}
