package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"lightcone/internal/netlab"
)

// The number of nodes of a swarm. Each is a process with files of its own.
const minSwarm, defaultSwarm, maxSwarm = 2, 8, 64

// swarmLook is how often `swarm up` in the foreground looks whether the swarm was
// taken down from elsewhere.
const swarmLook = 500 * time.Millisecond

func (a *app) newSwarmCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "swarm",
		Short: "Run many real peers on this machine; part them, lose their packets, kill them",
		Long: "Run many real peers on this machine: each a `lightcone up` with files of its own, in a network namespace of its\n" +
			"own, on one switch. With root, ip, tc and nft the network can be parted, lose packets and be slow. Elsewhere the\n" +
			"peers run on loopback and only partitions are there, made by the nodes themselves.\n" +
			"A swarm lives in the directory that --dir names (default: " + swarmDirName + " beside the node's).",
		Example: "  lightcone swarm up --nodes 8 --detach\n  lightcone swarm partition 1-4/5-8\n  lightcone swarm exec 1 -- put airports/00M name=Thigpen\n" +
			"  lightcone swarm status\n  lightcone swarm heal\n  lightcone swarm status --wait 10s\n  lightcone swarm down",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return usagef("swarm does nothing by itself; add up, status, partition, heal, loss, rate, kill, start, exec, down or demo")
		},
	}
	cmd.AddCommand(
		a.newSwarmUpCommand(), a.newSwarmStatusCommand(), a.newSwarmExecCommand(), a.newSwarmDownCommand(), a.newSwarmDemoCommand(),
		a.newSwarmChange("partition GROUPS", "Part the network: only nodes of one group reach each other",
			"Part the network: only nodes of one group reach each other. Nodes that no group names are one more.\nA new partition replaces the old one.",
			"  lightcone swarm partition 1-4/5-8\n  lightcone swarm partition 3        # 3 alone, the others together", 1,
			func(ctx context.Context, s *swarm, args []string) error { return s.partition(ctx, args[0]) }),
		a.newSwarmChange("heal", "Undo the partition", "Undo the partition. Loss and rate stay.", "", 0,
			func(ctx context.Context, s *swarm, _ []string) error { return s.heal(ctx) }),
		a.newSwarmChange("loss SHARE", "Lose a share of all packets",
			"Lose a random share of all packets between nodes, in each direction, from now on. 0 ends it.",
			"  lightcone swarm loss 0.3\n  lightcone swarm loss 30%", 1,
			func(ctx context.Context, s *swarm, args []string) error { return s.loss(ctx, args[0]) }),
		a.newSwarmChange("rate RATE", "Limit what each node sends and gets",
			"Limit what each node sends, and what it gets, from now on. off ends it.",
			"  lightcone swarm rate 10mbit\n  lightcone swarm rate off", 1,
			func(ctx context.Context, s *swarm, args []string) error { return s.rate(ctx, args[0]) }),
		a.newSwarmChange("kill NODES", "Kill nodes with SIGKILL", "Kill nodes with SIGKILL, in the middle of what they do.",
			"  lightcone swarm kill 3,5-7", 1,
			func(_ context.Context, s *swarm, args []string) error { return s.onNodes(args[0], s.kill) }),
		a.newSwarmChange("start NODES", "Start nodes that were killed", "Start nodes that do not run, on the files they left.",
			"  lightcone swarm start 3,5-7", 1,
			func(ctx context.Context, s *swarm, args []string) error {
				return s.onNodes(args[0], func(n []int) error { return s.start(ctx, n) })
			}),
	)
	return cmd
}

// newSwarmChange returns a command that changes a swarm that is up.
func (a *app) newSwarmChange(use, short, long, example string, args int, change func(context.Context, *swarm, []string) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Long: long, Example: example, Args: cobra.ExactArgs(args),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, unlock, err := a.lockSwarm(cmd)
			if err != nil {
				return err
			}
			defer unlock()
			err = change(cmd.Context(), s, args)
			if errors.Is(err, netlab.ErrRules) {
				return &usageError{err}
			}
			return err
		},
	}
}

// swarmOptions are the flags of swarm up and demo.
type swarmOptions struct {
	nodes        int
	netns        bool
	detach, keep bool
	data, key    string
	loss, rate   string
}

// addTo adds the flags that up and demo share.
func (o *swarmOptions) addTo(cmd *cobra.Command) {
	f := cmd.Flags()
	f.IntVar(&o.nodes, "nodes", defaultSwarm, "how many peers")
	f.BoolVar(&o.netns, "netns", true, "a network namespace for each, where this process may make them; else loopback")
}

func (o *swarmOptions) check(least int) error {
	if o.nodes < least || o.nodes > maxSwarm {
		return usagef("--nodes %d; a swarm has %d to %d", o.nodes, least, maxSwarm)
	}
	if o.key != "" && o.data == "" {
		return usagef("--key names a column of your own data; add --data FILE")
	}
	return nil
}

func (a *app) newSwarmUpCommand() *cobra.Command {
	var o swarmOptions
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start peers that share a space, until stopped",
		Long: "Start peers that share a space: node 1 makes it, the others join with tickets. With --data, node 1 imports a CSV file.\n" +
			"Runs until it is interrupted, and then takes down what it started, files included, unless --keep. With --detach the\n" +
			"peers go on without it; the other commands find them, and `lightcone swarm down` ends them.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(minSwarm); err != nil {
				return err
			}
			a.swarmDir(cmd)
			ctx, stop := untilUnheard(cmd.Context())
			defer stop()
			return a.swarmUp(ctx, o)
		},
	}
	o.addTo(cmd)
	f := cmd.Flags()
	f.BoolVar(&o.detach, "detach", false, "return when the swarm is up")
	f.BoolVar(&o.keep, "keep", false, "leave the nodes' files when it ends")
	f.StringVar(&o.data, "data", "", "a CSV file that node 1 imports")
	f.StringVar(&o.key, "key", "", "its key column (default: the first)")
	f.StringVar(&o.loss, "loss", "0", "share of packets that are lost, once all have joined")
	f.StringVar(&o.rate, "rate", "off", "what each node may send and get, as 10mbit, once all have joined")
	return cmd
}

