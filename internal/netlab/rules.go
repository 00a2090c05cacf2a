package netlab

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ErrRules reports rules that make no sense.
var ErrRules = errors.New("bad network rule")

// Rules say what the network does to packets. The zero Rules let everything pass.
type Rules struct {
	// Groups are hosts that reach each other and no others. A host in no group
	// reaches those in none.
	Groups [][]int `json:"groups,omitempty"`
	// Loss is the share of frames that are lost, in each direction, from 0 to 1.
	Loss float64 `json:"loss,omitempty"`
	// Rate is what a host may send, and may get, in bits per second; 0: no limit.
	Rate Rate `json:"rate,omitempty"`
}

// lossSteps is the resolution of Loss.
const lossSteps = 10000

// Apply replaces the rules of the lab.
func (l Lab) Apply(ctx context.Context, r Rules) error {
	text, err := l.nft(r)
	if err != nil {
		return err
	}
	err = l.Enter(0, func() error {
		_, err := run(ctx, text, "nft", "-f", "-")
		return err
	})
	if err != nil {
		return err
	}
	var ports []string
	for host := 1; host <= l.Hosts; host++ {
		ports = append(ports, r.Rate.tc(port(host)))
		if err := batch(ctx, "tc", l.Namespace(host), []string{r.Rate.tc("eth0")}); err != nil {
			return err
		}
	}
	return batch(ctx, "tc", l.Namespace(0), ports)
}

// nft writes the rules of the switch as one transaction: the table is made, so
// that it can be deleted, and made anew.
func (l Lab) nft(r Rules) (string, error) {
	if err := l.Check(r); err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("table bridge lab\ndelete table bridge lab\ntable bridge lab {\n" +
		"chain forward {\ntype filter hook forward priority 0;\n")
	for _, g := range r.Groups {
		set := portSet(g)
		fmt.Fprintf(&b, "iifname %s oifname != %s drop\niifname != %s oifname %s drop\n", set, set, set, set)
	}
	if r.Loss > 0 {
		fmt.Fprintf(&b, "numgen random mod %d < %d drop\n", lossSteps, int(r.Loss*lossSteps+0.5))
	}
	b.WriteString("}\n}\n")
	return b.String(), nil
}

// Check returns an error that wraps ErrRules if the lab cannot have the rules.
func (l Lab) Check(r Rules) error {
	if !(r.Loss >= 0 && r.Loss < 1) {
		return fmt.Errorf("%w: loss %v; it is a share from 0 to below 1, as 0.3", ErrRules, r.Loss)
	}
	seen := map[int]bool{}
	for _, g := range r.Groups {
		if len(g) == 0 {
			return fmt.Errorf("%w: an empty group", ErrRules)
		}
		for _, host := range g {
			if host < 1 || host > l.Hosts {
				return fmt.Errorf("%w: no host %d; they are 1 to %d", ErrRules, host, l.Hosts)
			}
			if seen[host] {
				return fmt.Errorf("%w: host %d is in two groups", ErrRules, host)
			}
			seen[host] = true
		}
	}
	return nil
}

// portSet is a set of ports as nft writes it.
func portSet(hosts []int) string {
	names := make([]string, len(hosts))
	for i, host := range hosts {
		names[i] = strconv.Quote(port(host))
	}
	return "{ " + strings.Join(names, ", ") + " }"
}

// Rate is a number of bits per second.
type Rate uint64

// units of a rate, the largest first.
var units = []struct {
	name string
	bits Rate
}{{"gbit", 1e9}, {"mbit", 1e6}, {"kbit", 1e3}}

// ParseRate reads 10mbit, 500kbit or 1gbit; 0 and off are no limit.
func ParseRate(text string) (Rate, error) {
	if text == "0" || text == "off" {
		return 0, nil
	}
	for _, u := range units {
		number, ok := strings.CutSuffix(text, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(number, 64)
		bits := n * float64(u.bits)
		if err == nil && bits >= minRate && bits <= maxRate {
			return Rate(bits), nil
		}
	}
	return 0, fmt.Errorf("%w: rate %q; write 10mbit, 500kbit or 1gbit (8kbit to 100gbit), or off", ErrRules, text)
}

// What tc takes, and what makes sense.
const minRate, maxRate = 8e3, 100e9

// String writes the rate as ParseRate reads it.
func (r Rate) String() string {
	for _, u := range units {
		if r >= u.bits {
			return strconv.FormatFloat(float64(r)/float64(u.bits), 'g', -1, 64) + u.name
		}
	}
	return "off"
}

const (
	// rateBurst is the least bucket, in bytes; a hundredth of a second, if that is
	// more, since a bucket is filled by a clock of that order.
	rateBurst = 64 << 10
	// rateQueue is how long a packet may wait for its turn before it is dropped.
	rateQueue = "100ms"
)

// tc returns the command that limits an interface. No limit is a discipline
// that lets everything pass, so that there is one to replace at any time.
func (r Rate) tc(dev string) string {
	if r == 0 {
		return "qdisc replace dev " + dev + " root pfifo"
	}
	burst := max(rateBurst, uint64(r)/8/100)
	return fmt.Sprintf("qdisc replace dev %s root tbf rate %dbit burst %d latency %s", dev, uint64(r), burst, rateQueue)
}

// ParseGroups reads a partition: groups with slashes between them, of numbers and
// ranges with commas between them, as 1-4/5-8 or 1,3/2. Groups are sorted.
func ParseGroups(text string) ([][]int, error) {
	var groups [][]int
	for part := range strings.SplitSeq(text, "/") {
		g, err := ParseHosts(part)
		if err != nil {
			return nil, err
		}
		groups = append(groups, g)
	}
	return groups, nil
}

// ParseHosts reads numbers and ranges with commas between them, as 1,4-6.
func ParseHosts(text string) (hosts []int, err error) {
	for part := range strings.SplitSeq(text, ",") {
		first, last, ranged := strings.Cut(part, "-")
		from, err := strconv.Atoi(first)
		to := from
		if err == nil && ranged {
			to, err = strconv.Atoi(last)
		}
		if err != nil || from < 1 || to < from || to > MaxHosts {
			return nil, fmt.Errorf("%w: %q names no hosts; write numbers from 1, as 3 or 1,4-6", ErrRules, text)
		}
		for host := from; host <= to; host++ {
			hosts = append(hosts, host)
		}
	}
	slices.Sort(hosts)
	return slices.Compact(hosts), nil
}
