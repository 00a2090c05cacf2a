package gossip

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"lightcone/memo"
)

// TestScripts runs the scripts in testdata. Their traces are the readable
// specification of the protocol; `go test ./p2p/gossip -run Scripts -rewrite`
// writes them anew. The commands:
//
//	world peers=N [gossip] [delay=D]   N replicas a, b, c, …; a holds the genesis
//	      [unread]                     memos that arrive wait, nearly forever
//	connect a b | disconnect a b       a connection comes up, goes down
//	write a [n=N] [size=S] [runs=R]    R runs of N memos with S bytes of value each
//	fork a at=(b,c)                    a's key writes two memos for one place
//	stranger a                         forget the secret, guess another
//	lose N                             the next N publications are lost
//	cut N                              the next stream breaks at its N-th frame
//	want a from=b                      a reader waits for heads that b has
//	run D                              time passes
//	vectors                            what everybody holds
//	root a                             a folds what it holds: its newest root
//	fetch b of=a [parts=P] [origin=a]  b fetches the newest root of a; P is vector, seals or state
//	fetch b newest [parts=P] origin=a  b asks a to fold, and fetches that root
//	prefer b of=a row=R                a reader waits for that row
//	forget b every=N [rest=M]          b loses one block in N
//	fold a [lie]                       a folds what it holds; the state is wrong
//	roots                              what everybody counts of announcements
func TestScripts(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) { runScript(t, path) })
	}
}

func runScript(t *testing.T, path string) {
	var w *world
	datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
		var out strings.Builder
		if d.Cmd == "world" {
			w = scriptWorld(t, d)
		}
		w.log = func(format string, args ...any) {
			fmt.Fprintf(&out, "%6d ms  %s\n", w.now.Milliseconds(), fmt.Sprintf(format, args...))
		}
		w.command(t, d, &out)
		for _, b := range w.blamed {
			fmt.Fprintf(&out, "%s\n", b)
		}
		w.blamed = nil
		return out.String()
	})
}

func scriptWorld(t *testing.T, d *datadriven.TestData) *world {
	peers, delay := 2, "10ms"
	d.MaybeScanArgs(t, "peers", &peers)
	d.MaybeScanArgs(t, "delay", &delay)
	f := faults{delay: duration(t, delay), noGossip: !d.HasArg("gossip")}
	if d.HasArg("unread") {
		f.attachLag = 24 * time.Hour
	}
	return newWorld(1, peers, f)
}

