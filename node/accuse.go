package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/p2p/gossip"
)

// This file keeps proofs that peers signed false states, a file each, and what follows
// from them: nothing is adopted of such a peer, also after a restart, until the operator
// takes the proof away.

const (
	// proofDir is the directory of proofs, below the node's; proofExt ends their names.
	proofDir, proofExt = "proofs", ".lie"
	// maxProofs bounds the proofs of a space that are kept, of at most MaxEvidence bytes
	// each; maxProofsOf those against one peer: one convicts, more name more rows.
	maxProofs, maxProofsOf = 64, 16
)

// ErrNoProof reports a proof that is not kept here.
var ErrNoProof = errors.New("no such proof is kept here")

// ErrBadEvidence reports evidence that is damaged, is about another space, or proves no
// lie.
var ErrBadEvidence = errors.New("the evidence proves nothing here")

// Proof says of a peer that it signed a root with a row that the memos of its cut do not
// make. Anyone can check it: Node.Evidence returns its bytes, for gossip.DecodeEvidence.
// What was adopted of the peer stays joined; to mend a row, write it anew (a later write
// takes the place of any field, and deleting the row that of counters and sets as well).
type Proof struct {
	ID      memo.ID // the digest of its bytes
	Peer    PeerID  // who signed
	Root    memo.ID
	Topic   string
	Row     string
	Memo    memo.Head // what was said of it is forged, or what it did was left out
	Omitted bool      // tells the two apart
	Found   time.Time // when it was kept here
}

func (n *Node) proofPath(id memo.ID) string {
	return filepath.Join(n.dir, proofDir, id.String()+proofExt)
}

func newProof(id memo.ID, lie *gossip.Lie, found time.Time) Proof {
	p := Proof{
		ID: id, Peer: lie.From, Root: lie.Root, Memo: memo.Head{Author: lie.Memo.Author, Seq: lie.Memo.Seq, ID: lie.Memo.ID},
		Omitted: lie.Omitted, Found: found.UTC().Truncate(time.Second),
	}
	p.Topic, p.Row, _ = merge.SplitRowKey(lie.Key) // Verify checked it
	return p
}

// convict keeps a proof and takes nothing of the peer any more.
func (o *owner) convict(s *Space, evidence []byte, lie *gossip.Lie, now time.Time) {
	c, p := o.coldOf(s.id), newProof(memo.Sum(evidence), lie, now)
	others := 0
	for _, q := range c.proofs {
		if q.ID == p.ID {
			return
		}
		if q.Peer == p.Peer {
			others++
		}
	}
	if p.Peer == o.n.id {
		o.n.log.Error("this node vouched for a row that is false: it was told a lie, or computes wrongly", "space", s.id, "topic", p.Topic, "row", p.Row)
	} else {
		o.n.log.Error("a peer signed a state that is false; what was adopted of it stays, nothing more is", "space", s.id, "peer", p.Peer,
			"root", p.Root, "topic", p.Topic, "row", p.Row, "memo", p.Memo.ID, "left out", p.Omitted, "proof", p.ID)
		o.lied(c, p.Peer, p.Root, fmt.Errorf("proof %s: row %q of topic %q is not what memo %s made", p.ID, p.Row, p.Topic, p.Memo.ID))
	}
	if len(c.proofs) >= maxProofs || others >= maxProofsOf {
		return
	}
	c.proofs = append(c.proofs, p)
	err := os.MkdirAll(filepath.Join(o.n.dir, proofDir), 0o700)
	if err == nil {
		err = writeFile(o.n.proofPath(p.ID), evidence)
	}
	if err != nil {
		o.n.log.Error("cannot keep the proof; it is lost with this process", "proof", p.ID, "err", err)
	}
}

