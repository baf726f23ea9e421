//go:build unix

package testtools

import (
	"os"
	"syscall"
)

// ownProcessGroup makes a child the leader of a new process group, so that
// [killGroup] reaches the workers it starts.
func ownProcessGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}

// killGroup ends a process and all that it started.
func killGroup(process *os.Process) {
	_ = syscall.Kill(-process.Pid, syscall.SIGKILL)
}
