package store

import (
	"encoding/binary"
	"fmt"

	"lightcone/memo"
	"lightcone/walfs"
)

// The index, all of it. u = uvarint, seq and number = 8 bytes big endian.
//
//	key                          value
//	s                            version u, applied LSN u, its segment u, its offset u,
//	                             CRC-32C of its data u, LSN known to be on disk u
//	g space                      author of the genesis
//	v space author               seq u, time u, digest, 1 if forked, else 0 u: the attached
//	                             head of the chain
//	u space author               seq u: from there on, own memos wait for a seal
//	m space author seq           segment u, offset u, index in the run u, digest
//	r space author seq-of-head   order u, first seq u, segment u, offset u
//	n space author seq digest    as m, of a memo that came to a taken place: another branch
//	d space author               that this author forked: lowest such seq u, record that showed
//	                             it u, record of the last run of a branch u, how many u, bytes u
//	o space author time digest   seq u, segment u, offset u: a run of a forked author, by its head
//	y space digest               author, seq u, first seq u, segment u, offset u: the same run
//	e space author prover        seq u, time u, digest: the prover's first proof that author forked
//	a space author seq           adopted head: LSN u, time u, digest, who vouches, seal
//	h space author               standing: level u, role u
//	l space author digest        grant to the author with an effect: level u, role u, by
//	                             whom, its seq u
//	x space author author        revocation of the first by the second: level u, last good
//	                             seq u, digest
//	f                            the floor: LSN u, segment u, offset u
//	p number                     encoded run that waits, numbered in order of arrival
//	q number                     encoded run that is held back as late, numbered likewise
//	i space author               the author's latest ping, encoded
//	t row LSN index              segment u, offset u: this memo of that record edits the row
//	b space digest               a derived block
//	w space digest               number of the write that brought it last u
//	W                            number of the last of these writes u
//	k space digest               pinned root: until when in ms u, LSN whose state it is u,
//	                             1 if a peer's, else 0 u
//
// m has the memo that came first to a place, r the longest run that ends there. m
// points at the run's record or the own memo's record; r at the run's record or the
// own seal's, whose LSN is its order. In t, row is the first 8 bytes of the
// SHA-256 of space, topic, 0 and row: rows may share them, readers look into the
// memo. Its LSN has 8 bytes, big endian; its index in the run has one.
const (
	stateKey       = "s"
	prefixGenesis  = 'g'
	prefixVector   = 'v'
	prefixOpen     = 'u'
	prefixMemo     = 'm'
	prefixRun      = 'r'
	prefixBranch   = 'n'
	prefixFork     = 'd'
	prefixForkRun  = 'o'
	prefixRunID    = 'y'
	prefixProof    = 'e'
	prefixAdopted  = 'a'
	prefixStanding = 'h'
	prefixGrant    = 'l'
	prefixStop     = 'x'
	floorKey       = "f"
	prefixPending  = 'p'
	prefixHeld     = 'q'
	prefixPing     = 'i'
	prefixTouched  = 't'
	prefixBlock    = 'b'
	prefixStamp    = 'w'
	stampKey       = "W"
	prefixPin      = 'k'
)

// indexVersion is raised whenever the table above changes: an index of another
// version is rebuilt.
const indexVersion = 5

func prefixed(prefix byte, n int, parts ...[]byte) []byte {
	key := append(make([]byte, 0, n), prefix)
	for _, p := range parts {
		key = append(key, p...)
	}
	return key
}

func spaceKey(prefix byte, space memo.SpaceID) []byte {
	return prefixed(prefix, 33, space[:])
}

func authorKey(prefix byte, space memo.SpaceID, author memo.Author) []byte {
	return prefixed(prefix, 65, space[:], author[:])
}

func seqKey(prefix byte, space memo.SpaceID, author memo.Author, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(prefixed(prefix, 73, space[:], author[:]), seq)
}

func pendingKey(number uint64) []byte {
	return binary.BigEndian.AppendUint64(prefixed(prefixPending, 9), number)
}

func heldKey(number uint64) []byte {
	return binary.BigEndian.AppendUint64(prefixed(prefixHeld, 9), number)
}

func blockKey(prefix byte, space memo.SpaceID, id memo.ID) []byte {
	return prefixed(prefix, 65, space[:], id[:])
}

