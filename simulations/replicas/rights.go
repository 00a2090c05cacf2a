package replicas

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"slices"
	"time"

	"lightcone/memo"
	"lightcone/node"
	"lightcone/p2p/gossip"
)

// rulers is how many replicas, the first, may grant from the beginning and are never
// revoked: the one with the root key and one that may go on in its place.
const rulers = 2

// admit grants the right to write, as a space of members begins: to all but a few.
func (w *World) admit() error {
	for _, p := range w.peers[1:] {
		role := memo.Writer
		if p.index < rulers {
			role = memo.Granter
		} else if w.chance(0.4) {
			continue
		}
		ctx, cancel := soon()
		defer cancel()
		p.granted = true
		r, err := w.peers[0].space.Grant(ctx, p.id, role)
		if err != nil {
			return fmt.Errorf("grant to replica %d: %w", p.index, err)
		}
		w.grants = append(w.grants, placeOf(w.peers[0].id, r))
	}
	w.run(500 * time.Millisecond)
	return nil
}

// placeOf is the place of a memo in its author's chain, as its receipt tells.
func placeOf(by memo.Author, r node.Receipt) memo.Head {
	for _, h := range r.Token.Heads {
		if h.Author == [8]byte(by[:8]) {
			return memo.Head{Author: by, Seq: h.Seq, ID: r.ID}
		}
	}
	return memo.Head{}
}

// rule has a ruler grant or revoke.
func (w *World) rule(*replica) {
	by, about := w.peers[w.rng.IntN(rulers)], w.peers[rulers+w.rng.IntN(len(w.peers)-rulers)]
	revoke := w.chance(0.6)
	if revoke {
		by = w.peers[0] // who has the root key may revoke all others
	}
	s, id := by.space, about.id
	if revoke {
		w.errandTo(by, "revocation", func(ctx context.Context) error {
			_, err := s.Revoke(ctx, id)
			return err
		}, func(error) { w.revoked = true })
		return
	}
	about.granted = about.granted || !by.busy && by.node != nil
	var r node.Receipt
	w.errandTo(by, "grant", func(ctx context.Context) (err error) {
		r, err = s.Grant(ctx, id, memo.Writer)
		return err
	}, func(err error) {
		if g := placeOf(by.id, r); err == nil && g.Seq > 0 {
			w.grants = append(w.grants, g)
		}
	})
}

// intrude has somebody write to whom nobody granted anything: a member relays it.
func (w *World) intrude(p *replica) {
	var seed [ed25519.SeedSize]byte
	for i := range seed {
		seed[i] = byte(w.rng.Uint32())
	}
	grant := w.grants[w.rng.IntN(len(w.grants))]
	w.struck("writer without a grant")
	w.write(p, ed25519.NewKeyFromSeed(seed[:]), memo.Head{}, grant)
}

// write has a memo behind last, sealed with the key of its author as it ought to be,
// arrive at all replicas from p.
func (w *World) write(p *replica, key ed25519.PrivateKey, last memo.Head, deps ...memo.Head) {
	author := memo.Author(key.Public().(ed25519.PublicKey))
	m, err := memo.New(memo.Memo{
		Space: w.space, Author: author, Seq: last.Seq + 1, Prev: last.ID, Deps: deps,
		Time: memo.Next(uint64(time.Now().UnixMilli())), Body: forgedEdit(),
	})
	if err != nil {
		w.broken("make a memo: %v", err)
		return
	}
	raw, err := (&memo.Run{Space: w.space, Memos: []*memo.Memo{m}, Seal: memo.Sign(key, w.space, m.Head())}).Encode()
	if err != nil {
		w.broken("make a run: %v", err)
		return
	}
	data := slices.Concat([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0}, raw) // version, and a hint that says nothing
	for _, to := range w.peers {
		if to != p {
			w.after(w.passage(), func() { w.input(to, &gossip.Heard{Space: w.space, Peer: p.id, Data: data}) })
		}
	}
}

// sound are the replicas that have to be equal in the end: all but those which were
// revoked, whom nobody serves any more.
func (w *World) sound() (out []*replica) {
	gone := map[memo.Author]bool{}
	for _, m := range w.peers[0].space.Members() {
		gone[m.Author] = m.Revoked
	}
	for _, p := range w.peers {
		if !gone[p.id] {
			out = append(out, p)
		}
	}
	return out
}

// admitAll grants to all who were not revoked, when all is healed: so those who attached
// something of a revoked one in time can say so, as readers cannot.
func (w *World) admitAll() error {
	if w.kind != membersSpace {
		return nil
	}
	by := w.peers[0]
	if by.replaced { // the root key is lost: the other ruler goes on
		by = w.peers[1]
	}
	for _, p := range w.sound() {
		if p == by {
			continue
		}
		ctx, cancel := soon()
		defer cancel()
		p.granted = true
		if _, err := by.space.Grant(ctx, p.id, memo.Writer); err != nil {
			return fmt.Errorf("grant to replica %d: %w", p.index, err)
		}
	}
	w.run(500 * time.Millisecond) // they are sealed
	return nil
}

// outlaw has every replica that was revoked write on, which a sound one relays: the
// revoked one itself nobody listens to any more. Nobody may take that.
func (w *World) outlaw() error {
	sound := w.sound()
	for _, p := range w.peers {
		if slices.Contains(sound, p) {
			continue
		}
		last, wrote := sound[0].space.Vector().Get(p.id)
		if !wrote {
			continue
		}
		w.struck("revoked writer")
		w.write(sound[len(sound)-1], p.key, last.Head)
		w.run(2 * time.Second)
		for _, q := range sound {
			if now, _ := q.space.Vector().Get(p.id); now.Seq != last.Seq {
				return fmt.Errorf("replica %d attached memo %d of replica %d, which was revoked behind memo %d", q.index, now.Seq, p.index, last.Seq)
			}
		}
	}
	return nil
}
