package memo

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"testing"
)

// TestReplayIsRefused: what was sealed for one space, place, author or version proves
// nothing for another: all of these are among the bytes that are signed or hashed.
func TestReplayIsRefused(t *testing.T) {
	key, alice := testKey("alice")
	f := newForker(t)
	r := f.run(nil, "Cat", 2)
	data, space, head := encoded(t, r), r.Space, r.Head()
	other := SpaceID(Sum([]byte("another space")))

	moved, err := DecodeRun(bytes.ReplaceAll(data, space[:], other[:]))
	if err == nil {
		err = moved.Verify()
	}
	if !errors.Is(err, ErrBadSeal) {
		t.Errorf("a run moved to another space: %v", err)
	}
	if _, err := DecodeRun(inVersion(data, 2)); !errors.Is(err, ErrMalformed) {
		t.Errorf("a run in another version: %v", err)
	}
	enc, err := r.Memos[1].Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Decode(inVersion(enc, 2)); !errors.Is(err, ErrMalformed) {
		t.Errorf("a memo in another version: %v", err)
	}
	if m, err := Decode(bytes.ReplaceAll(enc, space[:], other[:])); err != nil || m.ID() == r.Memos[1].ID() {
		t.Errorf("a memo of another space has the same digest (%v)", err)
	}
	for name, c := range map[string]struct {
		space SpaceID
		head  Head
	}{
		"space":  {other, head},
		"seq":    {space, Head{head.Author, head.Seq + 1, head.ID}},
		"digest": {space, Head{head.Author, head.Seq, r.Memos[0].ID()}},
		"author": {space, Head{alice, head.Seq, head.ID}},
	} {
		if err := VerifySeal(c.space, c.head, r.Seal); !errors.Is(err, ErrBadSeal) {
			t.Errorf("a seal for another %s: %v", name, err)
		}
	}
	next := bytes.Replace(sealedBytes(space, Head{alice, 1, head.ID}), []byte("seal/1"), []byte("seal/2"), 1)
	if err := VerifySeal(space, Head{alice, 1, head.ID}, Seal(ed25519.Sign(key, next))); !errors.Is(err, ErrBadSeal) {
		t.Errorf("a seal of another version: %v", err)
	}
}

// inVersion is an encoded memo or run that says it is of another version.
func inVersion(data []byte, v byte) []byte {
	out := bytes.Clone(data)
	out[1] = v
	return out
}
