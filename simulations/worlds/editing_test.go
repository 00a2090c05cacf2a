package worlds

import "testing"

// TestEditing: those who answer each other collide, the undecided do not; where news
// is slow there are more collisions; and the folds of the context keep its heads few.
func TestEditing(t *testing.T) {
	const file = "world = \"editing\"\npeers = 60\nuntil = \"24h\"\nevery = \"1h\"\n[editing]\nbouts = 6\n"
	got := result(t, file)
	if got["indecision: concurrent"] > 1 || got["back to back: concurrent"] < 2 {
		t.Errorf("%v %% of the edits of the undecided collided, %v %% of those back to back", got["indecision: concurrent"], got["back to back: concurrent"])
	}
	const o = "of these, overruled at once by the other one"
	if got[o] != 0 || result(t, file+"[network]\ndrift = 0.0001\n")[o] == 0 {
		t.Errorf("%v %% of the collisions went to the earlier edit with exact clocks, and as many with bad ones", got[o])
	}
	slow := result(t, file+"reach = \"2s\"\n")
	const c = "concurrent with another edit of the row"
	if slow[c] < 2*got[c] {
		t.Errorf("%v %% of the edits collide where news takes 2 s, %v %% where it takes 200 ms", slow[c], got[c])
	}
	if got["folds (keyframes)"] == 0 || got["most loose heads"] > 60 || got["memos"] < 360 {
		t.Errorf("%v memos, %v folds, %v loose heads", got["memos"], got["folds (keyframes)"], got["most loose heads"])
	}
}
