package figure

import (
	"os"
	"strings"
)

// Load is the machine's load average of the last minute, "" where the system does not
// tell.
func Load() string {
	b, _ := os.ReadFile("/proc/loadavg")
	one, _, _ := strings.Cut(string(b), " ")
	return one
}
