package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
)

// The sides start this program again: as a test it is its own child.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == childCommand {
		if err := child(context.Background(), os.Stdout, os.Args[2:]); err != nil {
			os.Stderr.WriteString(err.Error())
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// Every side of this program gets every flood to as many peers as theory says and as the
// other sides do, in processes of their own; PeerSim too, where its class path is given.
func TestSidesSimulateTheSame(t *testing.T) {
	b := bench{options: options{peers: []int{2000}, rounds: 1, largest: 3000}}
	var err error
	if b.java, err = newJavaSide(t.Context(), t.TempDir(), flagsOf("-XX:+UseSerialGC -Xmx1g")); errors.Is(err, errNoPeerSim) {
		t.Log(err)
	} else if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := b.all(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	for _, f := range floods {
		for _, sd := range b.taking(f) {
			i := slices.IndexFunc(b.lines, func(l line) bool { return l.Flood == f.name && l.Side == sd.name && l.Peers == 2000 })
			if i < 0 || !strings.Contains(out.String(), sd.name) {
				t.Errorf("%s has no line of %s", sd.name, f.name)
				continue
			}
			if l := b.lines[i]; l.CPU <= 0 || l.Wall <= 0 || l.RSS <= 0 || (l.Again > 0) == sd.onceOnly {
				t.Errorf("%s, %s: %+v", sd.name, f.name, l)
			}
		}
	}
	for _, sd := range b.taking(floods[0]) {
		if got := slices.ContainsFunc(b.lines, func(l line) bool { return l.Peers == b.largest && l.Side == sd.name }); got != sd.large {
			t.Errorf("%s takes part in the try with the most peers: %v", sd.name, got)
		}
	}
}

// What no flood shows is found.
func TestCheck(t *testing.T) {
	push, err := floodNamed("push")
	if err != nil {
		t.Fatal(err)
	}
	good := outcome{Events: 2820, Copies: 2820, Firsts: 940, Hops: 6, P50: 1500, P99: 2200}
	if err := push.check(1000, good); err != nil {
		t.Fatal(err)
	}
	for what, spoil := range map[string]func(*outcome){
		"too few got it":       func(o *outcome) { o.Firsts, o.Copies = 800, 2400 },
		"a copy was lost":      func(o *outcome) { o.Copies-- },
		"a copy was no event":  func(o *outcome) { o.Events-- },
		"it came at once":      func(o *outcome) { o.P50 = 0 },
		"it came by no link":   func(o *outcome) { o.Hops = 0 },
		"the last before half": func(o *outcome) { o.P99 = 1400 },
	} {
		bad := good
		spoil(&bad)
		if push.check(1000, bad) == nil {
			t.Errorf("%s: nothing is wrong with it", what)
		}
	}
	a := line{Side: "a", Hops: 6, P50: 150, P99: 220, Copies: 3000}
	if err := alike([]line{a, {Hops: 6.5, P50: 170, P99: 240, Copies: 3280}}); err != nil {
		t.Error(err)
	}
	for _, spoil := range []func(*line){
		func(l *line) { l.Hops = 8 }, func(l *line) { l.P50 = 200 }, func(l *line) { l.P99 = 300 }, func(l *line) { l.Copies = 4000 },
	} {
		b := a
		spoil(&b)
		if alike([]line{a, b}) == nil {
			t.Errorf("%+v and %+v are said to be alike", a, b)
		}
	}
}

// A median is of each figure alone, and a warm run one of the second half.
func TestMiddle(t *testing.T) {
	if s := warm([]outcome{{CPU: 5}, {CPU: 7}, {CPU: 8}, {CPU: 10}}); s != 1.5 {
		t.Errorf("runs that end after 5, 7, 8 and 10 s take %v s when warm", s)
	}
	m := middle([]line{{Side: "a", CPU: 3, Wall: 1}, {Side: "a", CPU: 1, Wall: 2}, {Side: "a", CPU: 2, Wall: 9}})
	if m.Side != "a" || m.CPU != 2 || m.Wall != 2 {
		t.Errorf("%+v", m)
	}
}

// Without a class path PeerSim is left out, with the reason.
func TestPeerSimIsLeftOut(t *testing.T) {
	t.Setenv(classPathVariable, "")
	_, err := newJavaSide(t.Context(), t.TempDir(), nil)
	if !errors.Is(err, errNoPeerSim) || !strings.Contains(err.Error(), classPathVariable) {
		t.Errorf("%v", err)
	}
	b := bench{}
	if slices.ContainsFunc(b.taking(floods[0]), func(s side) bool { return s.name == peerSim }) {
		t.Error("it takes part all the same")
	}
}

// Ratios are to PeerSim's line, and where there is none there are none.
func TestRatios(t *testing.T) {
	lines := []line{
		{Side: "lightcone", Peers: 1000, Copies: 3000, Events: 4000, CPU: 1, Again: 0.5, RSS: 2e6},
		{Side: peerSim, Peers: 1000, Copies: 3000, Events: 3000, CPU: 4, Again: 1.5, RSS: 1e6},
	}
	var out bytes.Buffer
	printTables(&out, floods[0], 1000, lines)
	for _, want := range []string{"4.00", "3.00", "0.50"} { // whole process, warm, memory
		if !strings.Contains(out.String(), " "+want) {
			t.Errorf("no ratio of %s in:\n%s", want, out.String())
		}
	}
	out.Reset()
	printTables(&out, floods[0], 1000, lines[:1])
	for _, l := range strings.Split(out.String(), "\n") {
		if strings.HasPrefix(l, "lightcone") && strings.Contains(l, " 1.00 ") {
			t.Errorf("a side is compared with itself: %s", l)
		}
	}
}
