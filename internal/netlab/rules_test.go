package netlab

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseGroups(t *testing.T) {
	for text, want := range map[string][][]int{
		"1-4/5-8": {{1, 2, 3, 4}, {5, 6, 7, 8}},
		"3":       {{3}},
		"1,3/2":   {{1, 3}, {2}},
		"2,1-2/9": {{1, 2}, {9}},
	} {
		got, err := ParseGroups(text)
		if err != nil || !cmp.Equal(got, want) {
			t.Errorf("%q is %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "/", "1/", "a", "2-1", "0", "1-", "-3", "1--2", "1 2", "1-9999999", "+1/2/"} {
		if got, err := ParseGroups(text); !errors.Is(err, ErrRules) {
			t.Errorf("%q is %v, %v; want ErrRules", text, got, err)
		}
	}
}

func TestParseRate(t *testing.T) {
	for text, want := range map[string]Rate{"10mbit": 10e6, "0": 0, "off": 0, "1.5gbit": 15e8, "64kbit": 64e3} {
		got, err := ParseRate(text)
		if err != nil || got != want {
			t.Errorf("%q is %d, %v; want %d", text, got, err, want)
		}
		if again, err := ParseRate(got.String()); err != nil || again != got {
			t.Errorf("%q was written as %q, which is %d, %v", text, got, again, err)
		}
	}
	for _, text := range []string{"", "10", "mbit", "-1mbit", "1kbit", "NaNmbit", "1e9gbit", "10 mbit"} {
		if got, err := ParseRate(text); !errors.Is(err, ErrRules) {
			t.Errorf("%q is %d, %v; want ErrRules", text, got, err)
		}
	}
}

func TestRulesThatMakeNoSense(t *testing.T) {
	lab := Lab{ID: "0", Hosts: 3}
	for name, r := range map[string]Rules{
		"two groups": {Groups: [][]int{{1, 2}, {2, 3}}}, "no such host": {Groups: [][]int{{1}, {4}}},
		"empty": {Groups: [][]int{{}}}, "all lost": {Loss: 1}, "negative": {Loss: -0.1},
	} {
		if _, err := lab.nft(r); !errors.Is(err, ErrRules) {
			t.Errorf("%s: %v, want ErrRules", name, err)
		}
	}
}
