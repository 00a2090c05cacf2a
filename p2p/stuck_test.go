package p2p

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"lightcone/p2p/gossip"
)

// stuck is a stream as libp2p's becomes when its other end did not agree on the
// protocol before a deadline for reading: every read fails at once, whatever the
// deadline is then.
type stuck struct {
	network.Stream
	reads int
}

func (s *stuck) SetReadDeadline(time.Time) error { return nil }

func (s *stuck) Read([]byte) (int, error) {
	if s.reads++; s.reads > 1000 {
		return 0, io.ErrUnexpectedEOF // ends a loop
	}
	return 0, os.ErrDeadlineExceeded
}

func TestStuckStreamEndsItsSession(t *testing.T) {
	st, x := &stuck{}, newSession(context.Background(), gossip.Peer{})
	defer x.fail(nil)
	x.wrote.Store(time.Now().UnixNano()) // else the session is idle anyway
	if _, err := x.read(st, bufio.NewReader(st)); !errors.Is(err, ErrIdle) || st.reads > 1 {
		t.Fatalf("%d reads, then %v; want ErrIdle after the first", st.reads, err)
	}
}
