package worlds

import (
	"crypto/ed25519"
	"encoding/binary"

	"lightcone/memo"
	"lightcone/simulations/engine"
)

// This file makes the authors of worlds that write real memos, and their space.

// keyOf is the key of an author: nothing but these decides it.
func keyOf(seed uint64, p engine.Peer) memo.Author {
	var key [ed25519.SeedSize]byte
	binary.BigEndian.PutUint64(key[:], engine.Draw(seed^0x6b6579, p, 0))
	return memo.Author(ed25519.NewKeyFromSeed(key[:]).Public().(ed25519.PublicKey))
}

// genesis makes the space of a world: an open one, founded by its first author.
func genesis(first memo.Author) (*memo.Memo, error) {
	return memo.New(memo.Memo{Author: first, Seq: 1, Time: 1, Body: &memo.Genesis{
		Name: "simulation", RootKeys: []memo.Author{first}, W: 16, M: 128, D: 3, Rho: memo.DefaultRho,
	}})
}
