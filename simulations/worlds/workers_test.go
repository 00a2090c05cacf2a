package worlds

import "testing"

// TestWorkers: how many workers run a world shows in nothing of its result, whatever the
// world drives: a push, churn, and whole cores, over links with all that links can have.
func TestWorkers(t *testing.T) {
	const links = "[network]\nregions = [2.0, 1.0]\nlatency = [['10ms', '60ms'], ['60ms', '15ms']]\njitter = '3ms'\nloss = 0.05\nuplink = 100_000.0\n"
	for name, file := range map[string]string{
		"push":          "world = 'flood'\npeers = 3000\nuntil = '3s'\n" + links + "[flood]\nspread = 'push'\nfanout = 3\nrelay = 0.9\nmessages = 4\n",
		"churn":         "world = 'churn'\npeers = 1500\nuntil = '20s'\nevery = '1s'\n" + links + "[network.churn]\nup = '5s'\ndown = '3s'\nkeep = 2\n",
		"beacons":       "world = 'beacons'\npeers = 2000\nuntil = '60s'\nevery = '1s'\n",
		"consolidation": "world = 'consolidation'\npeers = 260\nuntil = '8s'\n[consolidation]\nrounds = 1\n",
	} {
		one, facts := play(t, file, 1)
		if one.Cost.Events == 0 || len(facts.by) == 0 {
			t.Errorf("%s: nothing happened", name)
		}
		for _, workers := range []int{2, 5} {
			if more, _ := play(t, file, workers); more.Hash != one.Hash {
				t.Errorf("%s: one worker makes %s, %d make %s", name, one.Hash, workers, more.Hash)
			}
		}
		if other, _ := play(t, "seed = 2\n"+file, 2); other.Hash == one.Hash {
			t.Errorf("%s: another seed gave the same hash", name)
		}
	}
}
