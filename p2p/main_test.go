package p2p

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails when a closed server leaves goroutines behind. What is ignored
// belongs to libp2p for the life of the process.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/libp2p/go-flow-metrics.(*sweeper).run"), // of the bandwidth counters
	)
}
