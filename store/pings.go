package store

import (
	"fmt"

	"lightcone/memo"
)

// This file is the index of pings: of each beacon the latest, so that who starts
// knows them without a walk of the log.

// pinged notes m if it is a ping.
func (s *Store) pinged(m *memo.Memo) {
	if m.Kind() != memo.KindPing {
		return
	}
	data, err := m.Encode()
	if err != nil {
		return // it was encoded when it was made, or it would have no digest
	}
	s.set(authorKey(prefixPing, m.Space, m.Author), data)
}

// Pings returns the latest ping of each beacon that has attached by now, ascending by
// author. It does not read the log. Where a compacted log was indexed anew, those from
// before the compaction are missing until their beacons ping again.
func (v *View) Pings(space memo.SpaceID) (pings []*memo.Memo, err error) {
	for it, err := range scan(v.kv, spaceKey(prefixPing, space)) {
		if err != nil {
			return nil, err
		}
		m, err := memo.Decode(it.Value)
		if err != nil {
			return nil, fmt.Errorf("%w: a ping of the index: %w", errIndex, err)
		}
		if v.space(space).all.Covers(m.Author, m.Seq) {
			pings = append(pings, m)
		}
	}
	return pings, nil
}