func duration(t *testing.T, s string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// named returns the replica called by the i-th argument.
func (w *world) named(d *datadriven.TestData, i int) *replica {
	return w.replicas[d.CmdArgs[i].Key[0]-'a']
}

func (w *world) command(t *testing.T, d *datadriven.TestData, out *strings.Builder) {
	count := func(i int) int {
		n, err := strconv.Atoi(d.CmdArgs[i].Key)
		if err != nil {
			d.Fatalf(t, "%v", err)
		}
		return n
	}
	switch d.Cmd {
	case "world":
	case "connect":
		w.connect(w.named(d, 0), w.named(d, 1))
	case "disconnect":
		w.disconnect(w.named(d, 0), w.named(d, 1))
	case "write":
		n, size, runs := 1, 10, 1
		d.MaybeScanArgs(t, "n", &n)
		d.MaybeScanArgs(t, "size", &size)
		d.MaybeScanArgs(t, "runs", &runs)
		for range runs {
			w.named(d, 0).write(n, size)
		}
	case "fork":
		var at []string
		d.ScanArgs(t, "at", &at)
		w.fork(w.named(d, 0), at)
	case "stranger":
		r := w.named(d, 0)
		r.core = New(Config{Self: r.id, Holdings: r.shelf, Seed: 1})
		r.core.AddSpace(w.space, Secret{6, 6, 6})
	case "lose":
		w.dropNext = count(0)
	case "cut":
		w.cutNext = count(0)
	case "want":
		var origin string
		d.ScanArgs(t, "from", &origin)
		w.named(d, 0).step(Want{Space: w.space, Origin: w.replicas[origin[0]-'a'].id})
	case "run":
		w.run(duration(t, d.CmdArgs[0].Key), nil)
	case "vectors":
		for _, r := range w.replicas {
			fmt.Fprintf(out, "%v: %s\n", r, w.vector(r.shelf.vec))
		}
	case "fold":
		w.named(d, 0).fold(d.HasArg("lie"))
	case "roots":
		for _, r := range w.replicas {
			fmt.Fprintf(out, "%v: %+v\n", r, r.core.Stats().Roots)
		}
	default:
		w.libraryCommand(t, d, out)
	}
}

// fork makes the key of r write two memos for one place, the second branch one
// memo longer, and puts a branch on each of two shelves.
func (w *world) fork(r *replica, at []string) {
	head := r.head
	for i, name := range at {
		r.head = head
		run := r.author.write(w.space, w.now, nil, 1+i, 100*i+10)
		w.replicas[name[0]-'a'].shelf.put(run)
	}
}

func (w *world) name(a memo.Author) string {
	if r := w.replica(a); r != nil {
		return r.String()
	}
	return "?"
}

func (w *world) vector(v memo.Vector) string {
	var parts []string
	for m := range v.All() {
		parts = append(parts, fmt.Sprintf("%s#%d:%x", w.name(m.Author), m.Seq, m.ID[:2]))
	}
	return strings.Join(parts, " ")
}

// span names the memos of a run: a#4, or a#4-6.
func (w *world) span(r *memo.Run) string {
	if first, last := r.FirstSeq(), r.Head().Seq; first != last {
		return fmt.Sprintf("%s#%d-%d", w.name(r.Author()), first, last)
	}
	return fmt.Sprintf("%s#%d", w.name(r.Author()), r.FirstSeq())
}

// spans lists runs, shortened in the middle.
func (w *world) spans(runs []*memo.Run) string {
	if n := len(runs); n > 4 {
		return fmt.Sprintf("%s … %s (%d runs)", w.span(runs[0]), w.span(runs[n-1]), n)
	}
	var parts []string
	for _, r := range runs {
		parts = append(parts, w.span(r))
	}
	return strings.Join(parts, " ")
}

func (w *world) traceFrame(from, to *replica, o Send) {
	if w.log == nil {
		return
	}
	f := Frame{Data: o.Data}
	if err := Prepare(&f); err != nil {
		panic(err)
	}
	var text string
	switch m := f.msg.(type) {
	case *hello:
		text = fmt.Sprintf("HELLO vecRoot=%x credit=%d", m.VecRoot[:2], m.Credit)
	case *vec:
		text = "VEC"
		for _, h := range m.Heads {
			text += fmt.Sprintf(" %s#%d", w.name(h.Author), h.Seq)
		}
		if m.More {
			text += " …"
		}
	case *verified:
		text = "RUNS " + w.spans(m.runs)
	case *credit:
		text = fmt.Sprintf("CREDIT %d", m.Bytes)
	case *done:
		text = "DONE"
	case *said:
		text = fmt.Sprintf("WORD root=%x", m.Root.State[:2])
	case *wantRun:
		text = fmt.Sprintf("WANTRUN %s#%d:%x", w.name(m.Head.Author), m.Head.Seq, m.Head.ID[:2])
	default:
		text = w.blocksText(m)
	}
	w.trace("%v → %v  %s  %d B", from, to, text, len(o.Data))
}

func (w *world) traceAttached(r *replica, d Deliver, a *Attached) {
	if w.log == nil {
		return
	}
	text := fmt.Sprintf("%v attaches %d memos", r, a.Fresh)
	if d.Session == 0 {
		text += " of gossip by " + w.replica(d.From).String()
	}
	if a.Orphans {
		text += "; causes are missing"
	}
	if a.Bad != nil {
		text += "; " + a.Bad.Error()
	}
	w.trace("%s", text)
}

func (w *world) tracePublish(r *replica, o Publish) {
	if w.log == nil {
		return
	}
	if o.Roots {
		w.traceRoot(r, o)
		return
	}
	hint, raw, err := parsePublication(o.Data)
	if err != nil {
		panic(err)
	}
	text := "nothing"
	if len(raw) > 0 {
		run, err := memo.DecodeRun(raw)
		if err != nil {
			panic(err)
		}
		text = w.span(run)
	}
	w.trace("%v publishes %s  hint=%04x  %d B", r, text, hint>>48, len(o.Data))
}
