package worlds

import "testing"

// TestChurn: who is there hears what is written, who comes back finds what was; and
// nobody, where nothing holds the mesh together.
func TestChurn(t *testing.T) {
	const file = "world = \"churn\"\npeers = 600\nuntil = \"40s\"\nevery = \"1s\"\n[network.churn]\nup = \"10s\"\ndown = \"10s\"\nkeep = 2\n"
	_, got := play(t, file, 1)
	if d := got.of("delivery ratio of those present"); d < 0.995 {
		t.Errorf("%v of the messages came to those who were there", d)
	}
	if up := got.of("peers present"); up < 42 || up > 58 {
		t.Errorf("%v %% of the peers are there", up)
	}
	// Half of 35 messages were written while a peer was away; the last ones it has yet to ask for.
	if n := got.of("messages that recon brought, a peer"); n < 8 || n > 18 {
		t.Errorf("recon brought %v messages a peer", n)
	}
	if rtt := got.of("found after coming back p50"); rtt < 90 || rtt > 130 {
		t.Errorf("a missed message was found after %v ms; a round trip takes some 110", rtt)
	}
	_, alone := play(t, file+"[churn]\nsync = \"1h\"\n[mesh]\ndegree = 1\nlow = 1\nhigh = 2\nlazy = 0\n", 1)
	if d := alone.of("delivery ratio of those present"); d > 0.9 {
		t.Errorf("%v of the messages came to those who were there, over pairs", d)
	}
}
