package memo

import (
	"bytes"
	"errors"
	"runtime"
	"slices"
	"testing"
)

// FuzzDecode: what Decode accepts encodes to the very same bytes, here and by
// go-ipld-prime; what it refuses, it refuses for a reason that has a name.
func FuzzDecode(f *testing.F) {
	for _, data := range goldenBytes(f) {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Decode(data)
		if err != nil {
			checkRefusal(t, err)
			return
		}
		if again, err := m.Encode(); err != nil || !bytes.Equal(again, data) || m.ID() != Sum(data) {
			t.Fatalf("accepted %x and wrote %x (%v)", data, again, err)
		}
		checkIPLD(t, data)
	})
}

// FuzzDecodeRun: a run is its bytes, and so is each memo rebuilt from it.
func FuzzDecodeRun(f *testing.F) {
	f.Add(goldenRunBytes(f))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := DecodeRun(data)
		if err != nil {
			checkRefusal(t, err)
			return
		}
		if again, err := r.Encode(); err != nil || !bytes.Equal(again, data) {
			t.Fatalf("accepted %x and wrote %x (%v)", data, again, err)
		}
		for i, m := range r.Memos {
			enc, err := m.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if back, err := Decode(enc); err != nil || back.ID() != m.ID() || back.SpaceID() != r.Space {
				t.Fatalf("memo %d of the run %x is none by itself: %v", i, data, err)
			}
		}
	})
}

func checkRefusal(t *testing.T, err error) {
	t.Helper()
	named := []error{ErrMalformed, ErrNotCanonical, ErrInvalid, ErrTooLarge, ErrBadValue}
	if !slices.ContainsFunc(named, func(e error) bool { return errors.Is(err, e) }) {
		t.Fatalf("refused without a name: %v", err)
	}
}

// goldenRunBytes is the run of the vectors.
func goldenRunBytes(t testing.TB) []byte {
	for _, v := range goldenVectors() {
		if f := fields(v); f["run"] != nil {
			return unhex(t, f["hex"][0])
		}
	}
	t.Fatal("the file of vectors has no run")
	return nil
}

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestMemoryIsBounded: what is above the limit costs nothing but its error; below
// it, bytes that promise the most elements for the least input cost a bounded
// multiple of the limit, whatever lengths they claim.
func TestMemoryIsBounded(t *testing.T) {
	const cheap, most = 64 << 10, 128 * MaxRunBytes
	decoders := map[string]func([]byte) error{
		"memo": func(b []byte) error { _, err := Decode(b); return err },
		"run":  func(b []byte) error { _, err := DecodeRun(b); return err },
	}
	for name, decode := range decoders {
		large := tooLong(t)[name]
		if n := allocated(func() {
			if err := decode(large); !errors.Is(err, ErrTooLarge) {
				t.Errorf("%s of %d bytes: %v", name, len(large), err)
			}
		}); n > cheap {
			t.Errorf("refusing a %s of %d bytes allocates %d", name, len(large), n)
		}
		for shape, data := range hostile() {
			if n := allocated(func() {
				if err := decode(data); err == nil {
					t.Errorf("%s: a %s of %s is accepted", shape, name, shape)
				}
			}); n > most {
				t.Errorf("%s: refusing a %s of %d bytes allocates %d", shape, name, len(data), n)
			}
		}
	}
}

// tooLong makes a memo and a run that are well formed, of an unknown kind, and far
// above the limit.
func tooLong(t *testing.T) map[string][]byte {
	t.Helper()
	body, err := Marshal(make([]byte, 16<<20))
	if err != nil {
		t.Fatal(err)
	}
	deps := []wireDep{{Seq: 1, Link: Link{1}}}
	one, err := Marshal(wire{V: version, Space: SpaceID{1}, Seq: 1, Deps: deps, Kind: 77, Body: body})
	if err != nil {
		t.Fatal(err)
	}
	run, err := Marshal(wireRun{V: version, Space: SpaceID{1}, FirstSeq: 1, Memos: []wireRunMemo{{Deps: deps, Kind: 77, Body: body}}})
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{"memo": one, "run": run}
}

// hostile makes inputs that are small for what they claim or make of it.
func hostile() map[string][]byte {
	nulls := append([]byte{0x9a, 0, 1, 0xff, 0xff}, bytes.Repeat([]byte{0xf6}, 0x1ffff)...)
	memoHead := func(kind byte, body []byte) []byte {
		b := append([]byte{0x89, 0x01, 0x58, 0x20}, make([]byte, 32)...)
		b = append(append(b, 0x58, 0x20), make([]byte, 32)...)
		return append(append(b, 0x01, 0xf6, 0x80, 0x00, kind), body...)
	}
	run := append(append([]byte{0x87, 0x01, 0x58, 0x20}, make([]byte, 32)...), 0x58, 0x20)
	run = append(append(append(run, make([]byte, 32)...), 0x01, 0xf6), nulls...)
	return map[string][]byte{
		"a huge array":       {0x9b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"a huge byte string": {0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"deep arrays":        bytes.Repeat([]byte{0x81}, MaxEdit),
		"null topics":        memoHead(1, nulls),
		"null rows":          memoHead(1, append([]byte{0x81, 0x82, 0x61, 'a'}, nulls...)),
		"null deltas":        memoHead(1, append([]byte{0x81, 0x82, 0x61, 'a', 0x81, 0x83, 0x40, 0xf4}, nulls...)),
		"null root keys":     memoHead(0, append([]byte{0x88, 0x61, 'a'}, nulls...)),
		"an opaque list":     memoHead(77, nulls[:len(nulls)-1]),
		"null memos":         append(append(run, 0x58, 0x40), make([]byte, 64)...),
	}
}
