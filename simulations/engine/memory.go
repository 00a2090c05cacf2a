package engine

import "sync"

const (
	// chunkEvents is how many events are linked together in a list: a chunk is eight lines
	// of 64 bytes then.
	chunkEvents = 25
	// batchChunks is how many free chunks go from worker to worker at once.
	batchChunks = 64
)

// list is a list of events, in the order in which they were added. The zero list is empty.
type list struct{ head, tail *chunk }

// chunk is a piece of a list; all but the last are full.
type chunk struct {
	next   *chunk
	n      int32
	events [chunkEvents]Event
}

// memory is what a worker lends to the shards that it runs, one after the other. Between
// windows shards have nothing but lists, so that the memory of events is what is under way,
// of all shards together, and no sum of what each had at its worst moment.
type memory struct {
	depot       *depot
	free, spare batch   // free is neither full nor empty for long; spare is either
	sorted      []Event // of the day that a shard is in
	starts      []int32 // scratch of the sorting
}

// batch is a stack of free chunks.
type batch struct {
	top *chunk
	n   int
}

// depot is where workers leave full batches for each other: some free more than they take
// (magazines: Bonwick, Adams 2001).
type depot struct {
	mu   sync.Mutex
	full []batch
	made int // batches, ever: nothing of them is given back
}

// get returns a full batch.
func (d *depot) get() batch {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := len(d.full); n > 0 {
		b := d.full[n-1]
		d.full = d.full[:n-1]
		return b
	}
	d.made++
	all := new([batchChunks]chunk)
	for i := range all[1:] {
		all[i].next = &all[i+1]
	}
	return batch{&all[0], batchChunks}
}

// put takes a full batch.
func (d *depot) put(b batch) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.full = append(d.full, b)
}

// chunk returns an empty one.
func (m *memory) chunk() *chunk {
	if m.free.n == 0 {
		m.free, m.spare = m.spare, batch{}
	}
	if m.free.n == 0 {
		m.free = m.depot.get()
	}
	c := m.free.top
	m.free = batch{c.next, m.free.n - 1}
	c.next, c.n = nil, 0
	return c
}

// release makes a chunk free, and returns the one behind it.
func (m *memory) release(c *chunk) (next *chunk) {
	if m.free.n == batchChunks {
		if m.spare.n > 0 {
			m.depot.put(m.spare)
		}
		m.free, m.spare = batch{}, m.free
	}
	next, c.next = c.next, m.free.top
	m.free = batch{c, m.free.n + 1}
	return next
}

// add puts an event at the end of a list.
func (l *list) add(m *memory, ev *Event) {
	c := l.tail
	if c == nil || c.n == chunkEvents {
		c = m.chunk()
		if l.tail == nil {
			l.head = c
		} else {
			l.tail.next = c
		}
		l.tail = c
	}
	c.events[c.n] = *ev
	c.n++
}
