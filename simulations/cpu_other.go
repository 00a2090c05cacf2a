//go:build !unix

package simulations

import "time"

// cpuTime is 0: what a run took of the processors is not known here.
func cpuTime() time.Duration { return 0 }