// afterAll returns the first key behind all that start with prefix, which must not
// be all ones.
func afterAll(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; ; i-- {
		end[i]++
		if end[i] != 0 {
			return end[:i+1]
		}
	}
}

// state is the value of stateKey: how far the index reaches.
type state struct {
	applied uint64 // LSN
	pos     walfs.Position
	sum     uint32 // of that record, to tell this log from another
	durable uint64 // an LSN that was on the disk when this was written
}

func (s state) encode() []byte {
	b := binary.AppendUvarint(nil, indexVersion)
	for _, n := range []uint64{s.applied, s.pos.Segment, s.pos.Offset, uint64(s.sum), s.durable} {
		b = binary.AppendUvarint(b, n)
	}
	return b
}

func decodeState(b []byte) (state, error) {
	f := fields{b: b}
	if v := f.uint(); v != indexVersion {
		return state{}, fmt.Errorf("%w: version %d, this program writes %d", errIndex, v, indexVersion)
	}
	s := state{applied: f.uint(), pos: f.position(), sum: uint32(f.uint()), durable: f.uint()}
	return s, f.end()
}

// place says where a memo is: its record, and its index in it when that is a run.
type place struct {
	pos   walfs.Position
	index uint64
	id    memo.ID
}

func (p place) encode() []byte {
	b := make([]byte, 0, 44)
	b = appendPosition(b, p.pos)
	b = binary.AppendUvarint(b, p.index)
	return append(b, p.id[:]...)
}

func decodePlace(b []byte) (place, error) {
	f := fields{b: b}
	p := place{pos: f.position(), index: f.uint(), id: f.id()}
	return p, f.end()
}

// runPlace says where a run is: in one record, or behind one own seal.
type runPlace struct {
	order uint64 // LSN at which it attached
	first uint64 // seq of its first memo
	pos   walfs.Position
}

func (p runPlace) encode() []byte {
	b := binary.AppendUvarint(make([]byte, 0, 16), p.order)
	b = binary.AppendUvarint(b, p.first)
	return appendPosition(b, p.pos)
}

func decodeRunPlace(b []byte) (runPlace, error) {
	f := fields{b: b}
	p := runPlace{order: f.uint(), first: f.uint(), pos: f.position()}
	return p, f.end()
}

func encodeMark(m memo.Mark) []byte {
	b := binary.AppendUvarint(make([]byte, 0, 48), m.Seq)
	b = binary.AppendUvarint(b, uint64(m.Time))
	b = append(b, m.ID[:]...)
	if m.Forked {
		return append(b, 1)
	}
	return append(b, 0)
}

// decodeMark reads the mark of the author that ends key.
func decodeMark(key, b []byte) (memo.Mark, error) {
	k, f := fields{b: key[33:]}, fields{b: b}
	m := memo.Mark{Head: memo.Head{Author: memo.Author(k.id()), Seq: f.uint()}, Time: memo.Time(f.uint())}
	m.ID, m.Forked = f.id(), f.uint() == 1
	if err := k.end(); err != nil {
		return m, err
	}
	return m, f.end()
}

func appendPosition(b []byte, p walfs.Position) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, p.Segment), p.Offset)
}

// fields reads the parts of a key or value in order; end tells whether all went well.
type fields struct {
	b   []byte
	bad bool
}

func (f *fields) uint() uint64 {
	n, size := binary.Uvarint(f.b)
	if size <= 0 {
		f.bad = true
		return 0
	}
	f.b = f.b[size:]
	return n
}

func (f *fields) id() (id memo.ID) {
	if len(f.b) < len(id) {
		f.bad = true
		return id
	}
	f.b = f.b[copy(id[:], f.b):]
	return id
}

func (f *fields) position() walfs.Position {
	return walfs.Position{Segment: f.uint(), Offset: f.uint()}
}

func (f *fields) end() error {
	if f.bad || len(f.b) != 0 {
		return fmt.Errorf("%w: malformed entry", errIndex)
	}
	return nil
}

// seqOf reads the seq at the end of a key made by seqKey.
func seqOf(key []byte) uint64 { return binary.BigEndian.Uint64(key[65:]) }
