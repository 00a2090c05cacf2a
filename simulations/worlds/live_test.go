package worlds

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"lightcone/simulations/forest"
	"lightcone/simulations/report"
	"lightcone/simulations/scenario"
)

// hotOf is a hot topic of so many peers, until so many seconds.
func hotOf(peers, until int, hot string) string {
	return fmt.Sprintf(`
world = "hot"
peers = %d
until = "%ds"
every = "1s"
[network]
latency = [["20ms"]]
[mesh]
lazy = 0
[hot]
%s`, peers, until, hot)
}

var smallHot = hotOf(400, 40, `
budget = 2
write = "6s"
`)

// TestHot: with hearing every effect comes to be in every root, and no second takes more
// than its budget; without it peers take in one budget and no more. The number of
// workers changes nothing.
func TestHot(t *testing.T) {
	one, on := playBoth(t, smallHot)
	if got := on.of("effects in roots at the end"); got != 100 {
		t.Errorf("%.2f %% of the effects are in roots at the end", got)
	}
	if got := on.of("ticks over budget, of those who do not write"); got != 0 {
		t.Errorf("%v ticks were over budget", got)
	}
	for _, s := range one.Steps {
		if s.Package == "p2p/gossip" && (s.Model || s.Events < 400*10*40) { // a tick each is the least
			t.Errorf("p2p/gossip handled too little: %+v", s)
		}
	}
	_, off := play(t, smallHot+`hearing = "off"`, 1)
	if got := off.of("aggregate rate over one budget"); got > 1.2 {
		t.Errorf("without hearing %.2f budgets came to be in roots", got)
	}
}

// TestTopicOutgrowsPeers: of many times a budget far more than one comes to be in all roots,
// and no more roots are announced where four times as many peers listen.
func TestTopicOutgrowsPeers(t *testing.T) {
	var said []float64
	for _, peers := range []int{100, 400} {
		_, facts := play(t, hotOf(peers, 40, `
budget = 1
write = "30s"
offered = 96.0
`), 2)
		said = append(said, facts.of("roots announced"))
		t.Logf("%d peers: %.1f budgets, %.0f roots announced", peers, facts.of("aggregate rate over one budget"), facts.of("roots announced"))
		if rate := facts.of("aggregate rate over one budget"); rate < 48 {
			t.Errorf("%d peers: %.1f budgets came to be in roots", peers, rate)
		}
	}
	if said[1] > 1.5*said[0] {
		t.Errorf("%.0f roots were announced, and %.0f among four times the peers", said[0], said[1])
	}
}

// TestWorkersOnSlowLinks: where messages wait long before uplinks they still name the
// announcement that they were made of, whatever the workers.
func TestWorkersOnSlowLinks(t *testing.T) {
	slow := strings.Replace(smallHot, "[mesh]", "uplink = 20000.0\n[mesh]", 1)
	_, facts := playBoth(t, slow)
	if facts.of("roots merged a peer") == 0 {
		t.Error("no root was merged")
	}
}

// TestTooManyRoots: a run whose forest is full ends there, and says why.
func TestTooManyRoots(t *testing.T) {
	s, err := scenario.Parse([]byte(smallHot))
	if err != nil {
		t.Fatal(err)
	}
	of := &s.Hot.Topic
	topic, err := newTopic(s, of)
	if err != nil {
		t.Fatal(err)
	}
	if topic.roots, err = forest.New(forest.Config{Seed: s.Seed, Authors: of.Writers, Each: of.Memos() / of.Writers, Rows: of.Rows, Roots: 100}); err != nil {
		t.Fatal(err)
	}
	var last Progress
	err = topic.run(t.Context(), Options{Workers: 2, Progress: func(p Progress) { last = p }}, &report.Result{})
	if !errors.Is(err, forest.ErrFull) || last.Now > last.Until/4 {
		t.Errorf("the error is %v, at %v of %v", err, last.Now, last.Until)
	}
}

const smallFunnel = `
world = "funnel"
peers = 300
until = "80s"
every = "1s"
[network]
latency = [["20ms"]]
[mesh]
lazy = 0
[funnel]
write = "6s"
`

// TestFunnel: roots that few are behind become roots that all are behind, nothing is lost,
// nobody is over budget, and all do not say much together. Workers do not show.
func TestFunnel(t *testing.T) {
	_, facts := playBoth(t, smallFunnel)
	if got := facts.of("effects in roots at the end"); got != 100 {
		t.Errorf("%.2f %% of the effects are in roots at the end", got)
	}
	if got := facts.of("ticks over budget, of those who do not write"); got != 0 {
		t.Errorf("%v ticks were over budget", got)
	}
	first, last := facts.of("writers behind a root that is not merged"), facts.of("writers behind a root of the last generation")
	if last < 31 || first > last/2 {
		t.Errorf("%.1f writers are behind roots at first, %.1f at last", first, last)
	}
	if got := facts.of("roots announced a peer"); got > 2 || facts.of("roots not announced: no room for more") > 0 {
		t.Errorf("%.2f roots were announced a peer", got)
	}
}

// TestFloods: the number of workers changes nothing, everybody gets what spreads over the
// mesh, and what is pushed gets to as many as theory says.
func TestFloods(t *testing.T) {
	file := `
world = "flood"
peers = 5000
until = "4s"
`
	_, facts := playBoth(t, file)
	if facts.of("delivery ratio") != 1 {
		t.Errorf("%v of the peers got it", facts.of("delivery ratio"))
	}
	_, pushed := play(t, file+"[flood]\nspread = \"push\"\nfanout = 3\nmessages = 8\n", 2)
	if got, theory := pushed.of("delivery ratio"), finalSize(3); got < theory-0.01 || got > theory+0.01 {
		t.Errorf("pushed to %.4f, %.4f in theory", got, theory)
	}
}

// TestFastAnnouncements: what comes faster than a link may bring it is not taken, so that
// without hearing, where all have another root to say and take themselves for few, nobody is swamped.
func TestFastAnnouncements(t *testing.T) {
	_, facts := play(t, hotOf(3000, 12, `
offered = 16.0
write = "8s"
hearing = "off"
known = 2
`), 2)
	if facts.of("announcements a peer that came too fast") == 0 {
		t.Errorf("none of %v announcements came too fast", facts.of("roots announced"))
	}
}
