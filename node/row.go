package node

import (
	"cmp"

	"lightcone/memo"
	"lightcone/merge"
)

// Fields are the named values of a row. A plain key-value pair is the one field "".
type Fields map[string]memo.Value

// Row is a row as one view shows it.
type Row struct {
	Topic, Key string
	// Fields are the registers, the counters as integers, and of every multi the
	// value with the greatest stamp.
	Fields Fields
	// Cells tells more of fields that are no registers, or that have cells of
	// several types. It is nil when there are none.
	Cells      map[string]Cell
	Provenance []merge.Stamp // the memos behind the row, by author and seq
	// Behind says what the view lacked. It is set only under StaleReturn, and where a
	// Local read could not wait for what a peer vouches for.
	Behind *BehindError
	// VouchedBy is the peer whose word the row is, in part or all: it shows what no
	// memo held here says yet. Zero: all of it comes from memos held here.
	VouchedBy PeerID
}

// Cell is what a field holds whose type is not, or not only, a register.
type Cell struct {
	Type     memo.CellType
	Values   []Concurrent    // of a multi, the one in Fields first; more than one are concurrent
	Elements []memo.Value    // of a set, ascending by Value.Compare
	Others   []memo.CellType // cells of the same field that were written earlier, and are not shown
}

// Concurrent is one value of a multi and the memo that wrote it. To resolve
// several, put the right one: PutMulti replaces all that it sees.
type Concurrent struct {
	Value memo.Value
	Stamp merge.Stamp
}

// row turns what a source shows into a Row.
func (tx *Tx) row(topic, key string, found seen) Row {
	out := Row{
		Topic: topic, Key: key, Fields: make(Fields, len(found.state.Cells)),
		Provenance: found.state.Provenance(), Behind: cmp.Or(found.behind, tx.behind), VouchedBy: found.by,
	}
	for _, s := range found.state.Shown() {
		field := s.Cell.Field
		cell := Cell{Type: s.Cell.Type, Others: s.Others}
		switch s.Cell.Type {
		case memo.Counter:
			out.Fields[field] = memo.Int(s.Cell.Counter.Value())
		case memo.Multi:
			for _, a := range s.Cell.Atoms.Values() {
				cell.Values = append(cell.Values, Concurrent{Value: a.Value, Stamp: a.Stamp})
			}
			if len(cell.Values) > 0 {
				out.Fields[field] = cell.Values[0].Value
			}
		case memo.Set:
			cell.Elements = s.Cell.Atoms.Elements()
		default: // a register
			if s.Cell.Register.Set {
				out.Fields[field] = s.Cell.Register.Value
			}
		}
		if cell.Type == memo.Register && len(cell.Others) == 0 {
			continue
		}
		if out.Cells == nil {
			out.Cells = map[string]Cell{}
		}
		out.Cells[field] = cell
	}
	return out
}

// headsOf returns the memos behind a row, the latest of each author.
func headsOf(state merge.Row) []memo.Head {
	var out []memo.Head
	for _, s := range state.Provenance() { // ascending by author and seq
		h := memo.Head{Author: s.Author, Seq: s.Seq, ID: s.ID}
		if n := len(out); n > 0 && out[n-1].Author == s.Author {
			out[n-1] = h
			continue
		}
		out = append(out, h)
	}
	return out
}
