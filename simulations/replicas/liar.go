package replicas

import (
	"bytes"
	"encoding/binary"
	"slices"

	"lightcone/memo"
	"lightcone/p2p/gossip"
)

// lieAbout returns what arrives of data that a replica sends: the same, unless it is
// the liar. He flips a bit, withholds all but a bit, or forges the next memo of whose
// run it is.
func (w *World) lieAbout(p *replica, data []byte) []byte {
	if w.liar != p.index || len(data) == 0 || !w.chance(0.3) {
		return data
	}
	if forged := forge(data); forged != nil && w.chance(0.7) {
		w.struck("forged memo")
		return forged
	}
	w.struck("flipped bit")
	out := bytes.Clone(data)
	bit := w.rng.IntN(8 * len(out))
	out[bit/8] ^= 1 << (bit % 8)
	return out
}

// misguide returns a publication with another hint of what the liar has: any, or that of
// who hears it, which says that there is nothing to ask for.
func (w *World) misguide(p, to *replica, data []byte) []byte {
	if w.liar != p.index || len(data) < messageHeader || !w.chance(0.3) {
		return data
	}
	w.struck("wrong hint")
	hint := w.rng.Uint64()
	if to.space != nil && w.chance(0.5) {
		hint = to.space.Vector().Hint()
	}
	out := bytes.Clone(data)
	binary.BigEndian.PutUint64(out[1:messageHeader], hint)
	return out
}

// forge makes of a publication one of the author's next memo, which he never wrote and
// whose seal is that of the memo before; nil if data is none.
func forge(data []byte) []byte {
	run, err := published(gossip.Publish{Data: data})
	if err != nil || run == nil {
		return nil
	}
	last := run.Memos[len(run.Memos)-1]
	m, err := memo.New(memo.Memo{
		Space: run.Space, Author: last.Author, Seq: last.Seq + 1, Prev: last.ID(), Time: last.Time + 1,
		Body: forgedEdit(),
	})
	if err != nil {
		return nil
	}
	r := &memo.Run{Space: run.Space, Memos: []*memo.Memo{m}, Seal: run.Seal}
	raw, err := r.Encode()
	if err != nil {
		return nil
	}
	return slices.Concat(data[:messageHeader], raw)
}

// forgedEdit is what nobody may ever see.
func forgedEdit() *memo.Edit {
	return &memo.Edit{Topics: []memo.TopicEdit{{Topic: forgedTopic, Rows: []memo.RowEdit{{
		Row: memo.Bytes("x"), Deltas: []memo.Delta{{Field: "v", Type: memo.Register, Op: memo.Op{Set: true, Value: memo.Int(1)}}},
	}}}}}
}
