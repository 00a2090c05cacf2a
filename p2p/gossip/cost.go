package gossip

import (
	"errors"
	"fmt"

	"lightcone/memo"
	"lightcone/merge"
)

// This file estimates what is cheaper to bring: the memos that are missing or the state
// that stands for them.

// ErrCostly reports a Fetch whose state costs more than the memos that come anyway.
var ErrCostly = errors.New("the memos are less than the state")

const (
	// rowBytes is what a row of a state tree costs to fetch where most rows are: its
	// state and its share of the nodes; pathBytes what it costs alone, the nodes on the
	// way to it included.
	rowBytes, pathBytes = 200, 2400
	// meterBytes is how many bytes of recon the size of memos is a mean of, about.
	meterBytes = 16 << 20
)

// meter measures how large the memos of a space are.
type meter struct{ bytes, memos uint64 }

func (m *meter) add(bytes, memos int) {
	if m.bytes > meterBytes {
		m.bytes, m.memos = m.bytes/2, m.memos/2
	}
	m.bytes, m.memos = m.bytes+uint64(bytes), m.memos+uint64(memos)
}

// runsCost estimates the bytes of so many memos; false while none were seen.
func (m *meter) runsCost(memos uint64) (uint64, bool) {
	if m.memos == 0 {
		return 0, false
	}
	return memos * max(m.bytes/m.memos, 1), true
}

// stateCost estimates the bytes of a state tree of so many rows for who holds one of
// held rows, and lacks so many memos: each changed a row, at least.
func stateCost(rows, held, memos uint64) uint64 {
	whole := rows * rowBytes
	if held == 0 || rows > 2*held {
		return whole
	}
	return min(whole, min(rows, memos)*pathBytes)
}

// costly compares the costs when the root node of a state came, which tells its rows. A
// reader who waits for one of them gets it at any cost.
func (c *Core) costly(j *job, root []byte) error {
	runs, known := j.space.meter.runsCost(j.memos)
	if j.memos == 0 || !known || len(j.keys) > 0 {
		return nil
	}
	rows, err := rowsBelow(j.made.Params, root)
	if err != nil {
		return nil // the walk tells what is wrong with it
	}
	var held uint64
	if _, own, ok := c.cfg.Holdings.Root(j.space.id); ok {
		if data, err := j.held.Block(j.space.id, own.State); err == nil {
			held, _ = rowsBelow(own.Params, data)
		}
	}
	if state := stateCost(rows, held, j.memos); state > runs {
		return fmt.Errorf("%w: about %d bytes of %d memos, %d of a state of %d rows", ErrCostly, runs, j.memos, state, rows)
	}
	return nil
}

func rowsBelow(p merge.Params, root []byte) (uint64, error) {
	n, err := merge.DecodeNode(p, root, merge.Place{})
	return n.Count(), err
}

// isState reports whether a block is the root node of the state that is fetched.
func (j *job) isState(id memo.ID) bool { return j.stage == StatePart && id == j.made.State }
