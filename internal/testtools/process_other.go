//go:build !unix

package testtools

import (
	"os"
	"syscall"
)

// ownProcessGroup is nothing where there are no process groups.
func ownProcessGroup() *syscall.SysProcAttr { return nil }

// killGroup ends the process only.
func killGroup(process *os.Process) { _ = process.Kill() }
