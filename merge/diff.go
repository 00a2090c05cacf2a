package merge

import (
	"bytes"
	"fmt"
	"iter"
	"strings"

	"lightcone/memo"
)

// Difference is one key that two trees do not hold alike.
type Difference struct {
	Key      string
	Old, New []byte // its values in the one and the other; nil where it is absent
}

// Diff yields how the tree under b differs from the tree under a, ascending by
// key. Subtrees of one digest are not read: the cost is that of the nodes that
// differ, whatever the size of the trees. It ends after the first error.
func Diff(p Params, g BlockGetter, a, b memo.ID) iter.Seq2[Difference, error] {
	return func(yield func(Difference, error) bool) {
		if a == b {
			return
		}
		old, err := openPages(p, g, a)
		if err == nil {
			err = diff(old, p, g, b, false, func(d Difference) bool { return yield(d, nil) })
		}
		if err != nil {
			yield(Difference{}, fmt.Errorf("differences of trees %s and %s: %w", a, b, err))
		}
	}
}

// diff calls yield for each difference of the tree under b from the old one
// until it returns false. With keep the pages read of the old tree stay there.
func diff(old *pages, p Params, g BlockGetter, b memo.ID, keep bool, yield func(Difference) bool) error {
	other, err := openPages(p, g, b)
	if err != nil {
		return err
	}
	x, y := newCursor(old, keep), newCursor(other, false)
	for err == nil && (x.item() != nil || y.item() != nil) {
		i, j := x.item(), y.item()
		more := true
		switch order := compareItems(i, j); {
		case order < 0 && x.level() < 0:
			more = yield(Difference{Key: i.Key, Old: i.Value})
			x.next()
		case order > 0 && y.level() < 0:
			more = yield(Difference{Key: j.Key, New: j.Value})
			y.next()
		case order < 0 || order == 0 && x.level() > y.level():
			err = x.enter()
		case order > 0 || x.level() < y.level():
			err = y.enter()
		case x.level() < 0:
			if !bytes.Equal(i.Value, j.Value) {
				more = yield(Difference{Key: i.Key, Old: i.Value, New: j.Value})
			}
			x.next()
			y.next()
		case i.Child == j.Child:
			x.next()
			y.next()
		default:
			if err = x.enter(); err == nil {
				err = y.enter()
			}
		}
		if !more {
			return nil
		}
	}
	return err
}

// compareItems orders items by key; the end of a tree, nil, comes last.
func compareItems(i, j *Item) int {
	switch {
	case i == nil:
		return +1
	case j == nil:
		return -1
	}
	return strings.Compare(i.Key, j.Key)
}

// cursor goes through a tree from item to item, below an item only when told.
type cursor struct {
	tree *pages
	keep bool // pages stay in the tree
	path []step
}

// step is a page on the way to a cursor's item and the item's place in it.
type step struct {
	*page
	at int
}

func newCursor(tree *pages, keep bool) *cursor {
	c := &cursor{tree: tree, keep: keep}
	if len(tree.root.Items) > 0 {
		c.path = append(c.path, step{page: tree.root})
	}
	return c
}

// item returns what the cursor is at, nil at the end.
func (c *cursor) item() *Item {
	if len(c.path) == 0 {
		return nil
	}
	top := c.path[len(c.path)-1]
	return &top.Items[top.at]
}

// level returns that of the node below the item, -1 for an entry.
func (c *cursor) level() int { return c.path[len(c.path)-1].Level - 1 }

// next goes on behind the item and all below it.
func (c *cursor) next() {
	for len(c.path) > 0 {
		top := &c.path[len(c.path)-1]
		if top.at++; top.at < len(top.Items) {
			return
		}
		if !c.keep {
			top.drop()
		}
		c.path = c.path[:len(c.path)-1]
	}
}

// enter goes to the first item below the item.
func (c *cursor) enter() error {
	top := c.path[len(c.path)-1]
	q, err := c.tree.child(top.page, top.at)
	if err == nil {
		c.path = append(c.path, step{page: q})
	}
	return err
}

// Merge makes the tree of the keys of both trees. A key that only one has keeps
// its value; where the values differ, join makes one of a's and b's. It reads
// and makes only nodes that differ, and puts and returns what Apply does: the
// new tree shares nodes with both. If join is a join, so is Merge.
func Merge(p Params, g BlockGetter, a, b memo.ID, join func(key string, a, b []byte) ([]byte, error), put BlockPutter) (memo.ID, error) {
	if a == b {
		return a, nil
	}
	id, err := mergeTrees(p, g, a, b, join, put)
	if err != nil {
		return memo.ID{}, fmt.Errorf("merge trees %s and %s: %w", a, b, err)
	}
	return id, nil
}

func mergeTrees(p Params, g BlockGetter, a, b memo.ID, join func(key string, a, b []byte) ([]byte, error), put BlockPutter) (memo.ID, error) {
	old, err := openPages(p, g, a)
	if err != nil {
		return memo.ID{}, err
	}
	var edits []edit
	var refused error
	err = diff(old, p, g, b, true, func(d Difference) bool {
		value := d.New
		if d.Old != nil && d.New != nil {
			value, refused = join(d.Key, d.Old, d.New)
			if refused == nil {
				refused = Entry{Key: d.Key, Value: value}.check(false)
			}
		}
		if value != nil {
			edits = append(edits, edit{Item: Item{Key: d.Key, Value: value}})
		}
		return refused == nil
	})
	if err == nil {
		err = refused
	}
	if err != nil {
		return memo.ID{}, err
	}
	return apply(old, edits, put)
}
