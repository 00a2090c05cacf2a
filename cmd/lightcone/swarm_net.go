package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"lightcone/internal/netlab"
)

// errNoNetns reports a rule that only a network of namespaces can have.
var errNoNetns = errors.New("not available on loopback")

func (s *swarm) partition(ctx context.Context, text string) error {
	groups, err := netlab.ParseGroups(text)
	if err != nil {
		return err
	}
	r := s.Rules
	r.Groups = groups
	return s.apply(ctx, r)
}

func (s *swarm) heal(ctx context.Context) error {
	r := s.Rules
	r.Groups = nil
	return s.apply(ctx, r)
}

func (s *swarm) loss(ctx context.Context, text string) (err error) {
	r := s.Rules
	if r.Loss, err = parseLoss(text); err != nil {
		return err
	}
	return s.apply(ctx, r)
}

func (s *swarm) rate(ctx context.Context, text string) (err error) {
	r := s.Rules
	if r.Rate, err = netlab.ParseRate(text); err != nil {
		return err
	}
	return s.apply(ctx, r)
}

// apply puts rules in force and remembers them.
func (s *swarm) apply(ctx context.Context, r netlab.Rules) error {
	if err := s.possible(r); err != nil {
		return err
	}
	var err error
	if s.Netns {
		err = s.Lab.Apply(ctx, r)
	} else {
		err = s.block(ctx, r.Groups)
	}
	if err != nil {
		return err
	}
	s.Rules = r
	return s.save()
}

// possible returns an error unless the swarm's network can have the rules.
func (s *swarm) possible(r netlab.Rules) error {
	if !s.Netns && (r.Loss > 0 || r.Rate > 0) {
		return fmt.Errorf("loss and rate are %w: the swarm has no network namespaces (%s)", errNoNetns, s.Why)
	}
	return s.Lab.Check(r)
}

// block makes a partition on loopback: every node cuts off all that are not of its
// group, with its own connection gater. One node after the other: of two that were
// apart and stay so, one at least refuses the other at any time.
func (s *swarm) block(ctx context.Context, groups [][]int) error {
	running, err := s.running()
	if err != nil {
		return err
	}
	for _, p := range s.nodes() {
		if len(running[p.number]) == 0 {
			continue // it is told when it starts
		}
		if err := s.cutOff(ctx, p, groups); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

// cutOff lets one node cut off those of other groups, and nobody else.
func (s *swarm) cutOff(ctx context.Context, p *process, groups [][]int) error {
	if err := p.connect(ctx); err != nil {
		return err
	}
	defer p.Close()
	if err := p.Unblock(ctx); err != nil {
		return err
	}
	var apart []string
	for i, id := range s.Peers {
		if groupOf(groups, i+1) != groupOf(groups, p.number) {
			apart = append(apart, id)
		}
	}
	if len(apart) == 0 {
		return nil // to block nobody means everybody
	}
	return p.Block(ctx, apart...)
}

// groupOf returns the index of a node's group, -1 for those in none.
func groupOf(groups [][]int, n int) int {
	return slices.IndexFunc(groups, func(g []int) bool { return slices.Contains(g, n) })
}

// rulesText says what is in force.
func rulesText(r netlab.Rules) string {
	var parts []string
	if len(r.Groups) > 0 {
		var groups []string
		for _, g := range r.Groups {
			groups = append(groups, rangesText(g))
		}
		parts = append(parts, "parted: "+strings.Join(groups, " / "))
	}
	if r.Loss > 0 {
		parts = append(parts, fmt.Sprintf("%g %% of packets lost", 100*r.Loss))
	}
	if r.Rate > 0 {
		parts = append(parts, r.Rate.String()+" each way")
	}
	if len(parts) == 0 {
		return "everything passes"
	}
	return strings.Join(parts, " · ")
}

// rangesText writes ascending numbers as 1-4,7.
func rangesText(numbers []int) string {
	var parts []string
	for i := 0; i < len(numbers); {
		j := i
		for j+1 < len(numbers) && numbers[j+1] == numbers[j]+1 {
			j++
		}
		if i == j {
			parts = append(parts, strconv.Itoa(numbers[i]))
		} else {
			parts = append(parts, fmt.Sprintf("%d-%d", numbers[i], numbers[j]))
		}
		i = j + 1
	}
	return strings.Join(parts, ",")
}
