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

// unprivileged is nothing where there are no users like those of Unix.
func unprivileged() *syscall.SysProcAttr { return nil }

// giveAway has nobody to give to.
func giveAway(...string) error { return nil }
