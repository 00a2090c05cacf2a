package node

import "testing"

// TestChance: a seed draws the same again, and no seed never does.
func TestChance(t *testing.T) {
	if newChance(7).Uint64() != newChance(7).Uint64() {
		t.Error("seed 7 draws two numbers")
	}
	if newChance(7).Uint64() == newChance(8).Uint64() || newChance(0).Uint64() == newChance(0).Uint64() {
		t.Error("two chances draw one number")
	}
}
