package main

import (
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"syscall"
	"text/tabwriter"
	"time"

	"lightcone/node/api"
)

// demoReport is what a run measured.
type demoReport struct {
	Equal       bool          `json:"equal"` // digests and row counts, at the end
	Rows        int           `json:"rows"`
	ImportRate  float64       `json:"importRowsPerSecond"`
	CopySeconds []float64     `json:"copySeconds"` // B, C, …: after the last acknowledgement at A
	HealSeconds float64       `json:"healSeconds"`
	CrashAcked  int           `json:"crashAcknowledged"`
	CrashLost   int           `json:"crashLost"`
	WirePerRow  []float64     `json:"wireBytesPerRow"` // received during the import, by node
	Nodes       []demoSummary `json:"nodes"`
	Write       demoLatency   `json:"write"`   // one row at B, acknowledged after its sync
	Visible     demoLatency   `json:"visible"` // from the start of the write at B to the answer at A under its context
	Read        demoLatency   `json:"read"`    // one row at A
	Seconds     float64       `json:"seconds"`
}

// demoSummary is one line of the closing table.
type demoSummary struct {
	Name         string  `json:"name"`
	Dir          string  `json:"dir,omitempty"` // with --keep
	Rows         int     `json:"rows"`
	Memos        uint64  `json:"memos"`
	Digest       string  `json:"digest"`
	ContextBytes int     `json:"contextBytes"` // of the token of all it has
	LogPerRow    float64 `json:"logBytesPerRow"`
	IndexPerRow  float64 `json:"indexBytesPerRow"` // the log's index and the B+Tree of rows, rebuilt from the log if deleted
}

// demoLatency collects durations in milliseconds.
type demoLatency struct {
	P50 float64 `json:"p50Ms"`
	P99 float64 `json:"p99Ms"`

	all []time.Duration
}

func (l *demoLatency) add(d time.Duration) { l.all = append(l.all, d) }

// settle computes the quantiles.
func (l *demoLatency) settle() {
	slices.Sort(l.all)
	at := func(q float64) float64 {
		return float64(l.all[min(len(l.all)-1, int(q*float64(len(l.all))))].Microseconds()) / 1000
	}
	l.P50, l.P99 = at(0.50), at(0.99)
}

// inspect asks every node for its line of the table and compares them.
func (d *demo) inspect() error {
	r := &d.report
	for _, l := range []*demoLatency{&r.Write, &r.Visible, &r.Read} {
		l.settle()
	}
	for _, n := range d.nodes {
		s, err := d.summary(n)
		if err != nil {
			return fmt.Errorf("%s: %w", n.name, err)
		}
		r.Nodes = append(r.Nodes, s)
	}
	r.Equal = r.CrashLost == 0
	for _, s := range r.Nodes[1:] {
		r.Equal = r.Equal && s.Digest == r.Nodes[0].Digest && s.Rows == r.Nodes[0].Rows
	}
	return nil
}

func (d *demo) summary(n *process) (demoSummary, error) {
	s := demoSummary{Name: n.name}
	if d.opts.keep {
		s.Dir = n.dir
	}
	count, err := n.Count(d.ctx, n.space, api.Query{}, api.Read{Mode: "local"})
	if err != nil {
		return s, err
	}
	digest, err := n.Digest(d.ctx, n.space)
	if err != nil {
		return s, err
	}
	k, err := n.Context(d.ctx, n.space)
	if err != nil {
		return s, err
	}
	st, err := n.Status(d.ctx)
	if err != nil {
		return s, err
	}
	for _, sp := range st.Spaces {
		s.Memos += sp.Memos
	}
	s.Rows, s.Digest, s.ContextBytes = count.Rows, digest.Digest, len(k.Token)
	s.LogPerRow = float64(st.LogBytes) / float64(count.Rows)
	return s, nil
}

// measureDisk stops the nodes, which writes everything out, and adds up files.
func (d *demo) measureDisk() error {
	if err := d.stop(); err != nil {
		return err
	}
	for i, n := range d.nodes {
		var total int64
		for _, part := range []string{"kv", "projection.db"} {
			size, err := allocated(filepath.Join(n.dir, part))
			if err != nil {
				return err
			}
			total += size
		}
		s := &d.report.Nodes[i]
		s.IndexPerRow = float64(total) / float64(s.Rows)
	}
	return nil
}

// printReport prints the closing table.
func (d *demo) printReport(w io.Writer) error {
	r := d.report
	d.act("What this run measured")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "\trows\tmemos\tlog B/row\tindex B/row\twire B/row\tcontext\tdigest\t\n")
	for i, s := range r.Nodes {
		verdict := "…" + tail(s.Digest)
		if s.Digest != r.Nodes[0].Digest {
			verdict += " DIFFERENT"
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%.0f\t%.0f\t%s\t%d chars\t%s\t\n",
			s.Name, comma(int64(s.Rows)), s.Memos, s.LogPerRow, s.IndexPerRow, wire(i, r.WirePerRow[i]), s.ContextBytes, verdict)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	d.tell("  log: append-only and synced, all that cannot be rebuilt · index: pebble and B+Tree, rebuilt from the log")
	d.tell("  wire: received per airport during the import, gossip's duplicates included · context: token of all a node has")
	d.tell("")
	d.tell("  write at B, on disk       p50 %6.2f ms   p99 %6.2f ms", r.Write.P50, r.Write.P99)
	d.tell("  written at B, read at A   p50 %6.2f ms   p99 %6.2f ms   under the write's context", r.Visible.P50, r.Visible.P99)
	d.tell("  read at A                 p50 %6.2f ms   p99 %6.2f ms   each over HTTP on loopback", r.Read.P50, r.Read.P99)
	d.tell("")
	if r.Equal {
		d.tell("%s", d.paint(green, fmt.Sprintf("%s are equal, nothing acknowledged was lost. %.1f s.", d.names(), r.Seconds)))
	} else {
		d.tell("%s", d.paint(red, d.names()+" are NOT equal, or acknowledged writes were lost."))
	}
	return nil
}

// wire shows what a node received per row of the import; the first one sent it.
func wire(i int, perRow float64) string {
	if i == 0 {
		return "source"
	}
	return fmt.Sprintf("%.0f", perRow)
}

// allocated adds up what a file, or the files of a directory, take on disk.
func allocated(path string) (total int64, err error) {
	err = filepath.WalkDir(path, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		total += onDisk(info)
		return nil
	})
	return total, err
}

// onDisk returns the bytes that a file takes, holes left out.
func onDisk(info fs.FileInfo) int64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		const block = 512 // st_blocks counts in these, whatever the file system's blocks are
		return st.Blocks * block
	}
	return info.Size()
}
