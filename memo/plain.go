package memo

import (
	"fmt"

	"github.com/fxamacker/cbor/v2"
	"github.com/ipfs/go-cid"
)

// canonical checks that raw is one canonical item of a shape that every version
// of the format may use, see plain.
func canonical(raw Raw) error {
	var a any
	if err := decMode.Unmarshal(raw, &a); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if err := plain(a); err != nil {
		return err
	}
	return Unmarshal(raw, &a)
}

// plain refuses what DAG-CBOR of arrays does not have: maps, whose pairs Go also
// hands out in random order, so that encoding them again proves nothing; simple
// values beside null and bools; tags beside links, and links that are no CID.
func plain(a any) error {
	switch x := a.(type) {
	case nil, bool, uint64, int64, float64, string, []byte:
		return nil
	case []any:
		for _, item := range x {
			if err := plain(item); err != nil {
				return err
			}
		}
		return nil
	case cbor.Tag:
		if link, ok := x.Content.([]byte); ok && x.Number == linkTag && len(link) > 1 && link[0] == 0 {
			if _, err := cid.Cast(link[1:]); err != nil {
				return fmt.Errorf("%w: a link to no CID: %w", ErrMalformed, err)
			}
			return nil
		}
	}
	return fmt.Errorf("%w: an item of Go type %T; the format has arrays, links and plain values", ErrMalformed, a)
}
