package report

import (
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"
)

// parquet writes a table as columns of doubles.
func (t *Table) parquet(to io.Writer) error {
	group := parquet.Group{}
	for _, c := range t.Columns {
		group[c] = parquet.Leaf(parquet.DoubleType)
	}
	schema := parquet.NewSchema(t.Name, group)
	at := map[string]int{} // a schema has its columns by name
	for i, c := range schema.Columns() {
		at[c[0]] = i
	}
	w := parquet.NewWriter(to, schema)
	rows := make([]parquet.Row, 0, rowBatch)
	flush := func() error {
		_, err := w.WriteRows(rows)
		rows = rows[:0]
		return err
	}
	for _, r := range t.Rows {
		if len(r) != len(t.Columns) {
			return fmt.Errorf("a row of %d values in a table of %d columns", len(r), len(t.Columns))
		}
		row := make(parquet.Row, len(r))
		for i, v := range r {
			k := at[t.Columns[i]]
			row[k] = parquet.DoubleValue(v).Level(0, 0, k)
		}
		if rows = append(rows, row); len(rows) == rowBatch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return errors.Join(flush(), w.Close())
}

// rowBatch is how many rows are written at once.
const rowBatch = 1024