func (a *app) swarmUp(ctx context.Context, o swarmOptions) (err error) {
	rules, err := parseRules(o.loss, o.rate)
	if err != nil {
		return &usageError{err}
	}
	var set demoSet
	if o.data != "" {
		if set, err = openDemoSet(ctx, demoOptions{data: o.data, key: o.key}); err != nil {
			return err
		}
	}
	s, unlock, err := a.makeSwarm(ctx, o)
	if err != nil {
		return err
	}
	defer unlock()
	if err := s.possible(rules); err != nil {
		return errors.Join(err, s.down(ctx, o.keep))
	}
	err = s.raise(ctx, rules, func(format string, args ...any) { a.say(format, args...) })
	if err == nil && o.data != "" {
		err = s.importAt(ctx, 1, set)
	}
	if err == nil {
		err = a.showSwarm(ctx, s)
	}
	if err != nil {
		return errors.Join(err, s.down(context.WithoutCancel(ctx), o.keep))
	}
	unlock()
	if o.detach {
		a.say("it goes on; look with `%s status`, end it with `%s down`", s.command(), s.command())
		return nil
	}
	a.say("running until interrupted; from another terminal: %s partition 1/2, heal, kill 2, status, …", s.command())
	return a.attendSwarm(ctx, s, o.keep)
}

// attendSwarm waits until ctx ends and takes the swarm down, unless somebody else did.
func (a *app) attendSwarm(ctx context.Context, s *swarm, keep bool) error {
	tick := time.NewTicker(swarmLook)
	defer tick.Stop()
	for {
		now, err := readSwarm(s.dir)
		if err != nil || now.ID != s.ID {
			a.say("the swarm was taken down")
			return nil
		}
		select {
		case <-tick.C:
			continue
		case <-ctx.Done():
		}
		ctx := context.WithoutCancel(ctx)
		unlock, err := lockSwarmDir(s.dir)
		if err != nil {
			return err
		}
		defer unlock()
		a.say("taking the swarm down")
		return s.down(ctx, keep)
	}
}

func (a *app) newSwarmDownCommand() *cobra.Command {
	var keep bool
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Stop the swarm and remove what it made",
		Long: "Stop the swarm and remove what it made: processes, namespaces and files, and nothing else. It needs nobody's help:\n" +
			"also after a crash of `swarm up` nothing is left behind. With --keep the nodes' files stay.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, unlock, err := a.lockSwarm(cmd)
			if err != nil {
				return err
			}
			defer unlock()
			return s.down(context.WithoutCancel(cmd.Context()), keep)
		},
	}
	cmd.Flags().BoolVar(&keep, "keep", false, "leave the nodes' files")
	return cmd
}

func (a *app) newSwarmExecCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "exec NODE -- COMMAND…",
		Short:   "Run a lightcone command against a node of the swarm",
		Long:    "Run a lightcone command against a node of the swarm, in its namespace, as `lightcone --dir DIR/NODE COMMAND…`.",
		Example: "  lightcone swarm exec 3 -- scan --topic airports --limit 3",
		Args:    cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			a.swarmDir(cmd)
			s, err := readSwarm(a.dir)
			if err != nil {
				return err
			}
			n, err := strconv.Atoi(args[0])
			if err != nil || n < 1 || n > s.Lab.Hosts {
				return usagef("no node %q; they are 1 to %d", args[0], s.Lab.Hosts)
			}
			return s.exec(n, args[1:])
		},
	}
}

// exec replaces this process by a lightcone command in a node's namespace.
func (s *swarm) exec(n int, args []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	p := s.node(n)
	replace := func() error {
		return syscall.Exec(self, append([]string{"lightcone", "--dir", p.dir}, args...), append(os.Environ(), childMark+"=1"))
	}
	if p.spawn.enter == nil {
		return replace()
	}
	return p.spawn.enter(replace)
}

// importAt lets a node import a data set.
func (s *swarm) importAt(ctx context.Context, node int, set demoSet) error {
	p := s.node(node)
	if err := p.connect(ctx); err != nil {
		return err
	}
	defer p.Close()
	rows, err := set.open()
	if err != nil {
		return err
	}
	w := newImporter(ctx, p.Client, p.space, set.topic)
	if err := w.run(rows); err != nil {
		return w.failure(err)
	}
	return nil
}

// parseRules reads what up says of the network.
func parseRules(loss, rate string) (r netlab.Rules, err error) {
	if r.Loss, err = parseLoss(loss); err != nil {
		return r, err
	}
	r.Rate, err = netlab.ParseRate(rate)
	return r, err
}

// parseLoss reads a share, 0.3 or 30%.
func parseLoss(text string) (float64, error) {
	number, percent := strings.CutSuffix(text, "%")
	share, err := strconv.ParseFloat(number, 64)
	if percent {
		share /= 100
	}
	if err != nil || !(share >= 0 && share < 1) {
		return 0, fmt.Errorf("%w: loss %q; write a share from 0 to below 1, as 0.3 or 30%%", netlab.ErrRules, text)
	}
	return share, nil
}

// showSwarm prints the status of a swarm.
func (a *app) showSwarm(ctx context.Context, s *swarm) error {
	st := s.status(ctx)
	return a.print(st, func(w io.Writer) error { return st.write(w) })
}
