package calib

import (
	"testing"

	"lightcone/p2p"
	"lightcone/simulations/mesh"
)

// TestParameters: the model's defaults are what the product gives gossipsub. The model
// must not import p2p, so they are written down twice.
func TestParameters(t *testing.T) {
	p := p2p.MeshParams()
	got := mesh.Params{D: p.D, Low: p.Dlo, High: p.Dhi, Lazy: p.Dlazy, LazyBeats: p.HistoryGossip, Heartbeat: p.HeartbeatInterval}
	if got != mesh.Production {
		t.Errorf("p2p has %+v, the model %+v", got, mesh.Production)
	}
}
