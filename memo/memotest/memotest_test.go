package memotest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lightcone/memo"
)

// describe writes a DAG down: author, seq, causes, clock and body of each memo.
func describe(d *DAG) string {
	var b strings.Builder
	for _, n := range d.nodes {
		m := n.memo
		fmt.Fprintf(&b, "%s %s %d", n.name, n.by(), m.Seq)
		if m.Seq > 1 {
			fmt.Fprintf(&b, " prev %s", d.Name(m.Prev))
		}
		for _, dep := range m.Deps {
			fmt.Fprintf(&b, " dep %s", d.Name(dep.ID))
		}
		fmt.Fprintf(&b, " at %s", m.Time)
		if e, ok := m.Body.(*memo.Edit); ok {
			fmt.Fprintf(&b, " %s", edits(e))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// edits writes an edit in the language of drawings.
func edits(e *memo.Edit) string {
	var rows []string
	for _, t := range e.Topics {
		for _, r := range t.Rows {
			s := t.Topic + "/" + string(r.Row)
			if r.Tombstone {
				s += " !"
			}
			for _, d := range r.Deltas {
				if d.Op.Set {
					s += fmt.Sprintf(" %s=%q:%d", d.Field, d.Op.Value, d.Op.Value.Kind())
				} else {
					s += " -" + d.Field
				}
			}
			rows = append(rows, s)
		}
	}
	return strings.Join(rows, " ; ")
}

var drawings = []struct{ name, drawing, want string }{{
	name: "a fork and a merge",
	drawing: `
		G -> A1 -> A2
		     | -> B1
		A2, B1 -> C1@carol
		C1: animals/11 !
	`,
	want: `
		G G 1 at 1.0
		A1 A 1 dep G at 2.0
		A2 A 2 prev A1 at 3.0
		B1 B 1 dep G dep A1 at 4.0
		C1 carol 1 dep B1 dep G dep A2 at 5.0 animals/11 !
	`,
}, {
	name: "bars upon bars, and a line of comment between",
	drawing: `
		G -> A1 -> A2 // A2 is not above the bars
		     | -> B1
		     // a comment keeps the line above it in place
		     | -> C1
	`,
	want: `
		G G 1 at 1.0
		A1 A 1 dep G at 2.0
		A2 A 2 prev A1 at 3.0
		B1 B 1 dep G dep A1 at 4.0
		C1 C 1 dep G dep A1 at 5.0
	`,
}, {
	name: "a cause drawn after its effect, and two causes of one author",
	drawing: `
		G -> A1 -> B1@bob
		A1 -> A2 -> B1
	`,
	want: `
		G G 1 at 1.0
		A1 A 1 dep G at 2.0
		A2 A 2 prev A1 at 4.0
		B1 bob 1 dep G dep A2 at 4.1
	`,
}, {
	name: "clocks, one of them behind its cause",
	drawing: `
		G -> A1, B1 -> C1
		A1 at 70: t/r f=1
		C1 at 5:
	`,
	want: `
		G G 1 at 1.0
		A1 A 1 dep G at 70.0 t/r f="1":2
		B1 B 1 dep G at 3.0
		C1 C 1 dep B1 dep G dep A1 at 5.0
	`,
}, {
	name: "every change and value",
	drawing: `
		G -> A1
		A1@alice: t/b z=-7 a=true -m =text n=null ; s/x/y q="a b; \"c\"" ; t/a ! f=7up
	`,
	want: `
		G G 1 at 1.0
		A1 alice 1 dep G at 2.0 s/x/y q="a b; \"c\"":4 ; t/a ! f="7up":4 ; t/b ="text":4 a="true":1 -m n="null":0 z="-7":2
	`,
}}

func TestDrawings(t *testing.T) {
	for _, tc := range drawings {
		t.Run(tc.name, func(t *testing.T) {
			want := strings.TrimSpace(strings.ReplaceAll(tc.want, "\t", "")) + "\n"
			if diff := cmp.Diff(want, describe(Draw(t, tc.drawing))); diff != "" {
				t.Errorf("- wanted + got:\n%s", diff)
			}
		})
	}
}

var badDrawings = []struct{ drawing, want string }{
	{"", "empty"},
	{"\nG -> ", "line 2: it has neither"},
	{"G -> A B", "line 1: it has neither"},
	{"G -> A, -> B", "line 1: it has neither"},
	{"G -> A\n          | -> B", "line 2: no name stands above the bar in column 11"},
	{"| -> B", "line 1: no name stands above the bar in column 1"},
	{"G -> A1@alice\nA1@bob: t/r f=1", "line 2: A1 is by alice already"},
	{"G -> A1\nB1: t/r f=1", "line 2: B1 is not drawn above"},
	{"G -> A1\nA1: t/r f=1\nA1: t/r f=2", "line 3: A1 has a body already"},
	{"G: t/r f=1", "line 1: G is not drawn above"},
	{"G\nG: t/r f=1", "line 2: G has a body already"},
	{"G -> A1 -> A2 -> A1", "line 1: A1, or a memo of its run, is among its own causes"},
	{"G -> A1\nB1 -> B2", "line 2: B1: the first name is the genesis"},
	{"A1 -> G -> A1", "or a memo of its run, is among"},
	{"G -> A1\n| -> A2", "line 2: A2: A1, by A too, is not in its past; this would be a fork"},
	{"G -> A1 => B1", "line 1: B1: it shares a run with A1"},
	{"G -> A1 -> A2 -> A3\nA1 => A3", "line 1: A1, or a memo of its run, is among"},
	{"G -> A1, B1 => A2", "line 1: => joins one memo"},
	{"G -> A1 => A2\nA1 -> B1 -> A2", "line 1: A1, or a memo of its run, is among"},
	{"G -> G2 -> A1", "line 1: A1: the first memo by A depends on the genesis"},
	{"G -> A1\nA1: t/r", "line 1: A1: topic \"t\": row \"r\": invalid: neither"}, // by memo.New, once the arrows are known
	{"G -> A1\nA1: t/r f=1 f=2", "line 1: A1: topic \"t\": row \"r\": invalid: deltas"},
	{"G -> A1\nA1: row f=1", "line 2: \"row\" is no topic/row"},
	{"G -> A1\nA1: t/r f", "line 2: \"f\" is neither"},
	{"G -> A1\nA1: t/r f=1 ;", "line 2: a topic/row and its changes are missing"},
	{"G -> A1\nA1: t/r f=\"x", "line 2: a quote is not closed"},
	{"G -> A1\nA1: t/r f=\"\\z\"", "line 2: field \"f\": \"\\z\" is not quoted"},
	{"G -> A1\nA1 at noon: t/r f=1", "line 2: it has neither"},
}

func TestBadDrawingsNameTheLine(t *testing.T) {
	for _, tc := range badDrawings {
		_, err := Parse(tc.drawing)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("drawing:\n%s\ngot  %v\nwant %s", tc.drawing, err, tc.want)
		}
	}
}

// names tells which memos are in the runs.
func names(d *DAG, runs []*memo.Run) []string {
	var out []string
	for _, r := range runs {
		var memos []string
		for _, m := range r.Memos {
			memos = append(memos, d.Name(m.ID()))
		}
		out = append(out, strings.Join(memos, "="))
	}
	return out
}

func TestRunsAreSealedAndCausal(t *testing.T) {
	d := Draw(t, `
		G -> A1 => A2 => A3 -> A4
		     | -> B1
		A1 -> A3
		B1 -> B2 -> A4
	`)
	if diff := cmp.Diff([]string{"G", "A1=A2=A3", "B1", "B2", "A4"}, names(d, d.Runs())); diff != "" {
		t.Errorf("all runs, - wanted + got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"B1", "A1=A2=A3", "B1"}, names(d, d.Runs("B1", "A2", "B1"))); diff != "" {
		t.Errorf("a delivery, - wanted + got:\n%s", diff)
	}
	for _, r := range d.Runs() {
		enc, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := memo.DecodeRun(enc)
		if err != nil {
			t.Fatal(err)
		}
		if err := back.Verify(); err != nil {
			t.Error(err)
		}
	}
}

func TestCutIsThePast(t *testing.T) {
	d := Draw(t, `
		G -> A1 -> A2 -> A3
		     | -> B1
		A2, B1 -> C1
	`)
	var got []string
	cut := d.Cut("C1")
	for _, n := range d.Names() {
		if m := d.Memo(n); cut.Covers(m.Author, m.Seq) {
			got = append(got, n)
		}
	}
	if want := []string{"G", "A1", "A2", "B1", "C1"}; !slices.Equal(got, want) {
		t.Errorf("past of C1: got %v, want %v", got, want)
	}
	if both := d.Cut("C1", "A3"); !both.CoversAll(d.Cut("A3")) || !both.CoversAll(cut) || both.Len() != 4 {
		t.Errorf("the cut of two names does not cover each: %v", slices.Collect(both.All()))
	}
}

// The same drawing is the same memos, today and on every machine.
func TestDrawingsAreDeterministic(t *testing.T) {
	const want = "bafyreigjfjp3h4z3fl54ttldrz5txk3oyxvdl5igleakebhstupb2emh3y"
	d := Draw(t, "G -> A1@alice\nA1: animals/11 name=Cat")
	if got := d.Memo("A1").ID().String(); got != want {
		t.Errorf("A1 is %s, want %s", got, want)
	}
}