// readProofs reads and checks, once, the proofs that an earlier run of the node kept.
func (o *owner) readProofs() {
	names, err := os.ReadDir(filepath.Join(o.n.dir, proofDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		o.n.log.Error("cannot read the proofs that were kept", "err", err)
	}
	o.kept = map[memo.SpaceID][]Proof{}
	for _, name := range names {
		if !strings.HasSuffix(name.Name(), proofExt) {
			continue
		}
		p, lie, err := readProof(filepath.Join(o.n.dir, proofDir, name.Name()))
		switch {
		case err != nil:
			o.n.log.Warn("a proof that was kept proves nothing", "file", name.Name(), "err", err)
		case len(o.kept[lie.Space]) < maxProofs:
			o.kept[lie.Space] = append(o.kept[lie.Space], p)
		}
	}
}

// loadProofs has the proofs that were kept of a space count again.
func (o *owner) loadProofs(s *Space) {
	c := o.coldOf(s.id)
	c.proofs = append(c.proofs, o.kept[s.id]...)
	delete(o.kept, s.id)
	for _, p := range c.proofs {
		if p.Peer != o.n.id && !c.lied(p.Peer) {
			c.liars = append(c.liars, p.Peer)
		}
	}
}

// readProof reads and checks one file.
func readProof(path string) (Proof, *gossip.Lie, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Proof{}, nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return Proof{}, nil, err
	}
	lie, err := verified(data)
	if err != nil {
		return Proof{}, nil, err
	}
	return newProof(memo.Sum(data), lie, info.ModTime()), lie, nil
}

// verified returns the lie that evidence proves.
func verified(evidence []byte) (*gossip.Lie, error) {
	e, err := gossip.DecodeEvidence(evidence)
	if err != nil {
		return nil, err
	}
	return e.Verify()
}

// Evidence returns the bytes of a proof that is kept here; ErrNoProof if it is not.
func (n *Node) Evidence(id memo.ID) ([]byte, error) {
	data, err := os.ReadFile(n.proofPath(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrNoProof, id)
	}
	return data, err
}

// Accuse keeps evidence that came from elsewhere, as if it had been found here. It is
// checked; ErrBadEvidence where it proves nothing.
func (s *Space) Accuse(ctx context.Context, evidence []byte) (Proof, error) {
	lie, err := verified(evidence)
	if err == nil && lie.Space != s.id {
		err = fmt.Errorf("%w: it is about space %s", gossip.ErrEvidence, lie.Space)
	}
	if err != nil {
		return Proof{}, fmt.Errorf("%w: %w", ErrBadEvidence, err)
	}
	c := accuse{s, evidence, lie, make(chan Proof, 1)}
	return await(ctx, s.node, c, c.reply)
}

type accuse struct {
	space    *Space
	evidence []byte
	lie      *gossip.Lie
	reply    chan Proof // buffered
}

func (c accuse) do(o *owner) {
	now := o.n.opts.Now()
	o.convict(c.space, c.evidence, c.lie, now)
	o.drainTodo()
	c.reply <- newProof(memo.Sum(c.evidence), c.lie, now)
}

// Pardon forgets the proofs against a peer and what else speaks against adopting its
// states, as an operator decides who knows that it was lied to itself and was mended. It
// returns how many proofs there were.
func (s *Space) Pardon(ctx context.Context, p PeerID) (int, error) {
	c := pardon{s, p, make(chan pardoned, 1)}
	r, err := await(ctx, s.node, c, c.reply)
	return r.proofs, errors.Join(err, r.err)
}

type pardon struct {
	space *Space
	peer  PeerID
	reply chan pardoned // buffered
}

type pardoned struct {
	proofs int
	err    error
}

func (c pardon) do(o *owner) {
	var r pardoned
	cold := o.coldOf(c.space.id)
	cold.proofs = slices.DeleteFunc(slices.Clone(cold.proofs), func(p Proof) bool {
		if p.Peer != c.peer {
			return false
		}
		r.proofs++
		if err := os.Remove(o.n.proofPath(p.ID)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			r.err = errors.Join(r.err, err)
		}
		return true
	})
	cold.liars = slices.DeleteFunc(slices.Clone(cold.liars), func(p PeerID) bool { return p == c.peer })
	delete(cold.doubted, c.peer)
	o.n.log.Info("a peer is pardoned: its states are adopted again", "space", c.space.id, "peer", c.peer, "proofs", r.proofs)
	c.reply <- r
}
