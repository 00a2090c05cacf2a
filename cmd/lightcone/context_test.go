package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	causal "lightcone/context"
)

// wideToken returns a token of n authors, the first of them given.
func wideToken(first, n int) string {
	t := causal.Token{Space: [8]byte{1}}
	for i := range n {
		h := causal.TokenHead{Seq: 1<<64 - 1, Digest: [8]byte{byte(i)}}
		binary.BigEndian.PutUint64(h.Author[:], uint64(first+i))
		t.Heads = append(t.Heads, h)
	}
	return t.String()
}

// The longest token still fits a QR code.
func TestDrawLargestToken(t *testing.T) {
	var out bytes.Buffer
	a := &app{stdout: &out}
	if err := a.drawContext(wideToken(0, causal.MaxTokenHeads)); err != nil {
		t.Fatal(err)
	}
	if lines := bytes.Count(out.Bytes(), []byte("\n")); lines < 40 {
		t.Errorf("a code of %d lines for the largest token:\n%s", lines, &out)
	}
}

// Tokens whose join no token can hold are refused with a way out.
func TestJoinTooManyHeads(t *testing.T) {
	a := &app{stdout: new(bytes.Buffer)}
	err := a.joinContexts(t.Context(), []string{wideToken(0, causal.MaxTokenHeads), wideToken(1, causal.MaxTokenHeads)})
	if !errors.Is(err, causal.ErrTooManyHeads) || exitCode(err) != exitFailed {
		t.Errorf("got %v, exit status %d", err, exitCode(err))
	}
	if a.joinContexts(t.Context(), []string{wideToken(0, causal.MaxTokenHeads), wideToken(0, 1)}) != nil {
		t.Error("a token that holds the other was refused")
	}
}
