package scenario

import "testing"

func TestUnit(t *testing.T) {
	for key, want := range map[string]string{
		"until": "s", "network.churn.up": "s", "hot.offered": "1/s", "network.uplink": "B/s", "flood.size": "B",
		"peers": "", "flood.spread": "", "nothing": "", "peers.nothing": "", "network.nothing": "", "": "",
	} {
		if got := Unit(key); got != want {
			t.Errorf("%s is in %q, want %q", key, got, want)
		}
	}
}
