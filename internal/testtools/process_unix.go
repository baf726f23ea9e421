//go:build unix

package testtools

import (
	"fmt"
	"os"
	"os/user"
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

// unprivileged has a child run as a user without rights where this process is root's:
// some servers refuse to run as root. It is the user that packages make for it, or
// nobody. The child is the leader of a process group.
func unprivileged() *syscall.SysProcAttr {
	attributes := ownProcessGroup()
	if uid, gid, err := otherUser(); err == nil && os.Geteuid() == 0 {
		attributes.Credential = &syscall.Credential{Uid: uid, Gid: gid}
	}
	return attributes
}

// giveAway makes paths that user's.
func giveAway(paths ...string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	uid, gid, err := otherUser()
	if err != nil {
		return err
	}
	for _, path := range paths {
		if err := os.Chown(path, int(uid), int(gid)); err != nil {
			return err
		}
	}
	return nil
}

func otherUser() (uid, gid uint32, err error) {
	found, err := user.Lookup("postgres")
	if err != nil {
		found, err = user.Lookup("nobody")
	}
	if err != nil {
		return 0, 0, err
	}
	_, err = fmt.Sscan(found.Uid, &uid)
	if err == nil {
		_, err = fmt.Sscan(found.Gid, &gid)
	}
	return uid, gid, err
}
