package projection

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"lightcone/merge"
)

// formatVersion is that of the file.
const formatVersion = 1

var (
	metaBucket = []byte("meta")
	versionKey = []byte("version") // → u64be formatVersion
	tallyKey   = []byte("tally")   // → a sealed tally
)

// Every value but the version is sealed: u32be CRC-32C of bucket, key and body,
// then the body. bbolt itself would not notice a flipped bit.
const sealSize = 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func seal(bucket string, key, body []byte) []byte {
	value := append(make([]byte, sealSize, sealSize+len(body)), body...)
	binary.BigEndian.PutUint32(value, checksum(bucket, key, body))
	return value
}

// unseal returns the body of a value; it points into value.
func unseal(bucket string, key, value []byte) (body []byte, err error) {
	if len(value) < sealSize || sealOf(value) != checksum(bucket, key, value[sealSize:]) {
		return nil, fmt.Errorf("the value of key %q fails its checksum", key)
	}
	return value[sealSize:], nil
}

func sealOf(value []byte) uint32 { return binary.BigEndian.Uint32(value) }

func checksum(bucket string, key, body []byte) uint32 {
	sum := crc32.Update(0, castagnoli, []byte(bucket))
	return crc32.Update(crc32.Update(sum, castagnoli, key), castagnoli, body)
}

// A row's body is one byte that tells whether the row is live, which saves a
// count from decoding rows, and the row's state.
func rowBody(row *merge.Row) ([]byte, error) {
	state, err := row.Encode()
	if err != nil {
		return nil, err
	}
	live := byte(0)
	if row.Live() {
		live = 1
	}
	return append([]byte{live}, state...), nil
}

func unsealRow(space string, key, value []byte) (live bool, state []byte, err error) {
	body, err := unseal(space, key, value)
	if err != nil || len(body) == 0 {
		return false, nil, err
	}
	return body[0] == 1, body[1:], nil
}

// tally says what a whole file holds: a damaged page can lose rows and leave
// every other one intact.
type tally struct {
	lsn  uint64 // what the rows reach
	rows uint64 // their number, of all spaces
	sum  uint64 // of their seals, wrapping
}

func (t *tally) add(value []byte) { t.rows, t.sum = t.rows+1, t.sum+uint64(sealOf(value)) }

func (t *tally) remove(value []byte) { t.rows, t.sum = t.rows-1, t.sum-uint64(sealOf(value)) }

func (t tally) body() []byte {
	b := binary.BigEndian.AppendUint64(nil, t.lsn)
	b = binary.BigEndian.AppendUint64(b, t.rows)
	return binary.BigEndian.AppendUint64(b, t.sum)
}

func parseTally(body []byte) (t tally, err error) {
	if len(body) != 3*8 {
		return t, fmt.Errorf("a tally of %d bytes", len(body))
	}
	t.lsn = binary.BigEndian.Uint64(body)
	t.rows = binary.BigEndian.Uint64(body[8:])
	t.sum = binary.BigEndian.Uint64(body[16:])
	return t, nil
}
