package gossip

import (
	"fmt"

	"lightcone/memo"
)

// Held tells whether the memo of a head is attached under a seal, and its author did not
// fork. Any goroutine may call it.
type Held func(space memo.SpaceID, h memo.Head) bool

// Prepare does the part of an input that needs no state: strict decoding,
// hashing and signature checks. Call it on any goroutine before Step. An input
// that fails must not be stepped; for a frame, close its session.
func Prepare(in Input) error { return PrepareHolding(in, nil) }

// PrepareHolding is Prepare for who holds memos: the seals of runs that recon brings
// once more are not checked, and what they seal is not delivered. Two sessions may bring
// the same where one stood still, and a seal is most of what a small run costs.
func PrepareHolding(in Input, held Held) error {
	switch in := in.(type) {
	case *Frame:
		return in.prepare(held)
	case *Heard:
		return in.prepare()
	case *HeardRoot:
		return in.prepare()
	}
	return nil
}

// Quick reports whether an input, prepared, is a frame that carries or asks for parts
// of roots: small work, which a reader of either replica may be waiting for. All frames
// of a stream that do are quick but for its DONE, so they may be stepped before
// others, in their own order.
func Quick(in Input) bool {
	f, ok := in.(*Frame)
	if !ok {
		return false
	}
	switch f.msg.(type) {
	case *fetch, *want, *hashed, *wantSeals, *sealed, *said, *wantRun:
		return true
	}
	return false
}

func (f *Frame) prepare(held Held) error {
	m, err := decode(f.Data)
	if err != nil {
		return err
	}
	switch raw := m.(type) {
	case *runs:
		m, err = verify(raw, held)
	case *blocks:
		m, err = hashBlocks(raw)
	case *seals:
		m, err = verifySeals(raw)
	case *word:
		m, err = hearWord(raw)
	case *vecNodes:
		m, err = hashNodes(raw)
	case *ranges:
		err = raw.check()
	case *branches:
		m, err = verifyBranches(raw)
	}
	f.msg = m
	return err
}

// verified is a runs message whose runs were decoded and whose seals hold, but for those
// that are held here already.
type verified struct {
	runs  []*memo.Run
	held  []bool // by run: it is, and its seal was not checked
	bytes int
}

func (*verified) message() {}

func verify(rs *runs, held Held) (*verified, error) {
	v := &verified{runs: make([]*memo.Run, len(rs.Runs)), held: make([]bool, len(rs.Runs))}
	for i, raw := range rs.Runs {
		r, err := memo.DecodeRun([]byte(raw))
		if err != nil {
			return nil, err
		}
		if v.held[i] = held != nil && held(r.Space, r.Head()); !v.held[i] {
			err = r.Verify()
		}
		if err != nil {
			return nil, err
		}
		v.runs[i], v.bytes = r, v.bytes+len(raw)
	}
	return v, nil
}

func verifyRun(raw []byte) (*memo.Run, error) {
	r, err := memo.DecodeRun(raw)
	if err != nil {
		return nil, err
	}
	return r, r.Verify()
}

func (h *Heard) prepare() error {
	hint, raw, err := parsePublication(h.Data)
	if err != nil {
		return err
	}
	h.hint = hint
	if len(raw) == 0 {
		return nil
	}
	r, err := verifyRun(raw)
	if err != nil {
		return err
	}
	if r.Space != h.Space {
		return fmt.Errorf("%w: a run of space %s on the topic of %s", ErrWire, r.Space, h.Space)
	}
	h.run = r
	return nil
}
