package netlab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// starterMark is the environment variable that makes the test program a starter.
const starterMark = "NETLAB_STARTER"

// A tool must not outlive the process that started it: it would go on making what
// somebody else has begun to remove.
func TestToolsDieWithTheirStarter(t *testing.T) {
	if os.Getenv(starterMark) != "" {
		_, err := run(context.Background(), "", "sleep", "600")
		t.Fatal("sleep ended: ", err)
	}
	starter := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	starter.Env = append(os.Environ(), starterMark+"=1")
	if err := starter.Start(); err != nil {
		t.Fatal(err)
	}
	defer starter.Wait()
	defer starter.Process.Kill()
	var tool string
	until(t, "the tool runs", func() bool {
		tool = child(starter.Process.Pid)
		return tool != "" && strings.Contains(cmdline(tool), "sleep")
	})
	starter.Process.Kill()
	starter.Wait()
	until(t, "the tool is gone", func() bool { return !strings.Contains(cmdline(tool), "sleep") })
}

// until waits for what must come.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("in vain: ", what)
		}
	}
}

// child returns the process id of a process's child, "" if it has none.
func child(pid int) string {
	tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	for _, task := range tasks {
		ids, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, task.Name()))
		if id := strings.Fields(string(ids)); len(id) > 0 {
			return id[0]
		}
	}
	return ""
}

// cmdline returns what a process was called with, "" for one that has ended.
func cmdline(pid string) string {
	args, _ := os.ReadFile("/proc/" + pid + "/cmdline")
	return string(args)
}
