package mergetest

import (
	"maps"
	"slices"

	"pgregory.net/rapid"

	"lightcone/memo"
	"lightcone/merge"
)

// Act is what an author who plays by the rules did to the row, and what they
// meant by it: the fields beside Write, one for each field of the row.
type Act struct {
	Write
	Knows []int // the acts, by their place in the history, that the author had seen

	Put            []memo.Value // into the multi "m", in place of what is there; one at most
	Clear          bool         // the multi "m", when Put is empty
	Add            int64        // to the counter "n"
	Insert, Remove []memo.Value // into and from the set "s"; Insert wins
}

// Sessions generates what authors do who write by merge.Writer on what they know,
// and now and then learn what others know. An author's acts are in order and
// nobody is forked; times grow as hybrid logical clocks do.
func Sessions() *rapid.Generator[[]Act] {
	return rapid.Custom(func(t *rapid.T) []Act {
		replicas := make([]replica, authors)
		var acts []Act
		for range rapid.IntRange(1, 16).Draw(t, "steps") {
			n := rapid.IntRange(0, authors-1).Draw(t, "author")
			if from := rapid.IntRange(-2, authors-1).Draw(t, "learns from"); from >= 0 {
				replicas[n].learn(replicas[from])
			}
			if a, ok := replicas[n].act(t, Author(n+1)); ok {
				replicas[n].know(len(acts), a.Write)
				acts = append(acts, a)
			}
		}
		return acts
	})
}

// replica is what one author knows.
type replica struct {
	row   merge.Row
	knows map[int]bool
	time  memo.Time
	seq   uint64
}

func (r *replica) learn(from replica) {
	r.row = merge.Join(r.row, from.row)
	r.time = max(r.time, from.time)
	if r.knows == nil {
		r.knows = map[int]bool{}
	}
	maps.Copy(r.knows, from.knows)
}

func (r *replica) know(n int, w Write) {
	d, err := merge.Delta(w.Stamp, w.Edit)
	if err != nil {
		panic(err) // made of cells of known types
	}
	r.learn(replica{row: d, knows: map[int]bool{n: true}, time: w.Stamp.Time})
	r.seq = w.Stamp.Seq
}

// act draws what an author does next; ok is false when it changes nothing.
func (r *replica) act(t *rapid.T, author memo.Author) (a Act, ok bool) {
	few := rapid.Map(rapid.Int64Range(0, 3), memo.Int)
	a = Act{
		Write: Write{
			Stamp: merge.Stamp{Time: r.time + 1, Author: author, Seq: r.seq + 1},
			Edit:  memo.RowEdit{Row: "row", Tombstone: rapid.IntRange(0, 5).Draw(t, "clears") == 0},
		},
		Knows: slices.Sorted(maps.Keys(r.knows)),
		Put:   rapid.SliceOfN(few, 0, 1).Draw(t, "put"),
		Clear: rapid.IntRange(0, 3).Draw(t, "clear") == 0,
		Add:   rapid.Int64Range(-3, 3).Draw(t, "add"),
	}
	a.Insert = rapid.SliceOfN(few, 0, 2).Draw(t, "insert")
	a.Remove = rapid.SliceOfN(few, 0, 2).Draw(t, "remove")
	if err := a.write(merge.Writer{Author: author, Row: r.row, Own: r.row, Clears: a.Edit.Tombstone}); err != nil {
		t.Fatal(err)
	}
	a.seal()
	return a, a.Edit.Tombstone || len(a.Edit.Deltas) > 0
}

// write turns what a means into deltas.
func (a *Act) write(w merge.Writer) error {
	add := func(d memo.Delta, changes bool) {
		if changes {
			a.Edit.Deltas = append(a.Edit.Deltas, d)
		}
	}
	switch {
	case len(a.Put) > 0:
		add(w.Put("m", a.Put[0]), true)
	case a.Clear:
		add(w.Clear("m"))
	}
	if a.Add != 0 {
		d, err := w.Add("n", a.Add)
		if err != nil {
			return err
		}
		add(d, true)
	}
	add(w.Change("s", a.Insert, a.Remove))
	return nil
}
