package merge

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"lightcone/memo"
)

// Params shape the search trees of a space. They are fixed in its genesis:
// with other parameters the same entries give another digest.
type Params struct {
	Space memo.SpaceID // keys the priorities, so that no work on one space's keys helps in another
	W     int          // least items of a node other than the root; half width of a window
	M     int          // most items of a node
	D     int          // deepest domain of natural cuts
}

// Limits of Params, the same as a genesis has.
const (
	MaxFanout = 1 << 12 // of M
	MaxDomain = 16      // of D
)

// maxLevel bounds the height of a tree: every level at least halves the number
// of nodes, and counts are 64-bit.
const maxLevel = 64

// ErrParams reports tree parameters that no tree can be built with.
var ErrParams = errors.New("unusable tree parameters")

// DefaultParams returns the parameters of a space that did not choose its own.
func DefaultParams(space memo.SpaceID) Params {
	return Params{Space: space, W: memo.DefaultW, M: memo.DefaultM, D: memo.DefaultD}
}

// Validate returns ErrParams unless trees can be built with p. M ≥ 4W makes
// room for a cut anywhere in the middle half of an overlong run.
func (p Params) Validate() error {
	if p.W < 1 || p.M < 4*p.W || p.M > MaxFanout || p.D < 0 || p.D > MaxDomain {
		return fmt.Errorf("%w: w=%d M=%d D=%d; need w ≥ 1, 4w ≤ M ≤ %d, 0 ≤ D ≤ %d",
			ErrParams, p.W, p.M, p.D, MaxFanout, MaxDomain)
	}
	return nil
}

// priority decides where nodes begin; it is compared byte by byte.
type priority [sha256.Size]byte

// less tells whether p is below o. The first bytes nearly always decide.
func (p *priority) less(o *priority) bool {
	a, b := binary.BigEndian.Uint64(p[:8]), binary.BigEndian.Uint64(o[:8])
	return a < b || a == b && bytes.Compare(p[8:], o[8:]) < 0
}

// priorities computes priorities. It owns a scratch buffer: one goroutine each.
type priorities struct {
	buf    []byte
	prefix int // length of the part of buf that never changes
}

func newPriorities(p Params) *priorities {
	buf := append([]byte("lc1"), p.Space[:]...)
	return &priorities{buf: buf, prefix: len(buf)}
}

// of returns SHA-256("lc1" ‖ space ‖ u8(level) ‖ u8(dom) ‖ key).
func (p *priorities) of(level, dom int, key string) priority {
	p.buf = append(p.buf[:p.prefix], byte(level), byte(dom))
	p.buf = append(p.buf, key...)
	return sha256.Sum256(p.buf)
}
